"""What a process, a CPU and the machine have used, read from /proc."""

import contextlib
import os
import pathlib
import re
import time

import topology  # noqa: F401  # makes the lab's modules known
from processes import TICK, cpu_seconds, resident_bytes

# Kernel objects that a TCP connection through a socket consists of.
SLABS = {"TCP", "tw_sock_TCP", "request_sock_TCP", "tcp_bind_bucket", "tcp_bind2_bucket", "sock_inode_cache", "filp",
         "dentry", "eventpoll_epi", "eventpoll_pwq", "ep_head"}


def family(pid):
    """The process and all that descend from it."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def summed(figure, pids, *more):
    """Over these processes, as far as they have not ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += figure(pid, *more)
    return total


def memory_bytes(pids, which="VmRSS"):
    return summed(resident_bytes, pids, which)


def quiet_seconds():
    """For each CPU and for "cpu", all of them: seconds so far in which it idled, and which the host took. Idling is what
    the kernel counts exactly; what a CPU does it may count by samples, which miss those who work for microseconds."""
    out = {}
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu"):
            _user, _nice, _system, idle, wait, _irq, _softirq, steal = map(int, fields[:8])
            out[name] = {"idle": (idle + wait) / TICK, "steal": steal / TICK}
    return out


class Usage:
    """What was used between two moments: of a peer's processes, of the balancer's CPU, of the machine."""

    def __init__(self, peer, cpu):
        self._peer = peer
        self._cpu = f"cpu{cpu}"
        self._pids = peer.family
        self._before = (summed(cpu_seconds, self._pids), quiet_seconds(), time.monotonic())

    def end(self):
        process, cpus, began = self._before
        now, seconds = quiet_seconds(), time.monotonic() - began

        def busy(cpu, count):
            gone = sum(now[cpu][what] - cpus[cpu][what] for what in ("idle", "steal"))
            return max(0.0, seconds * count - gone)

        return {"seconds": seconds,
                "process": summed(cpu_seconds, self._pids) - process,
                "core": busy(self._cpu, 1),
                "machine": busy("cpu", os.cpu_count()),
                "steal": now["cpu"]["steal"] - cpus["cpu"]["steal"]}


def slab_bytes():
    """Of the objects that sockets consist of, over the whole machine."""
    total = 0
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/slabinfo").read_text().splitlines()[2:]:
            name, active, _all, size, *_ = line.split()
            if name in SLABS:
                total += int(active) * int(size)
    return total


def tcp_sockets(namespace):
    """TCP sockets in use in a namespace."""
    text = namespace.run(["cat", "/proc/net/sockstat"]).stdout
    return int(re.search(r"^TCP: inuse (\d+)", text, re.MULTILINE)[1])
