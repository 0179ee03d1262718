"""Everything hostile at once, and a crowd of clients in the middle of it: what the storm does, and what it has seen.

Forged SYNs, ACKs and data come without end from addresses that nobody has. CONNECTs that are never finished fill the
memory that there is for them. Each second many clients come at the same moment, publish and leave; the configuration is
read again, changed every other time; every other second one broker ends, or comes back. The standing clients talk.
"""

import contextlib
import itertools
import json
import signal
import threading
import time
import traceback

from flooders import Strays, StrayTexts, Syns, UnfinishedConnects, unfinished
from lab import BUILD, CLIENTS, FRONT, wait_for
from swarm import Swarm

STANDING = 100
BURST = 200
BURST_MESSAGES = 3  # of each client
SYNS = 4000         # a second, at most, as of the next two
STRAYS = 1500
STRAY_TEXTS = 1500
UNFINISHED = 300    # at a time
UNFINISHED_SIZE = 60_000


class Storm:
    """`flapping`: the broker that comes and goes. The others stay."""

    def __init__(self, lab, flapping):
        self._lab = lab
        self._flapping = flapping
        self._turns = itertools.count()
        self._bursts = []   # (process, file of its results)
        self._over = threading.Event()
        self.reloads = 0
        self.flaps = 0
        self.forged = 0
        self.held = 0       # most of connect_bytes seen
        self.bursts = []    # results of each
        self.failures = []  # of the storm itself

    @contextlib.contextmanager
    def round(self, seconds):
        """All of it for so long. The body runs when it is over, with the standing clients still there: gives their
        swarm, and the IDs of those in it that the flapping broker never had."""
        with Swarm(self._lab, STANDING, word="standing", talk=0.2) as swarm:
            swarm.wait_all_up()
            there = self._lab.admin(f"show connections backend=brokers/{self._flapping.name} limit=10000")
            safe = {c.client_id for c in swarm.clients} - {c["client_id"] for c in there["connections"]}
            self._blow(seconds)
            swarm.wait_all_up()
            swarm.be_silent()
            yield swarm, safe

    def _blow(self, seconds):
        self._over.clear()
        unending = threading.Thread(target=self._never_finish)
        with contextlib.ExitStack() as stack:
            forgers = [stack.enter_context(kind(self._lab, rate))
                       for kind, rate in ((Syns, SYNS), (Strays, STRAYS), (StrayTexts, STRAY_TEXTS))]
            unending.start()
            stack.callback(unending.join)
            stack.callback(self._over.set)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                began = time.monotonic()
                self._turn(next(self._turns))
                self._watch(min(end, began + 1))
        self.forged += sum(f.sent for f in forgers)
        if not self._flapping.running():
            self._flapping.start()
        for process, results in self._bursts:
            wait_for("a burst's clients to be done", lambda: process.poll() is not None, 30)
            self.bursts.append(json.loads(results.read_text()))
        self._bursts.clear()

    def _turn(self, n):
        self._burst(n)
        self._reload(n)
        if n % 2:
            (self._flapping.stop if self._flapping.running() else self._flapping.start)()
            self.flaps += 1

    def _watch(self, until):
        while time.monotonic() < until:
            self.held = max(self.held, self._lab.admin("show info")["info"]["connect_bytes"])
            time.sleep(0.1)

    def _burst(self, n):
        results = self._lab.folder / f"burst-{n}.json"
        words = [BUILD / "sluice-load", "publish", "-t", f"{FRONT}:1883", "-i", f"burst-{n}-", "-n", BURST, "-w", BURST,
                 "-s", f"{CLIENTS[0]}-{CLIENTS[-1]}", "-Q", 1, "--messages", BURST_MESSAGES, "--at-once", "-q",
                 "--come-back", "500ms", "--json", results]
        self._bursts.append((self._lab.clients.start(words, self._lab.folder / "bursts.log"), results))

    def _reload(self, n):
        """By the admin socket and by signal in turn."""
        text = self._lab.config(listener={"idle_timeout": f"{1 + n // 2}h"})
        if n % 2:
            self._lab.config_file.write_text(text)
            self._lab.sluiced.send_signal(signal.SIGHUP)
        else:
            self._lab.reload(text)
        self.reloads += 1

    def _never_finish(self):
        text = unfinished(UNFINISHED_SIZE)
        try:
            while not self._over.is_set():
                with UnfinishedConnects(self._lab, UNFINISHED, text) as flood:
                    end = time.monotonic() + 3
                    while time.monotonic() < end and not self._over.is_set():
                        flood.step()
        except Exception:  # the test has to fail, not the thread
            self.failures.append(traceback.format_exc())
