"""What a lab has made on this machine, written down before it is made, so that everything can be taken away again.

A lab that ends, in whatever way, clears its own ledger. One that was killed outright leaves its ledger behind in
/run/sluice-lab, and the next lab sweeps it. A process is known by its id and its start time, so that an id that was
given to somebody else in the meantime is left alone.
"""

import atexit
import contextlib
import errno
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

FOLDER = pathlib.Path("/run/sluice-lab")
PATIENCE = 6.0  # seconds between SIGTERM and SIGKILL


def identity(pid):
    """[pid, start time] of a living process, or None when there is none (or only its exit code is left)."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else [pid, int(fields[19])]


def _send(process, number):
    if identity(process[0]) == process:
        try:
            os.kill(process[0], number)
        except ProcessLookupError:
            pass


def end(processes):
    """SIGTERM to all, and SIGKILL to those that have not gone in time."""
    for process in processes:
        _send(process, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while any(identity(p[0]) == p for p in processes) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in processes:
        _send(process, signal.SIGKILL)


def _inside(namespace):
    """The processes that live in a namespace: in a namespace of ours, they are ours."""
    answer = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    return [p for p in (identity(int(word)) for word in answer.stdout.split()) if p]


def _remove_cgroup(top):
    """With those inside of it. What was killed in it takes a moment to be gone."""
    deadline = time.monotonic() + PATIENCE
    for cgroup, _, _ in os.walk(top, topdown=False):
        while True:
            try:
                os.rmdir(cgroup)
                break
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    break
            time.sleep(0.02)


class Ledger:
    def __init__(self):
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        paths = (FOLDER / f"{os.getpid()}-{n}.json" for n in itertools.count(1))
        self._path = next(path for path in paths if not path.exists())
        self.name = self._path.stem
        self._entry = {"owner": identity(os.getpid()), "kept": False, "processes": [], "namespaces": [], "cgroups": [],
                       "folders": []}
        self._write()

    @classmethod
    def read(cls, path):
        """The ledger that another process wrote."""
        ledger = cls.__new__(cls)
        ledger.name = path.stem
        ledger._path = path
        ledger._entry = json.loads(path.read_text())
        return ledger

    @property
    def kept(self):
        return self._entry["kept"]

    def owner_lives(self):
        owner = self._entry["owner"]
        return identity(owner[0]) == owner

    def keep(self):
        """What is written down outlives its maker, until sweep(kept=True)."""
        self._entry["kept"] = True
        self._write()

    def add(self, kind, thing):
        """`kind` is "namespaces" (a name), "folders" or "cgroups" (a path) or "processes" (an id)."""
        if kind == "processes":
            thing = identity(thing)
        if thing is not None:
            self._entry[kind].append(thing)
            self._write()

    def clear(self):
        """Ends and removes everything. To call it again does no harm; a signal meanwhile does not cut it short."""
        if not self._path.exists():
            return
        with _undisturbed():
            inside = [p for namespace in self._entry["namespaces"] for p in _inside(namespace)]
            end(self._entry["processes"] + [p for p in inside if p not in self._entry["processes"]])
            for namespace in self._entry["namespaces"]:
                if pathlib.Path("/run/netns", namespace).exists():
                    subprocess.run(["ip", "netns", "delete", namespace], check=False)
            for cgroup in self._entry.get("cgroups", []):
                _remove_cgroup(pathlib.Path(cgroup))
            for folder in self._entry["folders"]:
                shutil.rmtree(folder, ignore_errors=True)
            self._path.unlink(missing_ok=True)

    def _write(self):
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._entry))
        fresh.replace(self._path)


@contextlib.contextmanager
def _undisturbed():
    """Holds back the signals that end a run. Only the main thread gets signals, so elsewhere there is nothing to do."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def sweep(kept=False):
    """Clears what dead runs left behind, with `kept` also what was left on purpose. Says how many there were."""
    cleared = 0
    for path in sorted(FOLDER.glob("*.json")) if FOLDER.is_dir() else []:
        ledger = Ledger.read(path)
        if not ledger.owner_lives() and (kept or not ledger.kept):
            ledger.clear()
            cleared += 1
    return cleared


class Installation:
    """What a test puts up on this machine, as a context manager. A class of it makes everything in _build(), and writes
    down in self._ledger what it makes: all of that goes at the end, whatever happens, but with keep()."""

    def __enter__(self):
        sweep()
        self._ledger = Ledger()
        atexit.register(self._ledger.clear)
        try:
            self._build()
        except BaseException:
            self._ledger.clear()
            raise
        return self

    def __exit__(self, *_):
        if not self._ledger.kept:
            self._ledger.clear()
        atexit.unregister(self._ledger.clear)

    def keep(self):
        """Leaves everything as it is when this process ends, for a later sweep or `tools/demo --down` to take down."""
        self._ledger.keep()

    @property
    def ledger(self):
        return self._ledger

    def diagnostics(self, lines=25):
        """The ends of the logs."""
        text = []
        for log in sorted(self.folder.glob("*.log")):
            text += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-lines:]]
        return "\n".join(text)
