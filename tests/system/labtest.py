"""The base of the system tests: a class has one lab, made as its `lab_options` say."""

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
        """The counter moved by `more` since it had the value `since`."""
        self.assertEqual(self.lab.counter(counter) - since, more, counter)
