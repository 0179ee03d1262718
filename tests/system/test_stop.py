"""Sluice is told to stop while many clients are connected: each hears of it at once, and none has to find out by silence."""

import json
import unittest

from lab import BUILD, FRONT, Lab, wait_for

CLIENTS = 2000


class StopTest(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(Lab(brokers=1, runtime={"shutdown_timeout": "0s"}))

    def test_every_client_is_reset(self):
        results = self.lab.folder / "clients.json"
        load = self.lab.clients.start([BUILD / "sluice-load", "hold", "-q", "-t", f"{FRONT}:1883", "-n", CLIENTS, "-r", 2000,
                                       "-k", "10m", "-d", "10m", "--json", results], self.lab.folder / "clients.log")
        wait_for("all to be spliced", lambda: self.lab.admin("show info")["info"]["spliced"] == CLIENTS, 60)
        self.lab.sluiced.terminate()
        self.assertEqual(self.lab.sluiced.wait(30), 0)
        # Long before any Keep Alive.
        wait_for("all to have heard", lambda: self.lab.clients.run(["ss", "-Htn", "state", "established"]).stdout == "", 5)
        load.terminate()
        load.wait(30)
        report = json.loads(results.read_text())
        self.assertEqual(report["connects"]["losses"], {"reset": CLIENTS})
