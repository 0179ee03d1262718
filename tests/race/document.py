#!/usr/bin/python3
"""Puts the results of a race into doc/performance.md and its charts into doc/images: document.py FOLDER

FOLDER holds what tools/race wrote. `tools/race --document` does it at the end of the race.
"""

import json
import pathlib
import sys

import charts
import page
from results import Results

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- what tools/race measured -->\n", "<!-- end of what tools/race measured -->\n"
SHOWN = {"Messages, flat out": ["messages-core", "machine"], "Latency at light load": ["latency-p50"],
         "Connects": ["connects"], "Memory": ["memory"]}


def text_of(results):
    pictures = charts.all_of(results)
    whole = page.Page(results)
    parts = [whole.machine()]
    for title, text in whole.sections():
        if title == "Who":
            continue
        parts.append(f"### {title}")
        shown = [name for name in SHOWN.get(title, ()) if name in pictures]
        parts += [f"![{charts.title_of(name)}](images/race-{name}.svg)" for name in shown]
        parts.append(text)
    return "\n\n".join(parts) + "\n"


def document(results, root=ROOT):
    manual = root / "doc/performance.md"
    before, rest = manual.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    manual.write_text(f"{before}{BEGIN}\n{text_of(results)}\n{END}{after}", encoding="utf-8")
    pictures = charts.all_of(results)
    for name in {name for names in SHOWN.values() for name in names} & set(pictures):
        (root / f"doc/images/race-{name}.svg").write_text(pictures[name], encoding="utf-8")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    folder = pathlib.Path(sys.argv[1])
    document(Results.read(json.loads((folder / "race.json").read_text()), folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
