"""A whole fleet without a kernel between: sluice-load's clients, sluiced, sluice-load's brokers, three processes that
are joined by DPDK's memif ports (shared memory). No namespace is needed, and a million connections fit on two cores.

    sluice-load CLIENTS --memif-- [front  sluiced  back] --memif-- sluice-load broker (six addresses)
"""

import contextlib
import ipaddress
import json
import math
import pathlib
import subprocess
import tempfile

from lab import BUILD, ask, table, wait_for
from ledger import Installation
from processes import cpu_seconds, resident_bytes

TARGET = "10.1.0.1:1883"
EACH = 50_000  # connections of one source address to one target: there are 64,512 ports
BROKERS = [f"10.2.0.{n}" for n in range(2, 8)]
RING = 13  # memif's rings have 2^13 slots: two cores let one of three processes wait for milliseconds


def addresses(first, connections):
    """A range from `first` on that is enough for so many connections to each target; at least 24."""
    first = ipaddress.ip_address(first)
    return f"{first}-{first + max(24, math.ceil(connections / EACH)) - 1}"


def own_bytes(process):
    """What it has of memory to itself now: not the rings that it shares with the other two."""
    return resident_bytes(process.pid, which="RssAnon")


class StoryLab(Installation):
    """Options: `clients`, how many there will be; `brokers`, further words for the brokers' command line."""

    def __init__(self, clients, brokers=()):
        self._clients = clients
        self._addresses = addresses("10.1.1.1", clients)
        self._sources = addresses("10.2.1.1", clients / len(BROKERS))
        self._more = list(brokers)

    def _build(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-story-"))
        self._ledger.add("folders", str(self.folder))
        self.socket = self.folder / "admin.sock"
        config = self.folder / "sluice.toml"
        config.write_text(self._config())
        self.sluiced = self._start([BUILD / "sluiced", "--config", config], "sluiced")
        wait_for("sluiced to answer", self._answers, 30)
        self.empty_bytes = own_bytes(self.sluiced)
        listen = [word for address in BROKERS for word in ("--listen", f"{address}:1883")]
        self.broker_results = self.folder / "broker.json"
        # Who comes again at once finds his last connection in TIME-WAIT.
        room = self._clients + self._clients // 4 + 10_000
        self.broker = self._start([BUILD / "sluice-load", "broker", *listen, "-n", room, "--prefix", 16,
                                   "--device", self._memif("back", "client"), "--json", self.broker_results, *self._more],
                                  "broker")
        wait_for("all brokers to be up", self._all_up, 30)

    def _memif(self, name, role):
        return f"net_memif{name == 'back':d},role={role},id=0,socket={self.folder}/{name}.sock,socket-abstract=no,rsize={RING}"

    def _config(self):
        parts = [table("[runtime]", {"workers": 1, "max_connections": self._clients + 10_000, "shutdown_timeout": "1s"}),
                 table("[admin]", {"socket": str(self.socket)})]
        for name, network in (("front", "10.1.0.1/16"), ("back", "10.2.0.1/16")):
            parts.append(table("[[port]]", {"name": name, "device": self._memif(name, "server"), "addresses": [network]}))
        parts.append(table("[[listener]]", {"name": "mqtt", "address": TARGET, "pool": "brokers"}))
        parts.append(table("[[pool]]", {"name": "brokers", "source_addresses": [self._sources], "slow_start": "0s"}))
        parts.append(table("[pool.health]", {"type": "tcp"}))
        parts += [table("[[pool.backend]]", {"name": f"broker-{n}", "address": f"{address}:1883"})
                  for n, address in enumerate(BROKERS, 1)]
        return "\n".join(parts)

    def _start(self, words, name):
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True)
        self._ledger.add("processes", process.pid)
        return process

    def admin(self, command):
        return ask(self.socket, command)

    def _answers(self):
        with contextlib.suppress(OSError, ValueError):
            return self.admin("show info")

    def _all_up(self):
        return all(b["state"] == "up" and b["health"]["successes"] for b in self.admin("show backends")["backends"])

    def run(self, *words, timeout):
        """sluice-load's clients, to the end; their results, with what sluiced took at its largest."""
        results = self.folder / "clients.json"
        process = self._start([BUILD / "sluice-load", *words, "-t", TARGET, "-s", self._addresses, "--prefix", 16, "--device",
                               self._memif("front", "client"), "--json", results], "clients")
        peak = {"connections": 0, "spliced": 0, "resident_bytes": 0}

        def over():
            info = self.admin("show info")["info"]
            if info["connections"] >= peak["connections"]:
                peak.update(connections=info["connections"], spliced=info["spliced"],
                            used_bytes_per_connection=info["used_bytes_per_connection"],
                            resident_bytes=own_bytes(self.sluiced))
            return process.poll() is not None

        wait_for("the clients to end", over, timeout)
        if process.returncode != 0:
            raise RuntimeError(f"sluice-load ended with {process.returncode}\n{self.diagnostics()}")
        report = json.loads(results.read_text())
        peak["drops"] = {c["name"]: c["value"] for c in self.admin("show counters")["counters"]
                         if c["name"].startswith("drop_") and c["value"]}
        report["sluiced"] = {**peak, "resident_bytes_per_connection": (peak["resident_bytes"] - self.empty_bytes) /
                             max(1, peak["connections"]), "cpu_seconds": cpu_seconds(self.sluiced.pid)}
        return report

    def end_broker(self):
        """Ends the brokers; their results."""
        self.broker.terminate()
        self.broker.wait(20)
        return json.loads(self.broker_results.read_text())
