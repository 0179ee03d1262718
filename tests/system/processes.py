"""What a process has used, read from /proc. An OSError when it has ended."""

import os
import pathlib
import re

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """CPU time until now, user and system."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_bytes(pid, which="VmRSS"):
    """Memory now; with `VmHWM` at most so far, with `RssAnon` without what is shared."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{which}:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise ProcessLookupError(pid)
    return int(found[1]) * 1024
