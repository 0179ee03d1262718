"""Sluice between real clients and real brokers on one machine, as a context manager.

    clients (10.1.0.2 .. .5) --veth-- [front  sluiced  back] --veth-- brokers (10.2.0.2, .3, ...)
            fd00:1::2 ..                                                      fd00:2::2, ...

Three network namespaces: the clients', Sluice's, the brokers'. Sluice answers on 10.1.0.1:1883 for the pool "brokers"
and on [fd00:1::1]:1883 for the pool "brokers6"; both pools are the same mosquittos, over IPv4 and IPv6. Whatever happens,
nothing of it stays on the machine (see ledger.py), except with keep(). A lab with the option `wire` has a fourth
namespace, in which a bad wire (wire.cc) passes the frames between front and clients, another between back and brokers.
"""

import contextlib
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

from ledger import Installation, end, identity
from netns import Namespace
from wire import Wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build")).resolve()

FRONT = "10.1.0.1"
FRONT6 = "fd00:1::1"
CLIENTS = [f"10.1.0.{n}" for n in range(2, 6)]
CLIENTS6 = [f"fd00:1::{n}" for n in range(2, 6)]
SOURCES = ["10.2.0.10-10.2.0.13"]
SOURCES6 = ["fd00:2::10", "fd00:2::11", "fd00:2::12", "fd00:2::13"]
HEALTH = {"type": "tcp", "interval": "1s", "timeout": "500ms", "rise": 1, "fall": 2}

_ARRIVAL = re.compile(r"New client connected from (\S+):(\d+) as (.*) \(p\d")


def wait_for(what, condition, timeout=20.0):
    """Polls until `condition()` is true in the boolean sense, and returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(0.05)


def ask(path, command):
    """One command on the admin socket at `path`, and its answer."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        sock.sendall(command.encode() + b"\n")
        with sock.makefile("rb") as lines:
            return json.loads(lines.readline())


def end_on_signals():
    """SIGINT, SIGTERM and SIGHUP end the program through its context managers. Only the first one counts: a second
    would cut the tidying up short."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupted(number, _frame):
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    for number in numbers:
        signal.signal(number, interrupted)


def toml(value):
    """A TOML literal: JSON's are the same for what configurations need."""
    return json.dumps(value)


def table(header, values):
    """A key whose value is None is left out."""
    return "\n".join([header, *(f"{key} = {toml(value)}" for key, value in values.items() if value is not None), ""])


class Arrival:
    """A client that a broker let in, and the address and port that it saw."""

    def __init__(self, broker, match):
        self.broker = broker
        self.address = match[1]
        self.port = int(match[2])
        self.client_id = match[3]


class Broker:
    """One mosquitto. Its log is where the truth about placement is read."""

    def __init__(self, namespace, folder, number):
        self.name = f"broker-{number}"
        self.address = f"10.2.0.{number + 1}"
        self.address6 = f"fd00:2::{number + 1}"
        self.log = folder / f"{self.name}.log"
        self._namespace = namespace
        self._config = folder / f"{self.name}.conf"
        self._process = None
        self._read = 0
        namespace.ip("address", "add", f"{self.address}/24", "dev", "eth0")
        namespace.ip("address", "add", f"{self.address6}/64", "dev", "eth0", "nodad")
        self._config.write_text(
            f"listener 1883 {self.address}\nlistener 1883 {self.address6}\nallow_anonymous true\n"
            "persistence false\nlog_dest stderr\nlog_type all\nset_tcp_nodelay true\n")

    def demand_password(self, username, password):
        """Before start(): only this user is let in."""
        self.know_password(username, password)
        self._config.write_text(self._config.read_text().replace("allow_anonymous true", "allow_anonymous false"))

    def know_password(self, username, password):
        """Before start(): of those who name a user only this one is let in."""
        passwords = self._config.with_suffix(".passwords")
        subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, username, password], check=True)
        passwords.chmod(0o644)  # mosquitto reads it as somebody else
        with open(self._config, "a", encoding="utf-8") as config:
            config.write(f"password_file {passwords}\n")

    def start(self):
        self._process = self._namespace.start(["mosquitto", "-c", self._config], self.log)
        wait_for(f"{self.name} to listen", lambda: self.running() and self._listening())

    def stop(self):
        """Ends the mosquitto, by its id; its clients are cut off."""
        end([p for p in [identity(self._process.pid)] if p])
        self._process.wait()

    def running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self):
        return self._process.pid

    def new_arrivals(self):
        """Who came since the last call."""
        with open(self.log, "rb") as log:
            log.seek(self._read)
            fresh = log.read()
        fresh = fresh[:fresh.rfind(b"\n") + 1]
        self._read += len(fresh)
        matches = map(_ARRIVAL.search, fresh.decode(errors="replace").splitlines())
        return [Arrival(self.name, match) for match in matches if match]

    def said(self, words):
        return words in self.log.read_text(errors="replace")

    def _listening(self):
        with contextlib.suppress(OSError), self._namespace.connect(self.address, timeout=1):
            return True
        return False


