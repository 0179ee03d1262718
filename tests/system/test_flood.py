"""Thousands of clients that send most of a large CONNECT and then wait, beside those that come as clients do."""

import time

import mqtt_raw
from flooders import SIDES, UnfinishedConnects, unfinished
from lab import wait_for
from labtest import LabTest
from processes import resident_bytes

MEMORY = 48 << 20
UNFINISHED = 1500


class UnfinishedConnectsTest(LabTest):
    lab_options = {"brokers": 1, "workers": 3, "runtime": {"connect_memory": "48MiB"},
                   "listener": {"connect_timeout": "4s"}}

    def setUp(self):
        self.longest = 0

    def info(self):
        return self.lab.admin("show info")["info"]

    def held(self):
        return self.info()["connect_bytes"]

    def comes_in(self, number):
        """A client connects, and is answered, in no more time than it takes at any other moment."""
        to, sources, _ = SIDES[number % 2]
        began = time.monotonic()
        with mqtt_raw.Client(self.lab.clients, to, f"client-{number}", source=sources[0]) as client:
            client.ping()
        self.longest = max(self.longest, time.monotonic() - began)

    def flood(self):
        most = 0
        with UnfinishedConnects(self.lab, UNFINISHED, unfinished(60_000)) as flood:
            clients = 0
            while flood.step():
                if flood.opened // 100 > clients:
                    clients += 1
                    self.comes_in(clients)
                most = max(most, self.held())
            end = time.monotonic() + 1
            while time.monotonic() < end:
                flood.step()
                most = max(most, self.held())
        self.assertGreater(most, MEMORY // 2)
        # Workers are asked one after the other, and what one has given back another may have got meanwhile.
        self.assertLess(most, 1.02 * MEMORY)

    def test_memory_is_bounded_and_comes_back(self):
        self.comes_in(0)
        self.assertEqual(self.info()["connect_memory"], MEMORY)
        before = resident_bytes(self.lab.sluiced.pid)
        self.flood()
        self.assertGreater(self.lab.counter("client_connect_evicted"), UNFINISHED // 4)
        self.assertGreater(self.lab.counter("connect_memory_short"), 0)
        self.assertEqual(self.lab.counter("client_waiting_evicted"), 0)
        self.assertLess(self.longest, 2)
        self.assert_all_gone()
        self.assertEqual(self.held(), 0)
        wait_for("memory to go back to the system",
                 lambda: resident_bytes(self.lab.sluiced.pid) < 1.1 * before, 15)
