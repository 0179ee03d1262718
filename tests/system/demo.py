"""Three brokers, Sluice before them, twelve clients: who meets whom, and what changes when a broker goes.

    demo.py [--keep | --down]

Started by tools/demo. What it says it also checks: it ends with 1 when something is not as told.
"""

import sys
import textwrap

import ledger
from lab import BUILD, CLIENTS, FRONT, Lab, end_on_signals, wait_for

IDS = [f"sensor-{n:02}" for n in range(1, 13)]


def say(text):
    """A paragraph, indented as the tables are, with a blank line before it."""
    print("\n" + textwrap.indent(textwrap.dedent(text).strip("\n"), "   "), flush=True)


def step(title):
    print(f"\n== {title}", flush=True)


def expect(truth, what):
    if not truth:
        raise RuntimeError(f"not as it should be: {what}")


class Demo:
    def __init__(self, lab):
        self.lab = lab
        self.processes = {}
        self.arrival = {}
        self.seen = {}
        self.home = {client_id: CLIENTS[n % len(CLIENTS)] for n, client_id in enumerate(IDS)}

    def start(self, client_id):
        """A mosquitto_sub; it reconnects by itself when it loses its broker."""
        self.processes[client_id] = self.lab.clients.start(
            ["mosquitto_sub", "-h", FRONT, "-i", client_id, "-t", "news", "-A", self.home[client_id]],
            self.lab.folder / f"{client_id}.out")

    def arrived(self, client_id):
        """Waits for the client's next arrival at a broker."""
        self.seen[client_id] = self.seen.get(client_id, 0) + 1
        self.arrival[client_id] = self.lab.wait_arrival(client_id, self.seen[client_id], 30)
        return self.arrival[client_id]

    def table(self, remark=None):
        print(f"\n   {'client ID':<12}{'client address':<18}{'broker':<12}source address and port")
        for client_id in IDS:
            arrival = self.arrival[client_id]
            source = f"{arrival.address}:{arrival.port}"
            note = remark(client_id) if remark else ""
            print(f"   {client_id:<12}{self.home[client_id]:<18}{arrival.broker:<12}{source:<26}{note}".rstrip())
        sys.stdout.flush()

    def connect_all(self):
        step("Twelve clients connect to Sluice, 10.1.0.1:1883")
        for client_id in IDS:
            self.start(client_id)
        for client_id in IDS:
            self.arrived(client_id)
        self.table()
        say("""
            The broker follows from the client ID alone. The source address is Sluice's, from a pool:
            with n addresses, n times as many clients can reach one broker as TCP has ports.
        """)

    def show_splice(self):
        step("How Sluice holds them: sluicectl show connections")
        def spliced():
            phases = [c["phase"] for c in self.lab.admin("show connections")["connections"]]
            return phases.count("spliced") == len(phases) == len(IDS)

        wait_for("all to be spliced", spliced, timeout=1)
        lines = self.lab.ctl("show", "connections").stdout.splitlines()
        say("\n".join(lines[:4] + ["..."]))
        info = self.lab.admin("show info")["info"]
        say(f"""
            {info['spliced']} of {info['connections']} are spliced, a moment after their CONNACKs: Sluice holds no TCP
            endpoint for them any more, only {info['used_bytes_per_connection']} bytes each, and rewrites their packets.
        """)

    def reconnect_one(self):
        client_id = IDS[0]
        step(f"{client_id} leaves and comes back from another address")
        before = self.arrival[client_id].broker
        self.processes[client_id].terminate()
        self.processes[client_id].wait()
        self.home[client_id] = CLIENTS[(CLIENTS.index(self.home[client_id]) + 1) % len(CLIENTS)]
        self.start(client_id)
        after = self.arrived(client_id).broker
        say(f"before: {before}; now, from {self.home[client_id]}: {after}")
        expect(before == after, f"{client_id} met another broker")

    def stop_broker(self):
        broker = self.lab.broker(self.arrival[IDS[0]].broker)
        step(f"{broker.name} stops (process {broker.pid})")
        moving = [client_id for client_id in IDS if self.arrival[client_id].broker == broker.name]
        broker.stop()
        for client_id in moving:
            self.arrived(client_id)
        self.table(lambda client_id: "<- moved" if client_id in moving else "")
        expect(all(self.arrival[client_id].broker != broker.name for client_id in moving), "a client met a dead broker")
        stayed = [client_id for client_id in IDS if client_id not in moving]
        expect(all(len(self.lab.arrivals(client_id)) == self.seen[client_id] for client_id in stayed),
               "a client of another broker had to reconnect")
        say(f"{len(moving)} of the clients moved; the other {len(stayed)} noticed nothing.")

    def show_backends(self):
        step("What Sluice says about its brokers: sluicectl show backends")
        wait_for("the stopped broker to be seen down", lambda: "down" in self.lab.backend_states().values())
        say(self.lab.ctl("show", "backends").stdout)

    def restart_brokers(self):
        for broker in self.lab.brokers:
            if not broker.running():
                broker.start()
        wait_for("all brokers to be up", lambda: set(self.lab.backend_states().values()) <= {"up", "slow-start"})

    def show_top(self):
        step("What happens at this moment: sluicectl top (here once, as plain text)")
        say(self.lab.ctl("top", "--once", "-i", "0.5").stdout)

    def rows_at(self, broker):
        return [row["client_id"] for row in self.lab.admin(f"show connections backend={broker}")["connections"]]

    def come_back(self, client_id):
        """Leaves and connects again; where it arrives."""
        self.processes[client_id].terminate()
        self.processes[client_id].wait()
        self.start(client_id)
        return self.arrived(client_id).broker

    def drain_broker(self):
        broker = max((b.name for b in self.lab.brokers), key=lambda name: len(self.rows_at(name)))
        step(f"{broker} is to be emptied without haste: sluicectl drain {broker}")
        before = self.rows_at(broker)
        leaving = next(client_id for client_id in IDS if client_id in before and self.lab.explain(client_id) == broker)
        say(self.lab.ctl("drain", broker).stdout)
        told = self.lab.admin(f"explain {leaving}")
        after = self.come_back(leaving)
        staying = sorted(set(before) - {leaving})
        wait_for(f"{broker} to have all but one", lambda: sorted(self.rows_at(broker)) == staying)
        say(f"""
            It keeps its {len(staying)} other clients. {leaving} has gone and come back, and it goes to {after},
            as explain {leaving} foretold: {told["backend"]}:
            {told["why"]}
        """)
        expect(after == told["backend"] != broker, f"{leaving} met {after}, and {told['backend']} was foretold")
        self.lab.ctl("ready", broker)

    def reload(self):
        heavy = self.lab.brokers[0].name
        self.lab.config_file.write_text(self.lab.config(backend={heavy: {"weight": 300}}))
        step(f"The file gives {heavy} three times the weight: sluicectl reload --dry-run, then sluicectl reload")
        foretold = self.lab.ctl("reload", "--dry-run").stdout
        done = self.lab.ctl("reload").stdout
        say(foretold)
        say("\n".join(["...", *done.splitlines()[-1:]]))
        expect(foretold.splitlines()[:-1] == done.splitlines()[:-1], "the reload did not do what the dry run foretold")
        at_home = [name for name in map("device-{}".format, range(300)) if self.lab.explain(name) == heavy]
        say(f"""
            Of 300 other client IDs, {len(at_home)} would go there now. Nobody was disconnected.
        """)
        expect(len(at_home) > 140, f"{len(at_home)} of 300 go to a broker with 3/5 of the weight")
        expect(all(len(self.lab.arrivals(client_id)) == self.seen[client_id] for client_id in IDS),
               "a client had to reconnect")
        self.lab.reload(self.lab.config())

    def show_metrics(self):
        step("What Prometheus gets from 127.0.0.1:9187/metrics, inside Sluice's namespace; it begins so")
        with self.lab.sluice_side.connect("127.0.0.1", 9187) as sock:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n\r\n")
            with sock.makefile("r", encoding="utf-8") as answer:
                _, _, page = answer.read().partition("\n\n")
        lines = page.splitlines()
        expect(any(line.startswith("sluice_") for line in lines), "no metric is on the page")
        say("\n".join([*lines[:9], f"... {len(lines)} lines in all"]))

    def say_what_to_try(self):
        """Two clients that talk must meet at one broker, for these are no cluster: `explain` finds such a pair."""
        broker_of = {name: self.lab.explain(name) for name in map("visitor-{}".format, range(40))}
        first, *rest = broker_of
        second = next(name for name in rest if broker_of[name] == broker_of[first])
        inside = f"ip netns exec {self.lab.clients.name}"
        ctl = f"{BUILD / 'sluicectl'} --socket {self.lab.socket}"
        step("Everything stays up. As root, try")
        say(f"""
            {inside} mosquitto_sub -h {FRONT} -i {first} -t hello -v
            {inside} mosquitto_pub -h {FRONT} -i {second} -t hello -m world
            {ctl} top
            {ctl} show backends
            {ctl} show connections
            {ctl} explain {first}

            The configuration: {self.lab.config_file}
            The logs:          {self.lab.folder}/*.log

            The end of it:     tools/demo --down
        """)


def main():
    if sys.argv[1:] == ["--down"]:
        count = ledger.sweep(kept=True)
        print("Nothing was up." if not count else "Taken down.")
        return 0
    keep = sys.argv[1:] == ["--keep"]
    end_on_signals()
    step("Three brokers and Sluice, each side in a network namespace of its own")
    with Lab(brokers=3, pool={"slow_start": "0s"}, admin={"metrics": "127.0.0.1:9187"}) as lab:
        say("""
            clients 10.1.0.2-5 ---- 10.1.0.1 [ Sluice ] 10.2.0.10-13 ---- brokers 10.2.0.2, .3, .4
        """)
        demo = Demo(lab)
        demo.connect_all()
        demo.show_splice()
        demo.reconnect_one()
        demo.stop_broker()
        demo.show_backends()
        demo.restart_brokers()
        demo.show_top()
        demo.drain_broker()
        demo.reload()
        demo.show_metrics()
        if keep:
            demo.say_what_to_try()
            lab.keep()
            return 0
    step("Done; everything is taken down")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nInterrupted; everything is taken down.")
        sys.exit(130)
