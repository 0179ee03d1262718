"""Which broker a client meets, from which source address, and what happens when a broker goes."""


import mqtt_raw
from lab import CLIENTS, CLIENTS6, FRONT, FRONT6, wait_for
from labtest import LabTest


class PlacementTest(LabTest):
    def visit(self, client_id, nth=1, **socket_options):
        """Connects, is heard by a broker, and leaves. The broker that it was."""
        with mqtt_raw.Client(self.lab.clients, FRONT, client_id, **socket_options) as client:
            self.assertEqual(client.code, 0)
            arrival = self.lab.wait_arrival(client_id, nth)
            client.sock.sendall(mqtt_raw.DISCONNECT)
        return arrival

    def test_same_broker_from_any_address(self):
        for n in range(12):
            brokers = {self.visit(f"roamer-{n}", i + 1, source=address).broker for i, address in enumerate(CLIENTS)}
            self.assertEqual(len(brokers), 1, f"roamer-{n} met {brokers}")

    def test_same_broker_for_every_version(self):
        for n in range(6):
            brokers = set()
            for nth, version in enumerate((3, 4, 5), 1):
                with mqtt_raw.Client(self.lab.clients, FRONT, f"version-{n}", version):
                    brokers.add(self.lab.wait_arrival(f"version-{n}", nth).broker)
            self.assertEqual(len(brokers), 1, f"version-{n} met {brokers}")

    def test_same_broker_over_ipv6_from_any_address(self):
        for n in range(6):
            brokers = set()
            for nth, address in enumerate(CLIENTS6, 1):
                with mqtt_raw.Client(self.lab.clients, FRONT6, f"six-{n}", source=address):
                    brokers.add(self.lab.wait_arrival(f"six-{n}", nth).broker)
            self.assertEqual(len(brokers), 1, f"six-{n} met {brokers}")

    def test_every_broker_gets_a_share(self):
        ids = [f"share-{n}" for n in range(60)]
        brokers = [self.visit(client_id).broker for client_id in ids]
        for broker in self.lab.brokers:
            self.assertGreaterEqual(brokers.count(broker.name), 8, brokers)

    def test_brokers_see_all_source_addresses(self):
        seen = {self.visit(f"source-{n}").address for n in range(60)}
        self.assertEqual(seen, {"10.2.0.10", "10.2.0.11", "10.2.0.12", "10.2.0.13"})

    def test_brokers_see_all_ipv6_source_addresses(self):
        seen = set()
        for n in range(60):
            with mqtt_raw.Client(self.lab.clients, FRONT6, f"source6-{n}"):
                seen.add(self.lab.wait_arrival(f"source6-{n}").address)
        self.assertEqual(seen, {"fd00:2::10", "fd00:2::11", "fd00:2::12", "fd00:2::13"})

    def test_explain_names_the_broker_that_the_client_meets(self):
        for n in range(10):
            self.assertEqual(self.lab.explain(f"told-{n}"), self.visit(f"told-{n}").broker)

    def test_100_clients_at_once(self):
        clients = [mqtt_raw.Client(self.lab.clients, FRONT, f"talker-{n}", source=CLIENTS[n % 4]) for n in range(100)]
        try:
            for n, client in enumerate(clients):
                client.echo(f"talk/{n}", f"message {n}".encode() * 50)
        finally:
            for client in clients:
                client.close()


class TwoWorkersTest(LabTest):
    lab_options = {"workers": 2}

    def test_every_client_reaches_its_broker_and_back(self):
        clients = [mqtt_raw.Client(self.lab.clients, (FRONT, FRONT6)[n % 2], f"worker-{n}") for n in range(100)]
        try:
            for n, client in enumerate(clients):
                client.echo(f"talk/{n}", f"message {n}".encode() * 500)
        finally:
            for client in clients:
                client.close()


class FailoverTest(LabTest):
    def place(self, ids, nth):
        placed = {}
        for client_id in ids:
            with mqtt_raw.Client(self.lab.clients, FRONT, client_id) as client:
                self.assertEqual(client.code, 0, client_id)
                placed[client_id] = self.lab.wait_arrival(client_id, nth).broker
        return placed

    def test_only_the_clients_of_a_stopped_broker_move_and_come_back(self):
        ids = [f"mover-{n}" for n in range(30)]
        before = self.place(ids, 1)
        stopped = self.lab.broker(before[ids[0]])
        held = mqtt_raw.Client(self.lab.clients, FRONT, ids[0])
        self.lab.wait_arrival(ids[0], 2)

        stopped.stop()
        self.assertTrue(mqtt_raw.closes(held.sock), "a client of the stopped broker was not cut off")
        held.close()
        during = {}
        for client_id in ids:
            nth = 3 if client_id == ids[0] else 2
            during.update(self.place([client_id], nth))
        self.assertNotIn(stopped.name, during.values())
        stayed = {client_id: broker for client_id, broker in before.items() if broker != stopped.name}
        self.assertEqual({client_id: during[client_id] for client_id in stayed}, stayed)
        wait_for("the broker to be seen down", lambda: self.lab.backend_states()[stopped.name] == "down")

        stopped.start()
        wait_for("the broker to be seen up", lambda: self.lab.backend_states()[stopped.name] == "up")
        after = {}
        for client_id in ids:
            nth = 4 if client_id == ids[0] else 3
            after.update(self.place([client_id], nth))
        self.assertEqual(after, before)

    def test_without_any_broker_clients_are_refused_in_mqtt(self):
        for broker in self.lab.brokers:
            broker.stop()
        try:
            wait_for("all brokers to be seen down", lambda: set(self.lab.backend_states().values()) == {"down"})
            before = self.lab.counter("refused_no_backend")
            with mqtt_raw.Client(self.lab.clients, FRONT, "nobody-4", 4) as client:
                self.assertEqual(client.code, 3)
                self.assertTrue(mqtt_raw.closes(client.sock))
            with mqtt_raw.Client(self.lab.clients, FRONT, "nobody-5", 5) as client:
                self.assertIn(client.code, (0x88, 0x89))
            self.assert_counts("refused_no_backend", 2, before)
        finally:
            for broker in self.lab.brokers:
                broker.start()
            wait_for("all brokers to be seen up", lambda: set(self.lab.backend_states().values()) == {"up"})


class SourcePortsTest(LabTest):
    """Two addresses of 100 ports, one broker, no probes: room for 200 connections exactly."""

    lab_options = {
        "brokers": 1,
        "pool": {"source_addresses": ["10.2.0.10-10.2.0.11"], "source_ports": "20000-20099"},
        "health": {"type": "none"},
    }

    def test_the_201st_is_refused_and_the_200_live_on(self):
        before = self.lab.counter("refused_source_ports")
        clients = []
        try:
            for n in range(200):
                clients.append(mqtt_raw.Client(self.lab.clients, FRONT, f"port-{n}"))
                self.assertEqual(clients[-1].code, 0, n)
            self.assert_counts("refused_source_ports", 0, before)
            with mqtt_raw.Client(self.lab.clients, FRONT, "port-too-many") as client:
                self.assertEqual(client.code, 3)
                self.assertTrue(mqtt_raw.closes(client.sock))
            self.assert_counts("refused_source_ports", 1, before)
            for client in clients:
                client.ping()
            leases = {(a.address, a.port) for a in self.lab.arrivals()}
            self.assertEqual(leases, {(f"10.2.0.{n}", port) for n in (10, 11) for port in range(20000, 20100)})
        finally:
            for client in clients:
                client.close()
