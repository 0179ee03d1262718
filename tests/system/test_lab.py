"""The lab and the demo leave nothing behind, however they end."""

import pathlib
import signal
import subprocess
import sys
import unittest

import ledger
from lab import wait_for

HERE = pathlib.Path(__file__).resolve().parent


def namespaces_of(pid):
    return [path.name for path in pathlib.Path("/run/netns").glob(f"sluice-{pid}-*")]


def start(*words):
    return subprocess.Popen([sys.executable, *words], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, start_new_session=True)


class CleanUpTest(unittest.TestCase):
    def lab_with_brokers(self):
        """A process that holds a lab with two brokers, and the ids of what runs in it."""
        process = start("-c", "import lab, signal; lab.end_on_signals()\n"
                              "with lab.Lab(brokers=2, start_sluiced=False): print('up', flush=True); signal.pause()")
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "up\n")
        names = namespaces_of(process.pid)
        self.assertEqual(len(names), 3)
        inside = [pid for name in names for pid in subprocess.run(
            ["ip", "netns", "pids", name], capture_output=True, text=True, check=True).stdout.split()]
        self.assertEqual(len(inside), 2)
        return process, inside

    def assert_gone(self, process, inside):
        self.assertEqual(namespaces_of(process.pid), [])
        self.assertEqual([ledger.identity(int(pid)) for pid in inside], [None, None])
        self.assertEqual(list(ledger.FOLDER.glob(f"{process.pid}-*")), [])

    def test_a_terminated_lab_clears_itself(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process, inside = self.lab_with_brokers()
            process.send_signal(number)
            process.wait(timeout=20)
            self.assert_gone(process, inside)

    def test_a_killed_lab_is_cleared_by_the_next(self):
        process, inside = self.lab_with_brokers()
        process.kill()
        process.wait()
        self.assertEqual(len(namespaces_of(process.pid)), 3)
        ledger.sweep()
        self.assert_gone(process, inside)

    def test_a_living_lab_is_left_alone(self):
        process, inside = self.lab_with_brokers()
        ledger.sweep()
        self.assertEqual(len(namespaces_of(process.pid)), 3)
        process.terminate()
        process.wait(timeout=20)
        self.assert_gone(process, inside)


class DemoTest(unittest.TestCase):
    def demo(self):
        process = start("demo.py")
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def test_shows_what_it_promises(self):
        process = self.demo()
        text, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, text)
        self.assertIn("noticed nothing", text)
        self.assertEqual(namespaces_of(process.pid), [])

    def test_interrupted_leaves_nothing(self):
        process = self.demo()
        wait_for("the demo to begin", lambda: len(namespaces_of(process.pid)) == 3)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, text)
        self.assertEqual(namespaces_of(process.pid), [])
