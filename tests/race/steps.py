"""What is measured of each peer in each round. A step returns numbers by name; a Trouble becomes a note."""

import time

from lab import wait_for
from load import Brokers, Clients, Trouble
from measuring import Usage, memory_bytes, slab_bytes, tcp_sockets
from topology import BALANCER_CPU


class Up:
    """A peer that runs before brokers, for the body. Each step begins with a fresh one."""

    def __init__(self, race, peer, brokers=3, apart=False):
        self._race, self._peer = race, peer
        self._addresses = peer.place.brokers[:brokers]
        self._apart = apart
        self.reports = []

    def __enter__(self):
        self._brokers = Brokers(self._race, self._addresses, self._apart)
        try:
            self._peer.start(self._addresses)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_):
        self._close()

    def _close(self):
        self._peer.stop()
        self.reports = self._brokers.end()


def run(race, peer, *words, seconds):
    """A run of clients to its end, and what was used meanwhile."""
    usage = Usage(peer, BALANCER_CPU)
    report = Clients(race, peer, [*words, "-q"]).results(seconds + 30)
    used = usage.end()
    if report["protocol_errors"]:
        raise Trouble(report["last_protocol_error"])
    return report, used


def _publish(race, peer, clients, rate, seconds):
    report, used = run(race, peer, "publish", "-n", clients, "-m", rate, "-Q", 1, "-d", f"{seconds}s",
                       "--patience", "2s", seconds=seconds)
    messages = report["messages"]
    if not messages["acknowledged"]:
        raise Trouble("no message was answered")
    if report["connects"]["failed"] or report["connects"]["lost"]:
        raise Trouble(f"{report['connects']['failed']} connects failed, {report['connects']['lost']} were lost")
    return messages, used


def _per_message(messages, used):
    """CPU time by whose it is, in microseconds a message."""
    count = messages["acknowledged"]
    out = {f"{what}_us": used[what] / count * 1e6 for what in ("process", "core", "machine")}
    for what in ("process", "core"):
        if used[what] > 0:
            out[f"per_{what}_second"] = count / used[what]
    return out


def _latency(messages):
    return {name: messages["answer_us"][name] for name in ("mean", "p50", "p99", "p99_9")}


def flat_out(race, peer):
    """200 clients, QoS 1, each publishes its next message when the last is answered."""
    with Up(race, peer):
        messages, used = _publish(race, peer, 200, 0, race.scale.seconds)
    return {"messages": messages["per_second"], **_per_message(messages, used), **_latency(messages)}


def steady(race, peer):
    """The same clients, messages at a fixed rate that everybody carries."""
    with Up(race, peer):
        messages, used = _publish(race, peer, 200, race.scale.steady_rate, race.scale.seconds)
    return {"messages": messages["per_second"], **_per_message(messages, used), **_latency(messages)}


def light(race, peer):
    """1,000 messages a second of 50 clients."""
    with Up(race, peer):
        messages, _ = _publish(race, peer, 50, 1000, race.scale.seconds)
    return _latency(messages)


def churn(race, peer):
    """200 clients leave and come again, flat out."""
    with Up(race, peer):
        report, used = run(race, peer, "churn", "-n", 200, "--churn-rate", 0, "-w", 200, "-d",
                           f"{race.scale.seconds}s", "--patience", "2s", seconds=race.scale.seconds)
    cycles = report["churn"]["cycles"]
    if not cycles:
        raise Trouble("nobody came again")
    return {"connects": report["churn"]["per_second"], "failed": report["connects"]["failed"],
            "connack_p99_us": report["connects"]["connack_us"]["p99"],
            **{f"{what}_us": used[what] / cycles * 1e6 for what in ("process", "core", "machine")}}


def memory(race, peer):
    """Growth while so many connections are held, of the process and of the kernel's objects for sockets. A warm-up
    before has used what is needed once."""
    out = {}
    with Up(race, peer):
        run(race, peer, "publish", "-n", 200, "-m", 0, "-d", "1s", "--patience", "2s", seconds=1)
        idle = memory_bytes(peer.family)
        out["idle_mib"] = idle / 2**20
        for clients in race.scale.held:
            if clients > peer.most_connections():
                raise Trouble(f"{clients} connections are more than fit into {race.file_limit} files")
            out |= {f"{what}_{clients}": value for what, value in _held(race, peer, clients, idle).items()}
    return out


def _held(race, peer, clients, idle):
    """`idle`: memory of the process before anybody came; what it keeps for later counts each time."""
    settle(lambda: tcp_sockets(race.clients) <= 1 and tcp_sockets(peer.namespace) < 100)
    before = (slab_bytes(), tcp_sockets(peer.namespace))
    swarm = Clients(race, peer, ["hold", "-n", clients, "-r", race.scale.arrivals, "-d", "10m", "-k", "0s"])
    try:
        wait_for(f"{clients} to be held", lambda: swarm.connected() == clients or not swarm.running(), 40)
        # What was let go right after the connects goes back to the kernel in the meantime.
        time.sleep(1)
        user, slabs, sockets = memory_bytes(peer.family), slab_bytes(), tcp_sockets(peer.namespace)
        if swarm.connected() != clients:
            raise Trouble(f"{swarm.connected()} of {clients} were held")
    except TimeoutError as error:
        raise Trouble(f"{swarm.connected()} of {clients} were in after 40 s") from error
    finally:
        swarm.end()
        swarm.results(40)
    return {"user": (user - idle) / clients, "slabs": (slabs - before[0]) / clients,
            "sockets": (sockets - before[1]) / clients}


def settle(done, seconds=5):
    """Waits until the last step's leavings are gone, but not for ever: they only blur what comes."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)
