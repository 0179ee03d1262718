"""The base of the system tests: a class has one lab, made as its `lab_options` say."""

import time
import unittest

from lab import Lab, wait_for


class LabTest(unittest.TestCase):
    lab_options = {}

    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab(**cls.lab_options))

    def tearDown(self):
        if self.lab.sluiced is not None:
            self.assertIsNone(self.lab.sluiced.poll(), "sluiced ended during the test")

    def assert_counts(self, counter, more, since):
        """The counter moves by `more` from the value `since`; Sluice may see an event a little later than its client."""
        deadline = time.monotonic() + 5
        while self.lab.counter(counter) - since < more and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.lab.counter(counter) - since, more, counter)

    def assert_all_gone(self):
        """No connection is left, and every lease is back where it can be taken again."""
        info = wait_for("no connection to be left",
                        lambda: self._info_when(lambda info: info["connections"] == info["half_open"] == 0))
        self.assertEqual(self.lab.admin("show connections")["connections"], [], info)
        self.assertEqual(self.lab.counter("leases_acquired"), self.lab.counter("leases_released"))
        wait_for("every lease to have rested", lambda: not any(self.leases().values()))
        self.assertEqual([port["statistics"]["rx_no_buffer"] for port in self.lab.admin("show ports")["ports"]], [0, 0])

    def leases(self):
        """How many leases of any broker are taken, and how many rest."""
        backends = self.lab.admin("show backends")["backends"]
        return {what: sum(b["leases"][what] for b in backends) for what in ("leased", "quarantined")}

    def _info_when(self, condition):
        info = self.lab.admin("show info")["info"]
        return info if condition(info) else None
