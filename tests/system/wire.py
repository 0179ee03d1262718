"""A bad wire (wire.cc) between two interfaces of a namespace: what goes through it is lost or late now and then."""

import json
import time

from ledger import end, identity


class Wire:
    def __init__(self, namespace, program, log, interfaces, loss=0, reorder=0, delay=0, seed=1):
        if not program.exists():
            raise RuntimeError(f"there is no {program}: ninja system-tools makes it")
        self._log = log
        self._process = namespace.start(
            [program, "--loss", loss, "--reorder", reorder, "--delay", delay, "--seed", seed, *interfaces], log)
        deadline = time.monotonic() + 10
        while "ready" not in log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no wire: {log.read_text()}")
            time.sleep(0.01)

    def stop(self):
        """Cuts the wire. What happened to the frames of each direction, by the interface that they came from."""
        end([p for p in [identity(self._process.pid)] if p])
        if self._process.wait() != 0:
            raise RuntimeError(f"the wire ended with {self._process.returncode}: {self._log.read_text()}")
        lines = self._log.read_text().splitlines()[1:]
        return {counts["from"]: counts for counts in map(json.loads, lines)}
