#!/usr/bin/env python3
"""Google Benchmark's JSON as a short table: table.py TARGET FILE

A line for each benchmark: median CPU time, spread of the repetitions, and the rate where the benchmark gives one.
"""

import json
import statistics
import sys

NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def scaled(value, units):
    """value with the last unit in which it is at least 1; units: (factor, name), ascending."""
    factor, name = next(((f, n) for f, n in reversed(units) if value >= f), units[0])
    return f"{value / factor:.3g} {name}" if value < 1000 * factor else f"{value / factor:.0f} {name}"


def main():
    target, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        runs = [r for r in json.load(file)["benchmarks"] if r["run_type"] == "iteration"]
    broken = [f"{r['name']}: {r['error_message']}" for r in runs if r.get("error_occurred")]
    if broken:
        print("\n".join(broken), file=sys.stderr)
        return 1
    by_name = {}
    for run in runs:
        by_name.setdefault(run["run_name"], []).append(run)
    for name, repetitions in by_name.items():
        times = [r["cpu_time"] * NANOSECONDS[r["time_unit"]] for r in repetitions]
        median = statistics.median(times)
        spread = 100 * statistics.pstdev(times) / statistics.mean(times)
        rate = ""
        if "bytes_per_second" in repetitions[0]:
            rate = scaled(statistics.median(r["bytes_per_second"] for r in repetitions),
                          [(1e6, "MB/s"), (1e9, "GB/s")])
        elif "items_per_second" in repetitions[0]:
            rate = scaled(statistics.median(r["items_per_second"] for r in repetitions),
                          [(1, "/s"), (1e3, "k/s"), (1e6, "M/s")])
        time = scaled(median, [(1, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")])
        print(f"{target + '/' + name:<42} {time:>9}  +-{spread:4.1f} %  {rate:>10}".rstrip(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
