"""Where the race is run: clients, the peers' places and brokers, each in a network namespace, joined by veth pairs.

    clients --10.1K.0.0/16-- [front  peer K  back] --10.2K.0.0/16-- brokers

Every peer has a namespace and cables of its own, so that nothing of one is ever in the way of another, and so that the
kernel counts its sockets apart. What runs on which CPU is fixed: the last CPU is the balancer's, programs and
interrupts of its cables; the others belong to clients and brokers. Without that the kernel would do the balancer's
receiving on the CPU of whoever sends, and nobody could say what a balancer costs.
"""

import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from ledger import Installation  # noqa: E402
from netns import Namespace  # noqa: E402

CLIENT_ADDRESSES = 64
BROKERS = 6
BALANCER_CPU = os.cpu_count() - 1
LOAD_CPUS = f"0-{BALANCER_CPU - 1}" if BALANCER_CPU > 1 else "0"

# What a proxy with many connections needs of its kernel; all get the same.
TUNING = {
    "net.core.somaxconn": 65535,
    "net.ipv4.tcp_max_syn_backlog": 65535,
    "net.ipv4.ip_local_port_range": "1024 65535",
    "net.ipv4.tcp_tw_reuse": 1,
}


def mask(cpus):
    """A list of CPUs as the kernel's files want it: "0-2" is 7."""
    first, _, last = cpus.partition("-")
    return f"{sum(1 << n for n in range(int(first), int(last or first) + 1)):x}"


class Place:
    """A peer's namespace, and the addresses around it."""

    def __init__(self, race, number, name):
        self.number = number
        self.front = f"10.1{number}.0.1"
        self.back = f"10.2{number}.0.1"
        self.clients = [f"10.1{number}.1.{n}" for n in range(1, CLIENT_ADDRESSES + 1)]
        self.sources = f"10.2{number}.1.1-10.2{number}.1.24"
        self.brokers = [f"10.2{number}.0.{n + 2}" for n in range(BROKERS)]
        self.namespace = Namespace(race.ledger, f"sluice-{race.ledger.name}-{name}")
        self._race = race

    @property
    def client_range(self):
        return f"{self.clients[0]}-{self.clients[-1]}"

    def connect(self, kernel):
        """`kernel`: whether this place's own TCP/IP stack answers. Without one, a veth must pass on nothing unfinished:
        no checksum that is still to be filled in, no merged segments."""
        ends = (("front", self._race.clients, f"c{self.number}", self.clients, LOAD_CPUS),
                ("back", self._race.brokers, f"b{self.number}", self.brokers, LOAD_CPUS))
        if not kernel:
            self.namespace.sysctl(net__ipv6__conf__all__disable_ipv6=1, net__ipv6__conf__default__disable_ipv6=1)
        for device, peer, far, addresses, cpus in ends:
            self.namespace.cable(device, peer, far)
            batch = "".join(f"address add {address}/16 dev {far}\n" for address in addresses)
            peer.run(["ip", "-batch", "-"], input=batch)
            steer(self.namespace, device, str(BALANCER_CPU))
            steer(peer, far, cpus)
            if not kernel:
                peer.switch_offloads_off(far)
                self.namespace.run(["ethtool", "-K", device, "gro", "off", "lro", "off"], check=False)
        if kernel:
            self.namespace.ip("address", "add", f"{self.front}/16", "dev", "front")
            self.namespace.ip("address", "add", f"{self.back}/16", "dev", "back")
            tune(self.namespace)

    def route_through(self):
        """The kernel of this place forwards packets between the two sides: what there is without a balancer."""
        self.namespace.sysctl(net__ipv4__ip_forward=1)
        self._race.clients.ip("route", "add", f"10.2{self.number}.0.0/16", "via", self.front)
        self._race.brokers.ip("route", "add", f"10.1{self.number}.0.0/16", "via", self.back)


def steer(namespace, device, cpus):
    """What arrives at the device is received on these CPUs (Receive Packet Steering)."""
    namespace.run(["sh", "-c", f"echo {mask(cpus)} > /sys/class/net/{device}/queues/rx-0/rps_cpus"])


def tune(namespace):
    namespace.run(["sysctl", "-qw", *(f"{name}={value}" for name, value in TUNING.items())])


def pinned(cpus, words):
    return ["taskset", "-c", str(cpus), *words]


class Topology(Installation):
    """Nothing of it stays on the machine, whatever happens. `names`: of the peers; each gets a place."""

    def __init__(self, names):
        self._names = names

    def _build(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-race-"))
        self.ledger.add("folders", str(self.folder))
        self.folder.chmod(0o755)  # mosquitto reads its configuration as somebody else
        self.clients = Namespace(self.ledger, f"sluice-{self.ledger.name}-clients")
        self.brokers = Namespace(self.ledger, f"sluice-{self.ledger.name}-brokers")
        tune(self.clients)
        tune(self.brokers)
        self.places = {name: Place(self, number, name) for number, name in enumerate(self._names, 1)}
