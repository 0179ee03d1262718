"""1,000 clients with kernel sockets, mosquittos behind them: each connection is spliced soon after its CONNACK.

They connect once, for the class, while `show connections` is asked again and again.
"""

import resource
import threading
import time

import mqtt_raw
from lab import CLIENTS, CLIENTS6, FRONT, FRONT6
from labtest import LabTest

CLIENT_COUNT = 1000
ENOUGH = 990
SOON = 1.0


class ThousandClientsTest(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        cls.accepted = {}  # client ID -> when its CONNACK came
        cls.spliced = {}   # client ID -> when it was first shown to be spliced
        cls.clients = []
        cls.addClassCleanup(lambda: [client.close() for client in cls.clients])
        connecting = threading.Thread(target=cls.connect_all)
        connecting.start()
        while connecting.is_alive() or time.monotonic() < max(cls.accepted.values(), default=0) + SOON:
            cls.look()
            time.sleep(0.05)
        connecting.join()
        cls.look()
        cls.info = cls.lab.admin("show info")["info"]
        cls.placed = sum(b["connections"] for b in cls.lab.admin("show backends")["backends"])

    @classmethod
    def connect_all(cls):
        for n in range(CLIENT_COUNT):
            host, sources = ((FRONT, CLIENTS), (FRONT6, CLIENTS6))[n % 2]
            client = mqtt_raw.Client(cls.lab.clients, host, f"many-{n}", source=sources[n // 2 % 4])
            cls.clients.append(client)
            cls.accepted[f"many-{n}"] = time.monotonic()

    @classmethod
    def look(cls):
        shown = cls.lab.admin(f"show connections limit={2 * CLIENT_COUNT}")["connections"]
        now = time.monotonic()
        for connection in shown:
            if connection["phase"] == "spliced":
                cls.spliced.setdefault(connection["client_id"], now)

    def test_all_are_accepted_and_add_up(self):
        self.assertEqual(len(self.accepted), CLIENT_COUNT)
        self.assertEqual([client.code for client in self.clients], [0] * CLIENT_COUNT)
        self.assertEqual((self.info["connections"], self.info["half_open"]), (CLIENT_COUNT, 0))
        self.assertEqual(self.placed, CLIENT_COUNT)

    def test_all_are_served(self):
        for client in self.clients:
            client.sock.sendall(mqtt_raw.PINGREQ)
        for client in self.clients:
            client.reader.expect(mqtt_raw.PINGRESP)

    # What a spliced connection shows.

    def test_nearly_all_are_spliced_within_a_second(self):
        in_time = [client_id for client_id, accepted in self.accepted.items()
                   if self.spliced.get(client_id, float("inf")) - accepted <= SOON]
        self.assertGreaterEqual(len(in_time), ENOUGH)
        self.assertGreaterEqual(self.lab.counter("spliced"), ENOUGH)
