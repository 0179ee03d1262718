"""Clients that come while SYNs from addresses that answer nothing fill the half-open handshakes: a kernel's TCP takes
Sluice's cookies for what they are, at once, with and without timestamps, and is spliced like any other client."""

import statistics
import time

import mqtt_raw
from flooders import Syns, neighbors
from lab import CLIENTS, CLIENTS6, FRONT, FRONT6, wait_for
from labtest import LabTest

HALF_OPEN = 100
SYNS = 5000  # a second, at most
ARRIVALS = 60


class SynFlood:
    def flooded(self, host, source, side, timestamps):
        lab = self.lab
        lab.clients.sysctl(net__ipv4__tcp_timestamps=timestamps)
        counters = ("syn_cookies_accepted", "spliced", "tcp_no_connection")
        accepted, spliced, strange = map(lab.counter, counters)
        clients, waits = [], []
        with Syns(lab, SYNS, [neighbors(side)]):
            wait_for("cookies", lambda: lab.admin("show info")["info"]["half_open"] >= HALF_OPEN)
            for n in range(ARRIVALS):
                before = time.monotonic()
                client = mqtt_raw.Client(lab.clients, host, f"{side}{timestamps}-{n}", source=source)
                waits.append(time.monotonic() - before)
                self.addCleanup(client.close)
                clients.append(client)
            for client in clients:
                client.ping()
        self.assertLess(statistics.median(waits), 0.05)
        self.assertLess(max(waits), 1.2)
        self.assertGreaterEqual(lab.counter("syn_cookies_accepted") - accepted, ARRIVALS * 3 // 4)
        self.assert_counts("spliced", ARRIVALS, spliced)
        self.assertEqual(lab.counter("tcp_no_connection"), strange)
        for client in clients:
            client.close()
        self.assert_all_gone()

    def test_over_ipv4(self):
        self.flooded(FRONT, CLIENTS[0], "10.1.0.", timestamps=1)

    def test_over_ipv6_without_timestamps(self):
        self.flooded(FRONT6, CLIENTS6[0], "fd00:1::", timestamps=0)


class OneWorkerTest(SynFlood, LabTest):
    lab_options = {"listener": {"half_open": HALF_OPEN}}


class ThreeWorkersTest(SynFlood, LabTest):
    lab_options = {"workers": 3, "listener": {"half_open": HALF_OPEN}}
