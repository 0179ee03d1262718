#!/usr/bin/env python3
"""Counts the test cases of the last `meson test` run: tests/check/unit_totals.py BUILD_DIR

Meson knows programs; a program holds many cases. A program that failed without saying which case it was (a crash, a leak
found at exit) counts as one failure. The last line is "N passed, N failed".
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as ET


def cases_of(report):
    """(passed, failed) of one GoogleTest XML report; a case that was skipped counts as neither."""
    passed = failed = 0
    for case in ET.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None:
            failed += 1
        elif case.get("status") == "run" and case.find("skipped") is None:
            passed += 1
    return passed, failed


def main():
    build = pathlib.Path(sys.argv[1])
    passed = failed = 0
    for line in (build / "meson-logs" / "testlog.json").read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        good, bad = 0, 0
        name = test["name"].rsplit(":", 1)[-1].strip().split(" / ")[-1]
        report = build / f"{name}.xml"
        if report.exists():
            good, bad = cases_of(report)
        if test["result"] != "OK":
            bad = max(bad, 1)
        print(f"  {name}: {good} passed, {bad} failed ({test['duration']:.1f} s)")
        passed += good
        failed += bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
