#!/usr/bin/env python3
"""The man page sluice-load(1) tells the options that the program knows, and no others.

    tests/check/load_doc.py

Asks build/sluice-load for the help of every scenario. Prints what is missing and what is too much, and exits 1 when there
is something.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build"))
PAGE = ROOT / "doc/man/sluice-load.1"


def words_of(*subcommand):
    done = subprocess.run([BUILD / "sluice-load", *subcommand, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


def subcommands(text):
    return re.findall(r"^  ([a-z]+) ", text.partition("Subcommands:")[2], re.MULTILINE)


def known():
    """The options of all scenarios, and the scenarios."""
    scenarios = []
    for name in subcommands(words_of()):
        deeper = subcommands(words_of(name))
        scenarios += [(name, inner) for inner in deeper] or [(name,)]
    options = set()
    for scenario in scenarios:
        options |= set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", words_of(*scenario).partition("Options:")[2]))
    return options, {" ".join(scenario) for scenario in scenarios}


def told():
    text = PAGE.read_text(encoding="utf-8")
    options = set(re.findall(r"Fl -([a-z][a-z-]*)", text))
    return options | {"help"}, set(re.findall(r"^\.It Cm (.+)$", text, re.MULTILINE))


def main():
    faults = []
    for what, (knows, tells) in zip(("option --", "scenario "), zip(known(), told())):
        faults += [f"{PAGE}: {what}{name} is not told" for name in sorted(knows - tells)]
        faults += [f"{PAGE}: {what}{name} does not exist" for name in sorted(tells - knows - {"version"})]
    print("\n".join(faults or ["sluice-load(1) is as the program"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
