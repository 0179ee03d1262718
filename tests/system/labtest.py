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
