"""The results of a race as a page in Markdown."""


def number(value, digits=3):
    """So many significant digits, and thousands separated: 12,345 or 1.23."""
    if value is None:
        return ""
    if value == 0 or abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if abs(value) >= 0.1 else f"{value:.2g}"


def table(header, rows):
    """The first column is text, the others are numbers."""
    lines = [f"| {' | '.join(header)} |", f"| --- |{' ---: |' * (len(header) - 1)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


class Page:
    def __init__(self, results):
        self.results = results
        self.about = results.about

    def title(self, peer):
        return self.about["peers"][peer]["title"]

    def spread(self, step, peer, key):
        """Median, and smallest and largest where there were several rounds."""
        values = self.results.values(step, peer, key)
        if not values:
            return ""
        middle = number(self.results.median(step, peer, key))
        return middle if len(values) == 1 else f"{middle} ({number(min(values))}-{number(max(values))})"

    def by_peer(self, step, columns):
        """`columns`: heading and name of a number."""
        rows = [[self.title(peer), *(self.spread(step, peer, key) for _, key in columns)]
                for peer in self.results.peers(step)]
        return table(["", *(heading for heading, _ in columns)], rows) + self.notes(step)

    def notes(self, *names):
        """What went wrong in these steps."""
        notes = [note for note in self.results.notes if note["step"] in names]
        lines = [f"- {self.title(note['peer'])}: {note['text']}" for note in notes]
        return "\n\n" + "\n".join(dict.fromkeys(lines)) if lines else ""

    def machine(self):
        a = self.about
        rounds, disturbed = a["scale"]["rounds"], a["load_before"] > 1
        warning = "**Other programs ran meanwhile (see the load): these figures are provisional.**\n\n"
        return ((warning if disturbed else "") +
                f"{a['when']}: {a['cpus']} CPUs ({a['cpu']}), {a['memory_gib']} GiB, Linux {a['kernel']}, "
                f"{a['files']:,} files a process; load before {a['load_before']:.1f}, after {a['load_after']:.1f}. "
                f"The balancer has CPU {a['balancer_cpu']}, clients and brokers CPUs {a['load_cpus']}. "
                f"{rounds} round{'s' * (rounds != 1)} of {a['scale']['seconds']} s: median (smallest-largest).")

    def peers(self):
        rows = [[p["title"], p["version"], p["remark"]] for p in self.about["peers"].values()]
        return table(["", "version", "how"], rows).replace("---: |", "--- |")

    def targets(self):
        words = {True: "reached", False: "missed", None: "not measured"}
        rows = [[t["target"], "" if t["value"] is None else f"{number(t['value'])} {t['unit']}", words[t["reached"]]]
                for t in self.results.targets()]
        return table(["target", "figure", ""], rows)

    def messages(self, step):
        return self.by_peer(step, [
            ("messages/s", "messages"), ("per CPU-s, process", "per_process_second"),
            ("per CPU-s, its CPU", "per_core_second"), ("us, its CPU", "core_us"), ("us, machine", "machine_us"),
            ("p50 us", "p50"), ("p99 us", "p99"), ("p99.9 us", "p99_9")])

    def light(self):
        rows = []
        for peer in self.results.peers("light"):
            added = [number(self.results.added("light", peer, key)) for key in ("p50", "p99")]
            rows.append([self.title(peer), *(self.spread("light", peer, key) for key in ("p50", "p99", "p99_9")),
                         *(["", ""] if peer == "direct" else added)])
        return table(["", "p50 us", "p99 us", "p99.9 us", "added, p50", "added, p99"], rows) + self.notes("light")

    def memory(self):
        rows = []
        for held in self.about["scale"]["held"]:
            for peer in self.results.peers("memory"):
                figures = self.results.memory(peer, held)
                if figures and peer != "direct":
                    rows.append([f"{self.title(peer)}, {held:,}", self.spread("memory", peer, "idle_mib"),
                                 *(number(figures[key]) for key in ("user", "kernel", "all", "sockets"))])
        return table(["", "process before, MiB", "process, bytes", "kernel, bytes", "both", "sockets"],
                     rows) + self.notes("memory")

    def faults(self):
        return "\n\n".join([
            "Three reloads of an unchanged configuration. Memory is that of all processes of the balancer, in MiB:",
            self.by_peer("reload", [("connections lost", "lost"), ("processes before", "processes_before"),
                                    ("after", "processes_after"), ("memory before", "memory_before"),
                                    ("after", "memory_after")]),
            "One of three brokers is killed, and returns; then all clients leave and come again:",
            self.by_peer("broker_death", [
                ("its clients", "of_victim"), ("connections lost", "lost"), ("of other brokers", "others_disturbed"),
                ("all back after, s", "back_seconds"), ("share at their first broker in the end", "at_home_share"),
                ("of the killed one's", "victims_back_share")]),
            "The balancer is ended and started again:",
            self.by_peer("restart", [("connections lost", "lost"), ("to stop, s", "stop_seconds"),
                                     ("to be ready, s", "start_seconds"), ("all back after, s", "back_seconds")]),
        ])

    def storms(self):
        columns = [("clients", "clients"), ("all back after, s", "back_seconds"), ("attempts failed", "failed"),
                   ("most connects/s at a broker", "broker_peak"),
                   ("process, bytes a connection at most", "peak_bytes")]
        parts = [self.by_peer("storm", columns)]
        if self.about["scale"]["large_storm"]:
            parts += [f"{self.about['scale']['large_storm']:,} clients and six brokers, each a process of its own:",
                      self.by_peer("large_storm", columns)]
        return "\n\n".join(parts)

    def bursts(self):
        """A row for each peer and number of clients."""
        rows = [[f"{self.title(peer)}, {clients:,}",
                 *(self.spread("burst", peer, f"{key}_{clients}") for key in ("p50", "p99", "missed", "failed"))]
                for clients in self.about["scale"]["bursts"] for peer in self.results.peers("burst")]
        return table(["", "CONNACK p50 ms", "p99 ms", "frames missed", "failed"], rows) + self.notes("burst")

    def flood(self):
        return self.by_peer("flood", [("clients", "clients"), ("let in", "let_in"), ("share", "share"),
                                      ("CONNACK p50 ms", "p50_ms"), ("p99 ms", "p99_ms")])

    def flood_text(self):
        scale = self.about["scale"]
        pace = f"one each {scale['flood_interval']} us" if scale["flood_interval"] else "as fast as it goes"
        return (f"SYNs from random addresses, {pace} (`hping3`), and meanwhile {scale['flood_clients']:,} clients, "
                f"{scale['flood_arrivals']} a second, which wait 10 s.\n\n")

    def sections(self):
        clients = "200 clients, QoS 1, 64 bytes. A message is a PUBLISH to the broker and its PUBACK back."
        yield "Targets", self.targets()
        yield "Who", self.peers()
        yield "Messages, flat out", f"{clients} Each client sends the next one when the last is answered.\n\n" + \
            self.messages("flat_out")
        yield "Messages at a fixed rate", f"{clients} {self.about['scale']['steady_rate']:,} a second in all.\n\n" + \
            self.messages("steady")
        yield "Latency at light load", ("50 clients, 1,000 messages a second in all, QoS 1. Added: more than direct, "
                                        "in the same round.\n\n") + self.light()
        yield "Connects", ("200 clients leave and come again, flat out. CPU time is for one connection, from SYN to "
                           "FIN.\n\n") + self.by_peer("churn", [
                ("connects/s", "connects"), ("us, process", "process_us"), ("us, its CPU", "core_us"),
                ("us, machine", "machine_us"), ("CONNACK p99 us", "connack_p99_us"), ("failed", "failed")])
        yield "Burst", ("All clients connect at the same moment. Missed: before the balancer got them, by its own "
                        "count; each costs its client a second.\n\n") + self.bursts()
        yield "Memory", "Bytes for each connection that is held.\n\n" + self.memory()
        yield "Faults", f"{self.about['scale']['fleet']:,} clients that come back 0.2 s after they are cut off; " \
            "mosquitto as brokers.\n\n" + self.faults()
        yield "SYN flood", self.flood_text() + self.flood()
        yield "Reconnect storm", "All clients are cut off at once and come back at once.\n\n" + self.storms()


def markdown(results):
    page = Page(results)
    parts = ["# The race", page.machine()]
    for title, text in page.sections():
        parts += [f"## {title}", text]
    parts.append("## Configurations")
    for peer, text in results.configurations.items():
        parts += [f"### {page.title(peer)}", f"```\n{text.strip()}\n```"]
    return "\n\n".join(parts) + "\n"
