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
        wait_for("all brokers to be up", lambda: set(self.lab.backend_states().values()) == {"up"})

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
    with Lab(brokers=3) as lab:
        say("""
            clients 10.1.0.2-5 ---- 10.1.0.1 [ Sluice ] 10.2.0.10-13 ---- brokers 10.2.0.2, .3, .4
        """)
        demo = Demo(lab)
        demo.connect_all()
        demo.show_splice()
        demo.reconnect_one()
        demo.stop_broker()
        demo.show_backends()
        if keep:
            demo.restart_brokers()
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