class Lab(Installation):
    """Options: `brokers`, how many mosquittos; `workers`; `pools` and `pool` (of the pool "brokers" only), `listener`,
    `runtime`, `admin` and `health`, keys that the configuration gets besides or instead of the lab's own; `ports`, the
    same for each port by its name; `routes`, the keys of each; `tap` gives front a device without a kernel behind it;
    `start_brokers=False` leaves their addresses to the test; `start_sluiced=False` leaves starting it to the test;
    `wire`, the options of bad wires on both sides, such as {"loss": 2, "reorder": 5, "seed": 1}: percent each way;
    "delay" is the clients' side's only, in milliseconds each way."""

    def __init__(self, brokers=3, workers=1, pools=None, pool=None, listener=None, runtime=None, health=None,
                 admin=None, ports=None, routes=(), tap=False, start_brokers=True, start_sluiced=True, wire=None):
        self._options = {"pools": pools or {}, "pool": pool or {}, "listener": listener or {},
                         "health": health or HEALTH, "admin": admin or {}, "ports": ports or {},
                         "runtime": {"workers": workers, "max_connections": 10000, "shutdown_timeout": "1s",
                                     **(runtime or {})}}
        self._routes = routes
        self._tap = tap
        self._broker_count = brokers
        self._start_brokers = start_brokers
        self._start_sluiced = start_sluiced
        self._wire = wire
        self._arrivals = []
        self.wires = []
        self.sluiced = None

    # What is there

    def config(self, brokers=None, backend=None, **more):
        """`brokers`: those of the pool "brokers", all unless given; `backend`: keys of theirs, by name; `more`: further
        options, as the lab was made with."""
        options = {key: {**value, **more.get(key, {})} for key, value in self._options.items()}
        of_pool = {"brokers": self.brokers if brokers is None else brokers, "brokers6": self.brokers}
        device = {"device": "net_tap0,iface=tap0"} if self._tap else {"interface": "front"}
        parts = [
            table("[runtime]", options["runtime"]),
            table("[[port]]", {"name": "front", **device, "addresses": [f"{FRONT}/24", f"{FRONT6}/64"],
                               **options["ports"].get("front", {})}),
            table("[[port]]", {"name": "back", "interface": "back", "addresses": ["10.2.0.1/24", "fd00:2::1/64"],
                               **options["ports"].get("back", {})}),
            table("[admin]", {"socket": str(self.socket), "log": "info", **options["admin"]}),
        ]
        parts += [table("[[route]]", route) for route in self._routes]
        for listener, address, pool in (("mqtt", f"{FRONT}:1883", "brokers"), ("mqtt6", f"[{FRONT6}]:1883", "brokers6")):
            parts.append(table("[[listener]]", {"name": listener, "address": address, "pool": pool,
                                                **options["listener"]}))
        for pool, name, sources, address in (
                ("brokers", "{}", SOURCES, lambda b: f"{b.address}:1883"),
                ("brokers6", "{}-v6", SOURCES6, lambda b: f"[{b.address6}]:1883")):
            keys = {"name": pool, "source_addresses": sources, "slow_start": "0s", **options["pools"]}
            parts.append(table("[[pool]]", {**keys, **(options["pool"] if pool == "brokers" else {})}))
            parts.append(table("[pool.health]", options["health"]))
            parts += [table("[[pool.backend]]", {"name": name.format(b.name), "address": address(b),
                                                 **(backend or {}).get(name.format(b.name), {})})
                      for b in of_pool[pool]]
        return "\n".join(parts)

    def broker(self, name):
        return next(b for b in self.brokers if b.name == name)

    # Sluice

    def start_sluiced(self, **more):
        """Starts it and waits until it answers and every broker is up. `more`: as of config()."""
        if not (BUILD / "sluiced").exists():
            raise RuntimeError(f"there is no {BUILD / 'sluiced'}: tools/build makes it")
        self.config_file.write_text(self.config(**more))
        self.sluiced = self.sluice_side.start([BUILD / "sluiced", "--config", self.config_file],
                                              self.folder / "sluiced.log")
        wait_for("sluiced to be ready", self._ready, 30)
        if self._tap:
            self._join_tap()

    def admin(self, command):
        """One command on the admin socket, and its answer."""
        return ask(self.socket, command)

    def ctl(self, *words, check=True):
        """sluicectl, as an operator runs it."""
        done = subprocess.run([BUILD / "sluicectl", "--socket", self.socket, *words], capture_output=True, text=True,
                              timeout=20, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"sluicectl {words} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def reload(self, text):
        """The configuration becomes this text; the daemon's report of what has changed."""
        self.config_file.write_text(text)
        answer = self.admin("reload")
        if "error" in answer:
            raise RuntimeError(f"reload: {answer}")
        return answer["reload"]

    def counter(self, name):
        return next(c["value"] for c in self.admin("show counters all")["counters"] if c["name"] == name)

    def explain(self, client_id, listener="mqtt"):
        """The name of the backend that a client of the listener would be given."""
        return self.admin(f"explain {client_id} listener={listener}")["backend"]

    def client_ids_at(self, broker, word, listener="mqtt"):
        """Client IDs that begin with the word and lead to that broker, one after the other."""
        backend = broker.name if listener == "mqtt" else f"{broker.name}-v6"
        ids = (f"{word}-{n}" for n in itertools.count(1))
        return (client_id for client_id in ids if self.explain(client_id, listener) == backend)

    def backend_states(self):
        """Name -> state, of both pools."""
        return {b["name"]: b["state"] for b in self.admin("show backends")["backends"]}

    # Placement

    def arrivals(self, client_id=None):
        """Who came to which broker, in the order in which the calls of this function found out."""
        for broker in self.brokers:
            if broker.log.exists():
                self._arrivals += broker.new_arrivals()
        return [a for a in self._arrivals if client_id in (None, a.client_id)]

    def wait_arrival(self, client_id, nth=1, timeout=20):
        """The nth time that the client came."""
        return wait_for(f"client {client_id} at a broker",
                        lambda: (self.arrivals(client_id) + [None] * nth)[nth - 1], timeout)

    # Making it

    def _build(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-lab-"))
        self._ledger.add("folders", str(self.folder))
        self.folder.chmod(0o755)  # mosquitto gives up root and reads its configuration as somebody else
        self.socket = self.folder / "admin.sock"
        self.config_file = self.folder / "sluice.toml"
        prefix = f"sluice-{self._ledger.name}"
        self.clients = Namespace(self._ledger, f"{prefix}-clients")
        self.sluice_side = Namespace(self._ledger, f"{prefix}-sluice")
        self.broker_side = Namespace(self._ledger, f"{prefix}-brokers")
        # Sluice's interfaces carry no address of the kernel's, not even a link-local one, nor do the wires'.
        without_addresses = [self.sluice_side]
        if self._wire is not None:
            self.wire_side = Namespace(self._ledger, f"{prefix}-wire")
            without_addresses.append(self.wire_side)
        for namespace in without_addresses:
            namespace.sysctl(net__ipv6__conf__all__disable_ipv6=1, net__ipv6__conf__default__disable_ipv6=1)
        self._cable("front", self.clients)
        self._cable("back", self.broker_side)
        for address in CLIENTS:
            self.clients.ip("address", "add", f"{address}/24", "dev", "eth0")
        for address in CLIENTS6:
            self.clients.ip("address", "add", f"{address}/64", "dev", "eth0", "nodad")
        self.brokers = [Broker(self.broker_side, self.folder, n + 1) for n in range(self._broker_count)]
        if self._start_brokers:
            for broker in self.brokers:
                broker.start()
        if self._start_sluiced:
            self.start_sluiced()

    def _cable(self, port, peer):
        """Our end is `port`, theirs is eth0; a bad wire in between has an end of its own for each."""
        peer.sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        if self._wire is None:
            self.sluice_side.cable(port, peer, "eth0")
        else:
            ends = (port, f"{port}-far")
            self.sluice_side.cable(port, self.wire_side, ends[0])
            self.wire_side.cable(ends[1], peer, "eth0")
            for end_of_wire in ends:
                self.wire_side.switch_offloads_off(end_of_wire)
            options = {"seed": 1, **self._wire}
            options["seed"] += len(self.wires)
            if port != "front":
                options.pop("delay", None)
            self.wires.append(Wire(self.wire_side, BUILD / "tests/system/wire", self.folder / f"wire-{port}.log", ends,
                                   **options))
        peer.switch_offloads_off("eth0")
        # A veth's lro is fixed.
        self.sluice_side.run(["ethtool", "-K", port, "gro", "off", "lro", "off"], check=False)

    def _join_tap(self):
        """Frames go from one device to the other as they are: a kernel between them would mend fragments."""
        self.sluice_side.ip("link", "set", "tap0", "up")
        ways = [f"chain from_{a} {{ type filter hook ingress device \"{a}\" priority 0; fwd to \"{b}\"; }}\n"
                for a, b in (("front", "tap0"), ("tap0", "front"))]
        self.sluice_side.run(["nft", "-f", "-"], input=f"table netdev tap {{\n{''.join(ways)}}}\n")

    def _ready(self):
        if self.sluiced.poll() is not None:
            raise RuntimeError(f"sluiced ended with {self.sluiced.returncode}\n{self.diagnostics()}")
        with contextlib.suppress(OSError, ValueError):
            states = self.backend_states()
            return states and (not self._start_brokers or set(states.values()) == {"up"})
        return False
