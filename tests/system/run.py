#!/usr/bin/python3
"""Runs the system tests: tests/system/run.py [--soak SECONDS] [--churn CYCLES] [--story CLIENTS] [--load CLIENTS]
                                               [--storm SECONDS] [FILTER]

One line for each test as it ends, what went wrong where it failed, and "N passed, N failed" as the last line. FILTER is a
part of a test's name, for example placement or test_clients.MosquittoTest. The options make the long tests longer:
--soak 600 soak, --churn 200000 churn, --story 1000000 stories, --load 10000 load, --storm 120 storm.
"""

import argparse
import os
import pathlib
import sys
import time
import unittest

import lab
import ledger
import scale


class Result(unittest.TestResult):
    """Prints as it goes. Keeps nothing but the two numbers."""

    passed = 0
    failed = 0

    def startTest(self, test):
        super().startTest(test)
        self._started = time.monotonic()

    def addSuccess(self, test):
        self.passed += 1
        self._line("ok", test)

    def addFailure(self, test, err):
        self._failure(test, err)

    def addError(self, test, err):
        self._failure(test, err)

    def addSkip(self, test, reason):
        print(f"  skipped {test.id()}: {reason}", flush=True)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._failure(subtest, err)

    def _failure(self, test, err):
        self.failed += 1
        self._line("FAILED", test)
        print(self._exc_info_to_string(err, test))
        running = getattr(test, "lab", None)
        if running is not None:
            print(running.diagnostics(), flush=True)

    def _line(self, word, test):
        taken = time.monotonic() - getattr(self, "_started", time.monotonic())
        print(f"  {word} {test.id()} ({taken:.1f} s)", flush=True)


def chosen(suite, words):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, words)
        elif words in test.id():
            yield test


def main():
    parser = argparse.ArgumentParser(description="Runs the system tests.")
    parser.add_argument("filter", nargs="?", default="", help="part of the names of the tests to run")
    parser.add_argument("--soak", type=int, default=scale.soak_seconds, metavar="SECONDS", help="length of the soak")
    parser.add_argument("--churn", type=int, default=scale.churn_cycles, metavar="CYCLES", help="cycles of the churn")
    parser.add_argument("--story", type=int, default=scale.story_clients, metavar="CLIENTS", help="size of the stories")
    parser.add_argument("--load", type=int, default=scale.load_clients, metavar="CLIENTS", help="size of the load tests")
    parser.add_argument("--storm", type=int, default=scale.storm_seconds, metavar="SECONDS",
                        help="length of the storm")
    arguments = parser.parse_args()
    scale.soak_seconds, scale.churn_cycles, scale.story_clients = arguments.soak, arguments.churn, arguments.story
    scale.load_clients, scale.storm_seconds = arguments.load, arguments.storm
    if os.geteuid() != 0:
        print("The system tests make network namespaces, so they need root.\n0 passed, 1 failed")
        return 1
    lab.end_on_signals()
    ledger.sweep()
    folder = str(pathlib.Path(__file__).resolve().parent)
    tests = unittest.TestSuite(chosen(unittest.defaultTestLoader.discover(folder, top_level_dir=folder),
                                      arguments.filter))
    result = Result()
    try:
        tests.run(result)
    except KeyboardInterrupt:
        result.failed += 1
        print("interrupted")
    print(f"{result.passed} passed, {result.failed} failed")
    return 1 if result.failed or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main())
