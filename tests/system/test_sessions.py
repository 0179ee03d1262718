"""Clients find their sessions again at brokers that keep each their own: by the ID that a broker gave them, and where they
were sent to while their own broker was away."""

import mqtt_raw
from lab import FRONT, FRONT6, wait_for
from labtest import LabTest

CLIENT_COUNT = 30


class SessionsTest(LabTest):
    lab_options = {"health": {"type": "tcp", "interval": "200ms", "fall": 2, "rise": 1}}

    def connect(self, client_id, address=FRONT, version=5, expiry=3600):
        """A socket that is connected, whether its session was there, and the client's ID."""
        sock = self.lab.clients.connect(address)
        self.addCleanup(sock.close)
        sock.sendall(mqtt_raw.connect(client_id, version, clean=False, expiry=expiry))
        body = mqtt_raw.Reader(sock).expect(mqtt_raw.CONNACK)
        self.assertEqual(body[1], 0)
        at = body.find(b"\x12") + 1 if version == 5 else 0
        if at:
            client_id = body[at + 2:at + 2 + int.from_bytes(body[at:at + 2], "big")].decode() or client_id
        return sock, bool(body[0] & 1), client_id

    def come(self, client_id, *args, **kwargs):
        """Connects and leaves."""
        sock, present, client_id = self.connect(client_id, *args, **kwargs)
        sock.sendall(mqtt_raw.DISCONNECT)
        self.assertTrue(mqtt_raw.closes(sock))
        sock.close()
        return present, client_id

    def state(self, broker, state):
        wait_for(f"{broker.name} to be {state}", lambda: self.lab.backend_states()[broker.name] == state)

    def test_clients_find_the_broker_that_gave_them_their_id(self):
        for address in (FRONT, FRONT6):
            kept, found = self.lab.counter("assigned_ids_kept"), self.lab.counter("assigned_ids_found")
            ids = []
            for _ in range(CLIENT_COUNT):
                present, client_id = self.come("", address)
                self.assertFalse(present)
                ids.append(client_id)
                self.connect(f"between-{client_id}", address, expiry=0)  # so that loads differ
            for client_id in ids + ids:
                self.assertTrue(self.come(client_id, address)[0], client_id)
            self.assert_counts("assigned_ids_kept", CLIENT_COUNT, kept)
            self.assert_counts("assigned_ids_found", 2 * CLIENT_COUNT, found)
        self.assertEqual(self.lab.counter("assigned_ids_lost"), 0)

    def test_a_reload_of_weights_loses_none(self):
        ids = [self.come("")[1] for _ in range(CLIENT_COUNT)]
        weights = {b.name: {"weight": 1 + 400 * n} for n, b in enumerate(self.lab.brokers)}
        self.assertTrue(self.lab.reload(self.lab.config(backend=weights))["changes"])
        for client_id in ids:
            self.assertTrue(self.come(client_id)[0], client_id)
            told = self.lab.admin(f"explain {client_id}")
            self.assertTrue(told["remembered"], told)
            self.assertEqual(told["session_at"], told["backend"])
        self.lab.reload(self.lab.config())

    def test_an_id_is_forgotten_with_its_session(self):
        client_id = self.come("", expiry=1)[1]
        wait_for("the session to expire", lambda: not self.lab.admin(f"explain {client_id}")["remembered"])
        self.assertFalse(self.lab.admin(f"explain {self.come('', expiry=0)[1]}")["remembered"])

    def test_a_session_made_while_the_broker_was_away_is_found(self):
        broker = self.lab.brokers[0]
        ids = self.lab.client_ids_at(broker, "away")
        clients = [(next(ids), 4), (next(ids), 5)]
        broker.stop()
        self.state(broker, "down")
        for client_id, version in clients:
            self.assertFalse(self.come(client_id, version=version)[0])
        broker.start()
        self.state(broker, "up")
        for client_id, version in clients:
            self.assertTrue(self.come(client_id, version=version)[0], client_id)
        # Who leaves no session comes home.
        client_id = next(ids)
        self.come(client_id, expiry=0)
        self.assertEqual(self.lab.wait_arrival(client_id).broker, broker.name)


class TwoWorkersTest(SessionsTest):
    lab_options = {**SessionsTest.lab_options, "workers": 2}
