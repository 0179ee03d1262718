#!/usr/bin/env python3
"""The table of metrics in doc/metrics.md is what Sluice's page makes of it, and nothing else that names metrics
(manual, alerts, dashboard) names one that is not on the page.

    tests/check/metrics_doc.py PROGRAM [--write]

PROGRAM prints a page (tests/check/metrics_page.cc). Without --write: prints what is wrong and exits 1 when there is
something. With --write: makes the table first. The counters of doc/counters.md are on the page each by its name, and
not in the table. Every alert has its case in alerts_test.yml.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNTERS = ROOT / "doc/counters.md"
PAGE = ROOT / "doc/metrics.md"
ALERTS = ROOT / "conf/prometheus/alerts.yml"
ALERTS_TEST = ROOT / "tests/check/alerts_test.yml"
DASHBOARD = ROOT / "conf/grafana/sluice.json"
NAMING = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "doc").rglob("*.md")),
          *sorted((ROOT / "doc/man").glob("*")), ALERTS, *sorted((ROOT / "conf").glob("*.toml"))]

HEAD = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"
TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? \S+")
LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')
# A name, and not the beginning of one that stands for many.
NAME = re.compile(r"\b(?:sluice|process)_[a-z0-9_]*[a-z0-9]\b(?![*A-Z_])")
SELECTOR = re.compile(r'__name__=~"([^"]+)"')
CHOICE = re.compile(r"\(([a-z_|]+)\)")


class Family:
    def __init__(self, kind, meaning):
        self.kind = kind
        self.meaning = meaning
        self.labels = []
        self.told = False  # whether it has a sample

    def samples(self, name):
        return [f"{name}_{part}" for part in ("bucket", "count", "sum")] if self.kind == "histogram" else [name]


def families(page):
    """Name -> Family, in the page's order."""
    found = {}
    owner = {}
    meanings = {}
    for line in page.splitlines():
        if line.startswith("# HELP "):
            _, _, name, meaning = line.split(" ", 3)
            meanings[name] = meaning.replace("\\n", "\n").replace("\\\\", "\\")
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            found[name] = Family(kind, meanings[name])
            owner.update({sample: found[name] for sample in found[name].samples(name)})
        else:
            name, labels = SAMPLE.fullmatch(line).groups()
            family = owner[name]
            family.told = True
            for label in LABEL.findall(labels or ""):
                if label not in family.labels and not (label == "le" and family.kind == "histogram"):
                    family.labels.append(label)
    return found


def counters():
    """The metrics of doc/counters.md: name -> severity."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", COUNTERS.read_text(encoding="utf-8"), re.MULTILINE)
    return {f"sluice_{name}_total": severity for name, severity in rows}


def rows(found):
    """The table: name -> line."""
    made = {}
    for name, family in found.items():
        if name not in counters():
            labels = ", ".join(f"`{label}`" for label in family.labels)
            meaning = family.meaning.replace("|", "\\|")
            made[name] = f"| `{name}` | {family.kind} | {labels} | {meaning} |\n"
    return made


def table(found):
    return HEAD + "".join(rows(found).values())


def manual_table():
    """The table as it is in the manual."""
    made = TABLE.search(PAGE.read_text(encoding="utf-8"))
    return made[0] if made else ""


def queries():
    """Whatever text of the dashboard is asked of Prometheus."""
    def walk(node):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(value, (dict, list)):
                yield from walk(value)
            elif key in ("expr", "query", "definition") and isinstance(value, str):
                yield value
    return list(walk(json.loads(DASHBOARD.read_text(encoding="utf-8"))))


def faults_of_names(what, text, found):
    """Names, and patterns of names, that nothing on the page has."""
    names = {sample for name, family in found.items() for sample in [name, *family.samples(name)]}
    for pattern in SELECTOR.findall(text):
        choices = CHOICE.search(pattern)
        for choice in choices[1].split("|") if choices else [""]:
            one = pattern.replace(choices[0], choice) if choices else pattern
            if not any(re.fullmatch(one, name) for name in names):
                yield f"{what}: no metric fits {one}"
    for name in sorted(set(NAME.findall(SELECTOR.sub("", text))) - names):
        yield f"{what}: there is no metric {name}"


def faults(found):
    for name, severity in counters().items():
        family = found.get(name)
        if family is None or family.kind != "counter" or family.labels:
            yield f"{COUNTERS}: the page of metrics lacks the counter {name}"
        if severity == "error" and name not in ALERTS.read_text(encoding="utf-8"):
            yield f"{ALERTS}: nothing looks at {name}, whose severity is error"
    for alert in re.findall(r"- alert: (\w+)", ALERTS.read_text(encoding="utf-8")):
        if f'"{alert}"' not in ALERTS_TEST.read_text(encoding="utf-8"):
            yield f"{ALERTS_TEST}: {alert} never fires"
    if manual_table() != table(found):
        yield f"{PAGE} has not the table that the page makes; run tests/check/metrics_doc.py PROGRAM --write"
    for path in NAMING:
        yield from faults_of_names(path, path.read_text(encoding="utf-8"), found)
    for query in queries():
        yield from faults_of_names(DASHBOARD, query, found)
    if len(set(NAME.findall("\n".join(queries())))) < 20:
        yield f"{DASHBOARD}: its queries could not be read"


def main():
    program, *options = sys.argv[1:]
    found = families(subprocess.run([program], capture_output=True, text=True, check=True).stdout)
    if options == ["--write"]:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(TABLE.sub(lambda _: table(found), text), encoding="utf-8")
    problems = list(faults(found))
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
