"""sluice-load on both sides of a peer: clients, and the brokers that they come to."""

import contextlib
import itertools
import json
import time

from lab import BUILD, Broker, wait_for
from ledger import identity, end
from topology import LOAD_CPUS, pinned

PORT = 1883


class Trouble(Exception):
    """Why a step gave no figure; it becomes a note."""


class Clients:
    """A sluice-load that runs. `words`: its command line up to the targets."""

    _numbers = itertools.count(1)

    def __init__(self, race, peer, words):
        number = next(self._numbers)
        self._results = race.folder / f"clients-{number}.json"
        self._log = race.folder / f"clients-{number}.log"
        targets = [word for target in peer.targets for word in ("-t", target)]
        command = [BUILD / "sluice-load", *words, *targets, "-s", peer.place.client_range, "--json", self._results]
        self._process = race.clients.start(pinned(LOAD_CPUS, command), self._log)

    def running(self):
        return self._process.poll() is None

    def lines(self):
        """Of progress, one a second."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return [line for line in text.splitlines() if " connected " in line]

    def connected(self):
        """As its last line has it, at most a second old."""
        words = (self.lines() or ["connected 0"])[-1].split()
        return int(words[words.index("connected") + 1])

    def end(self):
        """Asks it to leave; whoever cannot wait for that is gone a little later all the same."""
        if self.running():
            self._process.terminate()

    def results(self, timeout):
        """Waits for its end. A run that was not in time, or did not end well, is a Trouble."""
        try:
            wait_for("the clients to end", lambda: not self.running(), timeout)
        except TimeoutError as error:
            self.kill()
            raise Trouble(f"the clients were not done after {timeout:.0f} s") from error
        if self._process.returncode != 0:
            raise Trouble(f"sluice-load ended with {self._process.returncode}: {self._tail()}")
        return json.loads(self._results.read_text())

    def kill(self):
        end([p for p in [identity(self._process.pid)] if p])
        self._process.wait()

    def _tail(self):
        lines = self._log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"


class Brokers:
    """sluice-load as the brokers at these addresses: one process for all, or one for each."""

    _numbers = itertools.count(1)

    def __init__(self, race, addresses, apart=False):
        groups = [[address] for address in addresses] if apart else [addresses]
        self._running = []
        for group in groups:
            results = race.folder / f"brokers-{next(self._numbers)}.json"
            listen = [word for address in group for word in ("-l", f"{address}:{PORT}")]
            command = [BUILD / "sluice-load", "broker", *listen, "-n", race.file_limit - 50, "-q", "--json", results]
            process = race.brokers.start(pinned(LOAD_CPUS, command), results.with_suffix(".log"))
            self._running.append((process, results))
        for address in addresses:
            wait_for("brokers to listen", lambda address=address: self._listens(race, address))

    @staticmethod
    def _listens(race, address):
        with contextlib.suppress(OSError), race.brokers.connect(address, timeout=1):
            return True
        return False

    def end(self):
        """Their results."""
        reports = []
        for process, results in self._running:
            if process.poll() is None:
                process.terminate()
        for process, results in self._running:
            wait_for("a broker to end", lambda process=process: process.poll() is not None, 20)
            if results.exists():
                reports.append(json.loads(results.read_text()))
        return reports


class Mosquittos:
    """Real brokers for where it matters who met whom: their logs name every client that they let in."""

    class One(Broker):
        def __init__(self, namespace, folder, address, number):  # pylint: disable=super-init-not-called
            self.name = f"broker-{number}"
            self.address = address
            self.log = folder / f"mosquitto-{address}-{time.monotonic_ns()}.log"
            self._namespace = namespace
            self._config = self.log.with_suffix(".conf")
            self._process = None
            self._read = 0
            self._config.write_text(f"listener {PORT} {address}\nallow_anonymous true\npersistence false\n"
                                    "log_dest stderr\nlog_type all\nset_tcp_nodelay true\n")

    def __init__(self, race, addresses):
        self.all = [self.One(race.brokers, race.folder, address, n) for n, address in enumerate(addresses, 1)]
        for broker in self.all:
            broker.start()

    def arrivals(self):
        """Client ID -> brokers that it came to since the last call, in the brokers' order."""
        found = {}
        for broker in self.all:
            for arrival in broker.new_arrivals():
                found.setdefault(arrival.client_id, []).append(broker)
        return found

    def end(self):
        for broker in self.all:
            if broker.running():
                broker.stop()
