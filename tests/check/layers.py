#!/usr/bin/env python3
"""Keeps the floors: no file includes a higher room, a sibling, or the top of its own room, or DPDK or the
clock where they may not be known.

    tests/check/layers.py [ROOT]

Reads every source under ROOT/include/sluice, ROOT/src and ROOT/tools, prints one line for each broken rule, and exits 1 if there
was one. It reads #include lines only, so it needs no build.
"""

import pathlib
import re
import sys

# The rooms, floor by floor. A room includes itself and the floors below its own.
FLOORS = [
    {"base"},
    {"wire"},
    {"tcp", "mqtt", "balance", "nat", "flow", "neighbor"},
    {"config", "backend", "health"},
    {"splice", "session"},
    {"port", "host", "worker"},
    {"admin", "daemon", "ctl", "load"},
]

# Arrows inside one floor: the room on the left may include those on the right.
SAME_FLOOR = {
    "backend": {"config"},
    "health": {"backend", "config"},
    "session": {"splice"},
    "host": {"port"},
    "worker": {"port", "host"},
    "daemon": {"admin"},
}

# Rooms that may include less than their floor allows.
ONLY = {
    "port": {"base", "wire"},
    "host": {"base", "wire", "neighbor", "port"},
    "load": {"base", "wire", "tcp", "mqtt", "flow", "neighbor", "port", "host"},
}

# Headers of a low room that let in the outside world, and the rooms that may.
ONLY_FOR = {
    "sluice/base/clock.h": {"worker", "daemon", "load"},
    "sluice/base/kernel_address.h": {"base", "admin", "load"},
}
# Headers that stand at the top of their own room: what else is in it lies below, and only the source that is named may
# include them. Others' rooms may, as their floors allow.
TOP_OF_ROOM = {"sluice/worker/worker.h": "worker.cc"}

DPDK_ROOMS = {"port", "worker", "daemon"}

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.MULTILINE)


def may_include(room, other):
    """Whether a file of `room` may include a header of `other`."""
    if room == other:
        return True
    if room in ONLY:
        return other in ONLY[room]
    return FLOOR_OF[other] < FLOOR_OF[room] or other in SAME_FLOOR.get(room, ())


def reason(room, other):
    if room in ONLY and FLOOR_OF[other] <= FLOOR_OF[room]:
        return f"{room} may include only {', '.join(sorted(ONLY[room]))}"
    if FLOOR_OF[other] == FLOOR_OF[room]:
        return f"{other} is a sibling of {room} (floor {FLOOR_OF[room]})"
    return f"{other} (floor {FLOOR_OF[other]}) is above {room} (floor {FLOOR_OF[room]})"


def include_fault(top, path, room, bracket, target):
    """What is wrong with one #include of the file `path` in `room`, or None. `top` holds the rooms."""
    if pathlib.PurePosixPath(target).name.startswith("rte_"):
        if room not in DPDK_ROOMS:
            return f"only {', '.join(sorted(DPDK_ROOMS))} may know DPDK"
        return None
    if target.startswith("sluice/"):
        parts = target.split("/")
        other = parts[1]
        if len(parts) != 3 or other not in FLOOR_OF:
            return "not of the form sluice/ROOM/x.h with a room that has a floor"
        if room not in ONLY_FOR.get(target, {room}):
            return f"only {', '.join(sorted(ONLY_FOR[target]))} may include it"
        if other == room and path.name != TOP_OF_ROOM.get(target, path.name):
            return f"a leaf of {room} may not include the top of its room, only {TOP_OF_ROOM[target]} may"
        return None if may_include(room, other) else reason(room, other)
    if bracket == "<":
        return None
    # What is left is a private header: "x.h" beside the file that includes it, or "ROOM/x.h".
    inside = target.removeprefix(f"{room}/")
    if ".." in inside.split("/") or not ((path.parent / inside).is_file() or (top / room / inside).is_file()):
        return "a private header is included only from its own room"
    return None


def check_file(top, path, room):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".h" and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield f"{path}: no #pragma once"
    for match in INCLUDE.finditer(text):
        fault = include_fault(top, path, room, match[1], match[2])
        if fault:
            line = text.count("\n", 0, match.start(1)) + 1
            yield f'{path}:{line}: includes "{match[2]}": {fault}'


def check_tree(root):
    """The broken rules of a whole tree, as lines of text, and how many files were read."""
    faults = []
    files = 0
    for top in (root / "include" / "sluice", root / "src", root / "tools"):
        for path in sorted(top.rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            files += 1
            relative = path.relative_to(top).parts
            if len(relative) < 2 or relative[0] not in FLOOR_OF:
                faults.append(f"{path}: lies in no room that has a floor (see FLOORS in tests/check/layers.py)")
                continue
            faults.extend(check_file(top, path, relative[0]))
    return faults, files


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    faults, files = check_tree(root)
    print("\n".join(faults + [f"{files} files, {len(faults)} broken rules"]))
    return 1 if faults or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
