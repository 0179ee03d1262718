#!/usr/bin/python3
"""Races Sluice, HAProxy, nginx and no balancer at all on this machine: race.py [options]

Started by tools/race. Writes race.md, race.json and charts (*.svg) into a folder. A step that fails becomes a note.
"""

import argparse
import os
import pathlib
import platform
import resource
import sys
import time

import topology  # also makes the lab's modules known
import bursts
import faults
import peers
import steps
from lab import BUILD, ROOT, end_on_signals
from document import document
from load import Trouble
from results import Results


class Scale:
    """How much is done. `smoke` is for seeing that everything works."""

    def __init__(self, smoke=False, seconds=4, rounds=3):
        self.rounds = 1 if smoke else rounds
        self.seconds = 1 if smoke else seconds
        self.steady_rate = 1000 if smoke else 10_000
        self.held = [200] if smoke else [5000, 9900]
        self.arrivals = 1000 if smoke else 4000
        self.fleet = 60 if smoke else 2000
        self.reload_pause = 0.2 if smoke else 1
        self.storm = 200 if smoke else 9900
        self.storm_arrivals = 1000 if smoke else 6000
        self.bursts = [100] if smoke else [2000, 5000]
        self.flood_interval = 1000 if smoke else 0  # us from SYN to SYN; 0: as fast as it goes
        self.flood_before = 0.2 if smoke else 5
        self.flood_clients = 20 if smoke else 400
        self.flood_arrivals = 100 if smoke else 40
        self.large_storm = 0 if smoke else 100_000


class Race:
    """One run: what the steps need, and the clock that ends it."""

    def __init__(self, place, scale, minutes, results):
        self.scale = scale
        self.folder, self.ledger = place.folder, place.ledger
        self.clients, self.brokers = place.clients, place.brokers
        self.file_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.peers = {name: peers.ALL[name](self, at) for name, at in place.places.items()}
        self.results = results
        self._deadline = time.monotonic() + minutes * 60

    def step(self, name, function, peer, *more):
        """Once, with its numbers or its trouble in the results."""
        began = time.monotonic()
        if began > self._deadline:
            self.results.note(name, peer.name, "not run: the time was over")
            return
        try:
            self.results.add(name, peer.name, function(self, peer, *more))
            word = "ok"
        except KeyboardInterrupt:
            raise
        except Exception as error:  # pylint: disable=broad-except
            word = str(error) if isinstance(error, (Trouble, TimeoutError)) else repr(error)
            self.results.note(name, peer.name, word)
        print(f"  {name:<14}{peer.name:<14}{time.monotonic() - began:6.1f} s  {word}", flush=True)

    def run(self, wanted):
        repeated = {"flat_out": steps.flat_out, "steady": steps.steady, "light": steps.light, "churn": steps.churn,
                    "memory": steps.memory, "burst": bursts.burst}
        once = {"reload": faults.reload, "broker_death": faults.broker_death, "restart": faults.restart,
                "flood": bursts.flood}
        for number in range(self.scale.rounds):
            print(f"round {number + 1} of {self.scale.rounds}", flush=True)
            for name in [name for name in repeated if name in wanted]:
                # Who is first changes from round to round.
                racers = self._racers(name)
                shift = number % len(racers) if racers else 0
                for peer in racers[shift:] + racers[:shift]:
                    self.step(name, repeated[name], peer)
        print("once", flush=True)
        for name in [name for name in once if name in wanted]:
            for peer in self._racers(name):
                if peer.name != "direct":
                    self.step(name, once[name], peer)
        if "storm" in wanted:
            self._storms([peer for peer in self._racers("storm") if peer.name != "direct"])

    def _racers(self, step):
        """Who takes part in a step: variants of a balancer only where they are another thing."""
        return [peer for peer in self.peers.values() if step in (peer.only or [step])]

    def _storms(self, balancers):
        for peer in balancers:
            self.step("storm", faults.storm, peer, self.scale.storm)
        for peer in balancers if self.scale.large_storm else []:
            self.step("large_storm", faults.storm, peer, self.scale.large_storm, topology.BROKERS, topology.BROKERS)


STEPS = ["flat_out", "steady", "light", "churn", "memory", "burst", "reload", "broker_death", "restart", "flood",
         "storm"]


def about(race):
    """The machine, versions and configurations."""
    model = next((line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = next(int(line.split()[1]) for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                  if line.startswith("MemTotal"))
    return {"when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "cpu": model, "cpus": os.cpu_count(),
            "memory_gib": round(memory / 2**20, 1), "kernel": platform.release(), "files": race.file_limit,
            "load_before": os.getloadavg()[0], "balancer_cpu": topology.BALANCER_CPU, "load_cpus": topology.LOAD_CPUS,
            "tuning": topology.TUNING, "scale": vars(race.scale),
            "peers": {p.name: {"title": p.title, "version": p.version(), "remark": p.remark}
                      for p in race.peers.values()}}


def main():
    parser = argparse.ArgumentParser(description="Races Sluice, HAProxy, nginx and no balancer on this machine.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each peer is measured (3)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a measurement (4)")
    parser.add_argument("--minutes", type=float, default=14, help="after so many no further step begins (14)")
    parser.add_argument("--peers", default=",".join(peers.ALL),
                        help="who takes part, separated by commas")
    parser.add_argument("--steps", default=",".join(STEPS), help=f"of {', '.join(STEPS)}")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/race", help="folder for the results")
    parser.add_argument("--document", action="store_true", help="put the results into doc/performance.md as well")
    parser.add_argument("--smoke", action="store_true", help="as little as possible of everything")
    arguments = parser.parse_args()
    names, wanted = arguments.peers.split(","), arguments.steps.split(",")
    for name in [*(set(names) - set(peers.ALL)), *(set(wanted) - set(STEPS))]:
        parser.error(f"there is no {name}")
    if os.geteuid() != 0:
        sys.exit("The race makes network namespaces, so it needs root.")
    for program in ("sluiced", "sluice-load"):
        if not (BUILD / program).exists():
            sys.exit(f"There is no {BUILD / program}: tools/race builds it.")
    end_on_signals()
    arguments.out.mkdir(parents=True, exist_ok=True)
    scale = Scale(arguments.smoke, arguments.seconds, arguments.rounds)
    with topology.Topology(names) as place:
        results = Results(arguments.out)
        race = Race(place, scale, arguments.minutes, results)
        results.about = about(race)
        race.run(wanted)
        results.about["load_after"] = os.getloadavg()[0]
        results.configurations = {p.name: p.config_file.read_text() for p in race.peers.values()
                                  if p.config_file.exists()}
        results.write()
    if arguments.document:
        document(results)
    print(f"{arguments.out / 'race.md'}, {arguments.out / 'race.json'}, {arguments.out}/*.svg")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nInterrupted; everything is taken down.")
        sys.exit(130)
