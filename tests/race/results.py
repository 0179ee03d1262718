"""The figures of a race as they come in, and the files that are made of them."""

import json
import statistics

import charts
import page


class Results:
    def __init__(self, out):
        self.out = out
        self.about = {}
        self.configurations = {}
        self.notes = []    # {step, peer, text}
        self._rounds = {}  # step -> peer -> [numbers of each round]

    @classmethod
    def read(cls, data, out):
        """What write() wrote as JSON."""
        results = cls(out)
        results.about, results.notes, results._rounds = data["about"], data["notes"], data["rounds"]
        results.configurations = data["configurations"]
        return results

    def add(self, step, peer, numbers):
        self._rounds.setdefault(step, {}).setdefault(peer, []).append(numbers)

    def note(self, step, peer, text):
        self.notes.append({"step": step, "peer": peer, "text": text})

    def peers(self, step):
        """Those that have figures in a step, in the order of the race."""
        return [peer for peer in self.about["peers"] if self._rounds.get(step, {}).get(peer)]

    def values(self, step, peer, key):
        """Of each round that has one."""
        return [numbers[key] for numbers in self._rounds.get(step, {}).get(peer, []) if key in numbers]

    def median(self, step, peer, key):
        """None where there is no figure."""
        values = self.values(step, peer, key)
        return statistics.median(values) if values else None

    def added(self, step, peer, key, base="direct"):
        """Median of what a peer has more than the base in the same round; None where there is no such round."""
        pairs = list(zip(self.values(step, peer, key), self.values(step, base, key)))
        return statistics.median(mine - other for mine, other in pairs) if pairs else None

    def targets(self):
        """What Sluice aims for, what was reached, and whether that is enough; None where a figure is missing."""
        out = []

        def target(text, value, unit, reached):
            out.append({"target": text, "value": value, "unit": unit,
                        "reached": None if value is None else bool(reached(value))})

        for whose, name in (("process", "of the process"), ("core", "of the balancer's CPU")):
            target(f"at least 2 x HAProxy's messages per CPU-second {name}",
                   self._ratio("flat_out", f"per_{whose}_second"), "x", lambda v: v >= 2)
        for step, load in (("flat_out", "flat out"), ("steady", "at a fixed rate")):
            target(f"a lower p99 than HAProxy's, {load}", self._ratio(step, "p99"), "x HAProxy's", lambda v: v < 1)
        target("at most 50 us added to the direct path at light load (p50)", self.added("light", "sluice", "p50"), "us",
               lambda v: v <= 50)
        for clients, most in ((2000, 100), (5000, 250)):
            target(f"a p99 of at most {most} ms for {clients:,} clients at the same moment",
                   self.median("burst", "sluice", f"p99_{clients}"), "ms", lambda v, most=most: v <= most)
        largest = max(self.about["scale"]["held"])
        mine, other = self.memory("sluice", largest), self.memory("haproxy", largest)
        target(f"at most 1/20 of HAProxy's memory a connection, kernel's included, at {largest:,} connections",
               mine["all"] / other["all"] if mine and other and other["all"] > 0 else None, "of HAProxy's",
               lambda v: v <= 0.05)
        return out

    def memory(self, peer, held):
        """Bytes a connection: of the process, of the kernel for the balancer's sockets, both. The kernel's is what
        there is more than without a balancer, for clients and brokers have sockets as well; that may come out as a few
        bytes less than nothing, which is noise."""
        user, slabs = self.median("memory", peer, f"user_{held}"), self.median("memory", peer, f"slabs_{held}")
        base = self.median("memory", "direct", f"slabs_{held}")
        if user is None or slabs is None or base is None:
            return None
        kernel = max(0, slabs - base)
        return {"user": user, "kernel": kernel, "all": user + kernel,
                "sockets": self.median("memory", peer, f"sockets_{held}")}

    def _ratio(self, step, key):
        mine, other = self.median(step, "sluice", key), self.median(step, "haproxy", key)
        return mine / other if mine is not None and other else None

    def write(self):
        data = {"about": self.about, "targets": self.targets(), "notes": self.notes, "rounds": self._rounds,
                "configurations": self.configurations}
        (self.out / "race.json").write_text(json.dumps(data, indent=1))
        (self.out / "race.md").write_text(page.markdown(self))
        for name, text in charts.all_of(self).items():
            (self.out / f"{name}.svg").write_text(text)
