"""The lab and the demo leave nothing behind, however they end; a bad wire is as bad as it was told to be."""

import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

import ledger
from lab import BUILD, wait_for
from netns import Namespace
from wire import Wire

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
        self.assertIn("12 of 12 are spliced", text)
        self.assertIn("noticed nothing", text)
        for said in ("connects/s", "it goes to broker-", "CLIENT IDS THAT MOVE", "Nobody was disconnected", "# HELP sluice_"):
            self.assertIn(said, text)
        self.assertEqual(namespaces_of(process.pid), [])

    def test_interrupted_leaves_nothing(self):
        process = self.demo()
        wait_for("the demo to begin", lambda: len(namespaces_of(process.pid)) == 3)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, text)
        self.assertEqual(namespaces_of(process.pid), [])


class WireTest(unittest.TestCase):
    """Numbered frames from interface `left` to `right`, or back, through a wire between their peers."""

    COUNT = 20_000
    HEADER = bytes.fromhex("ffffffffffff 020000000001 88b5")  # broadcast, an EtherType for experiments

    def setUp(self):
        owned = ledger.Ledger()
        self.addCleanup(owned.clear)
        self.namespace = Namespace(owned, f"sluice-{owned.name}-wire")
        self.namespace.sysctl(net__ipv6__conf__all__disable_ipv6=1, net__ipv6__conf__default__disable_ipv6=1)
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.sockets = {}
        for device in ("left", "right"):
            self.namespace.cable(device, self.namespace, f"{device}-peer")
            with self.namespace.entered():
                sock = self.enterContext(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            sock.bind((device, 0x88b5))
            sock.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
            self.sockets[device] = sock

    def numbers_through(self, first, second, seed, log):
        """The numbers of the frames in the order in which they arrive, and the wire's own counts."""
        wire = Wire(self.namespace, BUILD / "tests/system/wire", self.folder / log, ("left-peer", "right-peer"),
                    loss=2, reorder=5, seed=seed)
        for number in range(self.COUNT):
            self.sockets[first].send(self.HEADER + struct.pack("!I", number) + bytes(50))
        came = []
        self.sockets[second].settimeout(0.5)
        try:
            while True:
                came.append(struct.unpack_from("!I", self.sockets[second].recv(2000), len(self.HEADER))[0])
        except TimeoutError:
            return came, wire.stop()[f"{first}-peer"]

    def test_loses_and_reorders_as_told(self):
        came, counts = self.numbers_through("left", "right", 1, "1.log")
        self.assertEqual((counts["frames"], counts["lost"]), (self.COUNT, self.COUNT - len(came)))
        self.assertEqual(len(set(came)), len(came))
        self.assertAlmostEqual(counts["lost"] / self.COUNT, 0.02, delta=0.004)
        passed_by = [sum(later > number for later in came[max(0, place - 100):place])
                     for place, number in enumerate(came)]
        # One that falls behind just before another, or is due at once, overtakes nobody.
        self.assertAlmostEqual(sum(n > 0 for n in passed_by) / self.COUNT, counts["behind"] / self.COUNT, delta=0.005)
        self.assertAlmostEqual(counts["behind"] / self.COUNT, 0.05, delta=0.006)
        self.assertGreaterEqual(max(passed_by), 8)
        self.assertLess(max(passed_by), 16)  # eight, and those that fell behind after it and came before it

    def test_the_seed_decides_which_frames_are_lost(self):
        runs = [("left", "right", 1), ("left", "right", 1), ("left", "right", 2), ("right", "left", 1)]
        first, again, other_seed, other_way = (frozenset(self.numbers_through(*run, f"{n}.log")[0])
                                               for n, run in enumerate(runs))
        self.assertEqual(first, again)
        self.assertEqual(len({first, other_seed, other_way}), 3)
