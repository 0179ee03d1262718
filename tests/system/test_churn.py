"""Clients that come and go, through few source ports: each port is used again and again, soon after its last use.

2,000 ports of one address lead to one broker, a Linux TCP. A port is free again two seconds after a cycle began: one of
TIME-WAIT, one of rest. So 800 cycles a second meet ports whose last connection the broker, where it closed first, still
holds in its own TIME-WAIT of a minute. A SYN that the broker then ignored would be repeated, and seen here.
"""

import json
import sys

import scale
from lab import CLIENTS, FRONT, ROOT, wait_for
from labtest import LabTest

PER_SECOND = 800
PROGRAM = ROOT / "tests" / "system" / "churn.py"
UPSTREAM_FAULTS = ("upstream_refused", "upstream_silent", "upstream_unreachable", "upstream_retried")


class ChurnTest(LabTest):
    lab_options = {"brokers": 1, "start_brokers": False, "health": {"type": "none"},
                   "pool": {"source_addresses": ["10.2.0.10"], "source_ports": "10000-11999"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.lab
        lab.clients.sysctl(net__ipv4__ip_local_port_range="1024 65535")
        log = lab.folder / "churn-broker.log"
        lab.broker_side.start([sys.executable, PROGRAM, "broker", lab.brokers[0].address], log)
        wait_for("the broker", lambda: "ready" in log.read_text())
        with lab.broker_side.counting("tcp flags & (syn | ack) == syn") as syns:
            done = lab.clients.run([sys.executable, PROGRAM, "client", FRONT, scale.churn_cycles, PER_SECOND, *CLIENTS],
                                   timeout=60 + 2 * scale.churn_cycles / PER_SECOND)
            cls.syns = syns()
        cls.report = json.loads(done.stdout)
        print("   ", done.stdout.strip(), flush=True)

    def test_every_cycle_is_completed(self):
        self.assertEqual(self.report["wrong"], {})
        self.assertEqual(self.report["completed"], scale.churn_cycles)
        self.assertLess(self.report["seconds"], scale.churn_cycles / PER_SECOND + 5)

    def test_no_connect_is_slow(self):
        self.assertLess(self.report["slowest"], 0.3)

    def test_no_syn_is_sent_twice(self):
        self.assertEqual(self.syns, scale.churn_cycles)
        self.assertEqual(self.lab.counter("upstream_attempts"), scale.churn_cycles)
        self.assertEqual({name: self.lab.counter(name) for name in UPSTREAM_FAULTS}, dict.fromkeys(UPSTREAM_FAULTS, 0))

    def test_all_is_given_back(self):
        self.assert_all_gone()
        self.assertEqual(self.lab.counter("leases_acquired"), scale.churn_cycles)
        self.assertEqual(self.lab.counter("closed_orderly"), scale.churn_cycles)
        self.assertEqual(self.lab.counter("tcp_timeouts"), 0)
