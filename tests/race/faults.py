"""What clients notice when the configuration is loaded anew, a broker dies and returns, the balancer is restarted, and
when everybody comes back at once."""

import time

from lab import wait_for
from load import Clients, Mosquittos, Trouble
from measuring import memory_bytes
from steps import Up


class Fleet:
    """Clients that stay, and come back when they are cut off; real brokers. Ends with the body."""

    def __init__(self, race, peer, clients):
        self._race, self.peer, self.count = race, peer, clients

    def __enter__(self):
        self.clients = None
        self.brokers = Mosquittos(self._race, self.peer.place.brokers[:3])
        try:
            self.peer.start(self.peer.place.brokers[:3])
            self.clients = Clients(self._race, self.peer, ["hold", "-n", self.count, "-r", self._race.scale.arrivals,
                                                           "-d", "10m", "--come-back", "200ms", "--connect-timeout",
                                                           "5s", "-w", self.count, "-k", "10s"])
            self.await_all()
            self.first = self.brokers.arrivals()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.clients is not None:
            self.clients.kill()
        self.peer.stop()
        self.brokers.end()

    def await_all(self, seconds=30):
        try:
            wait_for("all clients", lambda: self.clients.connected() == self.count, seconds)
        except TimeoutError as error:
            raise Trouble(f"{self.clients.connected()} of {self.count} clients were in after {seconds} s") from error

    def await_return(self, seconds=40):
        """After a blow: until all are in again. The next line of progress may be older than the blow, the one behind it
        is not."""
        enough = len(self.clients.lines()) + 2
        wait_for("news of the clients", lambda: len(self.clients.lines()) >= enough, 10)
        self.await_all(seconds)

    def await_everybody_again(self, seconds=40):
        """Until each client has come to a broker once more since the last look."""
        seen = set()

        def all_seen():
            seen.update(self.brokers.arrivals())
            return len(seen) >= self.count

        try:
            wait_for("everybody to come again", all_seen, seconds)
        except TimeoutError as error:
            raise Trouble(f"{len(seen)} of {self.count} clients had come again after {seconds} s") from error

    def leave(self):
        self.clients.end()
        return self.clients.results(40)

    def homes(self):
        """Client ID -> name of the broker that it came to first."""
        return {client: brokers[0].name for client, brokers in self.first.items()}


def _back_after(report):
    """The longest time in which somebody was missing."""
    return max((outage["seconds"] for outage in report["outages"]), default=0.0)


def reload(race, peer):
    """A reload of an unchanged configuration, three times, while clients stay."""
    with Fleet(race, peer, race.scale.fleet) as fleet:
        before = (len(peer.family), memory_bytes(peer.family) / 2**20)
        for _ in range(3):
            peer.reload()
            time.sleep(race.scale.reload_pause)  # whatever it does to clients shows by then
        after = (len(peer.family), memory_bytes(peer.family) / 2**20)
        report = fleet.leave()
        return {"lost": report["connects"]["lost"], "processes_before": before[0], "processes_after": after[0],
                "memory_before": before[1], "memory_after": after[1]}


def broker_death(race, peer):
    """One of three brokers is killed, and returns; then all clients leave and come again."""
    with Fleet(race, peer, race.scale.fleet) as fleet:
        homes = fleet.homes()
        victim = fleet.brokers.all[0]
        at_victim = sum(home == victim.name for home in homes.values())
        victim.stop()
        fleet.await_return()
        moved = fleet.brokers.arrivals()
        others = sum(homes.get(client) != victim.name for client in moved)
        victim.start()
        _await_broker(peer)
        report = fleet.leave()
        fleet.clients = Clients(race, peer, ["hold", "-n", fleet.count, "-r", race.scale.arrivals, "-d", "10m"])
        fleet.await_all()
        again = fleet.brokers.arrivals()
        at_home = sum(brokers[-1].name == homes.get(client) for client, brokers in again.items())
        back = sum(brokers[-1].name == victim.name == homes.get(client) for client, brokers in again.items())
        return {"of_victim": at_victim, "others_disturbed": others, "lost": report["connects"]["lost"],
                "back_seconds": _back_after(report),
                "at_home_share": at_home / fleet.count, "victims_back_share": back / at_victim if at_victim else 0.0}


def _await_broker(peer):
    known = peer.broker_is_back()
    if known is None:
        time.sleep(3)  # longer than nginx's fail_timeout
        return
    wait_for("the broker to be used again", peer.broker_is_back, 15)


def restart(race, peer):
    """The balancer is ended and started again. Who is not told notices by his next PINGREQ, within ten seconds."""
    with Fleet(race, peer, race.scale.fleet) as fleet:
        began = time.monotonic()
        peer.stop()
        stopped = time.monotonic()
        peer.start(peer.brokers)
        started = time.monotonic()
        fleet.await_everybody_again()
        back = time.monotonic()
        report = fleet.leave()
        return {"lost": report["connects"]["lost"], "stop_seconds": stopped - began,
                "start_seconds": started - stopped, "back_seconds": back - began}


def storm(race, peer, clients, processes=1, brokers=3):
    """All are cut off at once and come back at once. Several processes of clients begin alike, arrive at the same pace
    and so are cut off together."""
    if clients > peer.most_connections():
        raise Trouble(f"{clients} connections are more than fit into {race.file_limit} files of one process")
    each = -(-clients // processes)
    pace = race.scale.storm_arrivals / processes
    with Up(race, peer, brokers=brokers, apart=processes > 1) as up:
        idle = memory_bytes(peer.family)
        swarms = [Clients(race, peer, ["reconnect", "-n", each, "-r", pace, "-w", each, "-d", "2s", "-i", f"storm-{n}-",
                                       "-k", "0s", "--connect-timeout", "60s", "--patience", "60s"])
                  for n in range(processes)]
        reports = [swarm.results(clients / race.scale.storm_arrivals + 120) for swarm in swarms]
        peak = memory_bytes(peer.family, "VmHWM")
    rounds = [report["rounds"][0] for report in reports if report["rounds"]]
    if len(rounds) < processes or not all(r["over"] for r in rounds):
        raise Trouble("not all came back")
    addresses = [row for report in up.reports for row in report["addresses"]]
    return {"clients": each * processes, "back_seconds": max(r["after"] + r["seconds"] for r in rounds) -
            min(r["after"] for r in rounds), "cut_apart_seconds": max(r["after"] for r in rounds) -
            min(r["after"] for r in rounds), "failed": sum(r["connects"]["failed"] for r in reports),
            "peak_bytes": (peak - idle) / (each * processes),
            "broker_peak": max(row["fastest_per_second"] for row in addresses)}
