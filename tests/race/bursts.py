"""Who comes at the same moment: clients, all at once, and SYNs of nobody before clients that are somebody."""

import contextlib
import time

from ledger import end, identity
from load import Clients, PORT, Trouble
from steps import Up
from topology import LOAD_CPUS, pinned


def burst(race, peer):
    """So many clients connect at the same moment. What is lost then costs its client a second."""
    out = {}
    with Up(race, peer):
        Clients(race, peer, ["connect", "-n", 50, "-q"]).results(30)
        for clients in race.scale.bursts:
            if clients > peer.most_connections():
                raise Trouble(f"{clients} connections are more than fit into {race.file_limit} files")
            before = peer.missed()
            report = Clients(race, peer, ["connect", "-n", clients, "-w", clients, "-q"]).results(60)["connects"]
            out |= {f"{name}_{clients}": report["connack_us"][name] / 1000 for name in ("p50", "p99")}
            out[f"failed_{clients}"] = report["failed"]
            after = peer.missed()
            if after is not None:
                out[f"missed_{clients}"] = after - before
    return out


@contextlib.contextmanager
def flooded(race, peer):
    """SYNs from addresses that nobody has, for the body, and a moment before it."""
    interval = race.scale.flood_interval
    pace = ["-i", f"u{interval}"] if interval else ["--flood"]
    log = race.folder / "hping3.log"
    words = ["hping3", "-q", "-S", "-p", PORT, "--rand-source", *pace, peer.place.front]
    flood = race.clients.start(pinned(LOAD_CPUS, words), log)
    try:
        time.sleep(race.scale.flood_before)
        if flood.poll() is not None:
            raise Trouble(f"hping3 ended: {log.read_text(errors='replace')[-200:]}")
        yield
    finally:
        end([p for p in [identity(flood.pid)] if p])
        flood.wait()


def flood(race, peer):
    """Clients that come while the flood lasts: how many are let in, and how soon. The kernel's defence, where it is a
    kernel that answers, are its SYN cookies."""
    peer.answer_everybody()
    race.clients.sysctl(net__ipv4__conf__all__rp_filter=0)
    clients = race.scale.flood_clients
    with Up(race, peer):
        with flooded(race, peer):
            report = Clients(race, peer, ["connect", "-n", clients, "-r", race.scale.flood_arrivals, "-w", clients,
                                          "--connect-timeout", "10s", "-q"]).results(60)["connects"]
    let_in = report["accepted"]
    out = {"clients": clients, "let_in": let_in, "share": let_in / clients}
    if let_in:
        out |= {"p50_ms": report["connack_us"]["p50"] / 1000, "p99_ms": report["connack_us"]["p99"] / 1000}
    return out
