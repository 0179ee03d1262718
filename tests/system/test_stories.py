"""What was told of real fleets, replayed through sluiced by sluice-load: nobody is refused, nothing is lost, everybody
finds the same broker again. tests/system/run.py --story 1000000 stories runs them at their full size.
"""

import json
import unittest

import scale
from story_lab import StoryLab


class StoryTest(unittest.TestCase):
    def setUp(self):
        self.clients = scale.story_clients
        # Faster than the fleets were, so that the wait is short, and never slower.
        self.rate = max(1000, min(self.clients // 10, 8_000))
        self.lab = self.enterContext(StoryLab(self.clients, brokers=["--watch-placement", str(self.clients)]))

    def play(self, story, *words):
        report = self.lab.run("story", story, "-n", self.clients, "-r", self.rate, *words,
                              timeout=120 + self.clients / 800)
        broker = self.lab.end_broker()
        print("   ", story, json.dumps({"seconds": report["seconds"], "connects": report["connects"]["per_second"],
                                        "messages": report["messages"]["per_second"], **report["sluiced"]}), flush=True)
        self.assertEqual(report["protocol_errors"], 0, report["last_protocol_error"])
        self.assertEqual(broker["protocol_errors"], 0, broker["last_protocol_error"])
        for what in ("failed", "refused", "lost"):
            self.assertEqual(report["connects"][what], 0, report["connects"])
        self.assertEqual(report["connects"]["peak"], self.clients)
        self.assertEqual(report["messages"]["unacknowledged"], 0)
        self.assertEqual(report["messages"]["published"], report["messages"]["acknowledged"])
        self.assertEqual(broker["published"], report["messages"]["published"])
        self.assertEqual(broker["moved"], 0)
        self.assertEqual(broker["connects"], report["connects"]["accepted"])
        self.assertEqual(len(broker["addresses"]), 6)
        self.assertLess(report["sluiced"]["used_bytes_per_connection"], 256)
        if self.clients >= 1_000_000:  # else packet buffers and the program itself weigh more
            self.assertLess(report["sluiced"]["resident_bytes_per_connection"], 350)
        return report, broker

    def test_courier(self):
        """Clients stay, others leave and come again at 1,000 a second, 4,680 messages a second."""
        report, _ = self.play("courier", "-d", "10s")
        self.assertGreater(report["churn"]["cycles"], 9_000)
        self.assertGreater(report["messages"]["acknowledged"], 44_000)

    def test_thingsphere(self):
        """Each client publishes messages of QoS 1 from its arrival on; a tenth comes again, to its own broker."""
        messages = 100 if self.clients >= 1_000_000 else 10
        report, broker = self.play("thingsphere", "--messages", messages)
        self.assertEqual(report["messages"]["acknowledged"], messages * self.clients)
        self.assertEqual(broker["connects"], self.clients + self.clients // 10)
