"""sluiced is killed under its clients and started again at once: nobody is told by it that his connection is gone, until
he says something. Meanwhile a stranger's ACKs ask for more resets than anybody else."""

import statistics
import time

from device import ACK, PSH, Device
from flooders import Strays
from lab import wait_for
from labtest import LabTest
from swarm import Swarm

CLIENT_COUNT = 400
TALK = 0.5
STRAYS = 10000  # a second, at most
LONG = 6        # the largest pause between two copies that a client's kernel sends, a few seconds after the crash


class RestartTest(LabTest):
    lab_options = {"workers": 2}

    def crash(self):
        """When the next one was ready."""
        self.lab.sluiced.kill()
        self.lab.sluiced.wait()
        self.lab.start_sluiced()
        return time.monotonic()

    def test_whoever_speaks_is_told_at_once_and_served_at_once(self):
        with Swarm(self.lab, CLIENT_COUNT, talk=TALK, back=0.001) as swarm:
            swarm.wait_all_up()
            with Strays(self.lab, STRAYS):
                time.sleep(0.5)
                ready = self.crash()
                wait_for("all clients to be told", lambda: len(swarm.cuts) >= CLIENT_COUNT, 30)
                told = sorted(max(0.0, cut.time - ready) for cut in swarm.cuts[:CLIENT_COUNT])
                swarm.wait_all_up()
            self.assertLess(told[CLIENT_COUNT * 95 // 100], LONG)
            self.assertGreater(self.lab.counter("tcp_no_connection"), 5 * CLIENT_COUNT)  # of strangers, mostly
            # Nobody waited for a SYN to be sent again, 1 s later.
            joined = {j.client_id: j.time for j in swarm.joined}
            waits = [joined[cut.client_id] - cut.time for cut in swarm.cuts]
            self.assertLess(statistics.median(waits), 0.9)
            self.assertEqual(swarm.faults, [])

    def test_a_reset_is_the_answer_over_both_families(self):
        for address in ("10.1.0.40", "fd00:1::40"):
            with self.subTest(address), Device(self.lab, address) as device:
                self.assertEqual(device.connect("here-" + address), 0)
                self.crash()
                device.send(PSH | ACK, b"\xc0\x00")
                with self.assertRaises(ConnectionResetError):
                    device.recv_into(memoryview(bytearray(1)))
