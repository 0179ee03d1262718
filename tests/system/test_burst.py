"""Many clients at the same moment: what the rings hold while nobody empties them, what is told of what they could not,
over packet sockets and over AF_XDP. Counts are compared, no times."""

import contextlib
import json
import os
import signal
import socket
import time
import unittest

from lab import BUILD, CLIENTS, FRONT, Lab, wait_for
from labtest import LabTest

AF_XDP = 44
LOSSES = ("rx_missed", "rx_ring_full", "rx_no_fill", "rx_interface_dropped")


def kernel_has_xdp():
    try:
        socket.socket(AF_XDP, socket.SOCK_RAW, 0).close()
    except OSError:
        return False
    return True


class Bursts(LabTest):
    """What the tests below have in common."""

    at_once = 400

    @contextlib.contextmanager
    def asleep(self):
        """The whole balancer stands still for the body, as on a machine whose CPUs others have."""
        os.kill(self.lab.sluiced.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.lab.sluiced.pid, signal.SIGCONT)

    def burst(self):
        """All connect while it sleeps; their results once it is awake."""
        results = self.lab.folder / "burst.json"
        words = [BUILD / "sluice-load", "connect", "-t", f"{FRONT}:1883", "-n", self.at_once, "-w", self.at_once,
                 "-s", f"{CLIENTS[0]}-{CLIENTS[-1]}", "-q", "--json", results]
        with self.asleep():
            swarm = self.lab.clients.start(words, self.lab.folder / "burst.log")
            time.sleep(0.7)
        wait_for("the clients to be done", lambda: swarm.poll() is not None)
        return json.loads(results.read_text())["connects"]

    def losses(self, port="front"):
        shown = next(p for p in self.lab.admin("show ports")["ports"] if p["name"] == port)
        return {name: shown["statistics"][name] for name in LOSSES}

    def warnings(self):
        log = (self.lab.folder / "sluiced.log").read_text()
        return [line for line in log.splitlines() if "repeat them after about a second" in line]


class PacketSocketTest(Bursts):
    def test_the_rings_hold_all_of_them(self):
        self.assertEqual(self.burst()["accepted"], self.at_once)
        self.assertEqual(self.losses(), dict.fromkeys(LOSSES, 0))
        self.assertEqual(self.warnings(), [])

    def test_what_the_rings_cost_is_told(self):
        for port in self.lab.admin("show ports")["ports"]:
            self.assertEqual((port["queue_frames"], port["ring_bytes"]), (8192, 32 << 20))
        self.assertIn("1 receive queues of 8192 frames, 32 MiB of rings",
                      (self.lab.folder / "sluiced.log").read_text())


class SmallRingTest(Bursts):
    """A device string that says how large its rings are has them so, and the operator hears what that costs."""

    at_once = 110  # those that are left find room when they try again
    lab_options = {"ports": {"front": {"interface": None, "device": "net_af_packet0,iface=front,framecnt=64"}}}

    def test_what_it_missed_is_counted_and_told_once(self):
        self.assertEqual(self.burst()["accepted"], self.at_once)
        lost = self.losses()
        self.assertGreater(lost["rx_ring_full"], 0)
        self.assertEqual(lost["rx_missed"], lost["rx_ring_full"])
        wait_for("the warning", self.warnings)
        self.burst()
        self.assertGreater(self.losses()["rx_ring_full"], lost["rx_ring_full"])
        time.sleep(2.5)  # two more looks at the counts
        line, = self.warnings()
        self.assertIn("port front", line)
        self.assertIn("framecnt", line)


@unittest.skipUnless(kernel_has_xdp(), "the kernel has no AF_XDP")
class OverXdp(Bursts):
    lab_options = {"ports": {name: {"driver": "af_xdp"} for name in ("front", "back")}}

    def setUp(self):
        super().setUp()
        # Behind an XDP program a veth holds 256 frames; the sender keeps the others for it.
        for side in (self.lab.clients, self.lab.broker_side):
            side.run(["tc", "qdisc", "replace", "dev", "eth0", "root", "pfifo", "limit", "10000"])

    def drivers(self):
        return {port["driver"] for port in self.lab.admin("show ports")["ports"]}


class XdpTest(OverXdp):
    def test_clients_are_carried_and_a_burst_is_held(self):
        self.assertEqual(self.drivers(), {"net_af_xdp"})
        for _ in range(3):
            self.assertEqual(self.burst()["accepted"], self.at_once)
        self.assertEqual(self.losses(), dict.fromkeys(LOSSES, 0))


class XdpRestartTest(OverXdp):
    """The killed one leaves its program on the interface."""

    def test_after_a_kill_it_starts_again_over_either(self):
        for driver in ("af_xdp", "af_packet"):
            self.lab.sluiced.kill()
            self.lab.sluiced.wait()
            self.lab.start_sluiced(ports={name: {"driver": driver} for name in ("front", "back")})
            self.assertEqual(self.drivers(), {f"net_{driver}"})
            self.assertEqual(self.burst()["accepted"], self.at_once)


if __name__ == "__main__":
    unittest.main()
