#!/usr/bin/env python3
"""The manual's page of counters, doc/counters.md, is made from the one list, include/sluice/base/counters.h.

    tests/check/counters_doc.py [--write]

Without --write: exits 1 when the page is not what the list makes of it. With --write: makes the page.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = ROOT / "include" / "sluice" / "base" / "counters.h"
PAGE = ROOT / "doc" / "counters.md"

HEAD = """# Counters

`sluicectl show counters` lists those that are not zero, `sluicectl show counters all` all of them. Values are sums over
the workers and count from the daemon's start. Dropped frames, refused clients and ended connections are counted by their
reason; what a network card drops by itself is in `sluicectl show ports`. connection.md says which counters belong to
which phase of a connection.

**Severity**: *info*: work done. *notice*: expected on an open network, such as scans and faults of clients. *warning*:
an operator should look, because of capacity, configuration or an unwell broker. *error*: Sluice or its machine is at
fault.

This page is made from `include/sluice/base/counters.h` by `tests/check/counters_doc.py --write`.

| counter | severity | meaning |
| --- | --- | --- |
"""

ENTRY = re.compile(r'\{Counter::(\w+),\s*"(\w+)",\s*Severity::(\w+),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\}')
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def page():
    text = LIST.read_text(encoding="utf-8")
    named = re.search(r"enum class Counter[^{]*\{(.*?)Count_,", text, re.DOTALL)[1].count(",")
    entries = ENTRY.findall(text)
    if len(entries) != named:
        sys.exit(f"{LIST}: {named} counters, of which {len(entries)} table entries could be read")
    rows = []
    for _, name, severity, literals in entries:
        meaning = "".join(TEXT.findall(literals)).replace('\\"', '"').replace("|", "\\|")
        rows.append(f"| `{name}` | {severity.lower()} | {meaning} |\n")
    return HEAD + "".join(rows)


def main():
    wanted = page()
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"{PAGE} does not match {LIST}; run tests/check/counters_doc.py --write", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
