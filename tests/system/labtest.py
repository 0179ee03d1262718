"""The base of the system tests: a class has one lab, made as its `lab_options` say."""

import time
import unittest

from lab import Lab


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
        """No connection, record or timer is left, every lease is back where it can be taken again, and every packet
        buffer is in its pool."""
        deadline = time.monotonic() + 40  # longer than the tests' Keep Alives, for whoever missed a reset
        while True:
            info = self.lab.admin("show info")["info"]
            left = self.lab.admin("show connections")["connections"]
            taken = {what: sum(b["leases"][what] for b in self.lab.admin("show backends")["backends"])
                     for what in ("leased", "quarantined")}
            spare = 64 * info["workers"]  # packet buffers that workers keep ready
            held = info["connections"] + info["half_open"] + info["spliced"] + info["timers"]
            if not (left or held or any(taken.values()) or info["frames_used"] > spare):
                break
            self.assertLess(time.monotonic(), deadline, f"left: {info} {taken} {left}")
            time.sleep(0.1)
        self.assertEqual(self.lab.counter("leases_acquired"), self.lab.counter("leases_released"))
        self.assertEqual([port["statistics"]["rx_no_buffer"] for port in self.lab.admin("show ports")["ports"]], [0, 0])
