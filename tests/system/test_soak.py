"""Everything that clients and brokers do, at once and for a while, over bad wires; then nothing is left.

The length is run.py's option --soak. What the behaviours are, soak.py tells.
"""

import threading
import time

import mqtt_raw
import scale
from lab import FRONT
from labtest import LabTest
from own_broker import OwnBroker
from soak import Soak

CONNECT_TIMEOUT = 10
MUTE = 20


class SoakTest(LabTest):
    lab_options = {"brokers": 2, "start_brokers": False, "health": {"type": "none"},
                   "wire": {"loss": 2, "reorder": 5, "seed": 30}, "pools": {"attempt_timeout": "20s", "retries": 0},
                   "listener": {"connect_timeout": f"{CONNECT_TIMEOUT}s"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.brokers[0].start()
        own = cls.enterClassContext(OwnBroker(cls.lab, cls.lab.brokers[1]))
        cls.soak = Soak(cls.lab, own, threads=32, seed=1)
        cls.mute_ended = []
        mute = threading.Thread(target=cls.mute_clients, args=(time.monotonic() + scale.soak_seconds,))
        mute.start()
        cls.soak.run(scale.soak_seconds)
        mute.join()
        print("   ", dict(cls.soak.done), dict(cls.soak.resets), flush=True)

    @classmethod
    def mute_clients(cls, deadline):
        """Clients that say nothing, or half a CONNECT, are let go after connect_timeout."""
        while True:
            socks = [cls.lab.clients.connect(FRONT, timeout=60) for _ in range(MUTE)]
            for sock in socks[::2]:
                sock.sendall(mqtt_raw.connect("mute")[:7])
            time.sleep(CONNECT_TIMEOUT + 2)
            for sock in socks:
                sock.settimeout(0.01)
                cls.mute_ended.append(mqtt_raw.closes(sock))
                sock.close()
            if cls.soak.failures or time.monotonic() + CONNECT_TIMEOUT + 2 > deadline:
                return

    def test_every_stream_is_whole_and_every_end_is_told(self):
        self.assertEqual(self.soak.failures, [], "\n".join(self.soak.failures))

    def test_everything_was_done(self):
        for behaviour in self.soak.behaviours():
            self.assertGreater(self.soak.done[behaviour.__name__], 0, behaviour.__name__)

    def test_resets_arrive_unless_a_wire_lost_them(self):
        self.assertLess(self.soak.resets["unheard"], 4 + 0.1 * self.soak.resets["heard"])

    def test_mute_clients_are_let_go(self):
        self.assertGreaterEqual(len(self.mute_ended), MUTE)
        self.assertLess(self.mute_ended.count(False), 4 + 0.1 * len(self.mute_ended))

    def test_nothing_is_left(self):
        self.assert_all_gone()
        self.assertEqual(self.lab.counter("events_lost"), 0)
        self.assertGreater(self.lab.counter("closed_idle"), 0)

    # What a spliced connection shows.

    def test_connections_were_spliced(self):
        quiet = self.soak.done["silent_client"]
        self.assertGreaterEqual(self.lab.counter("spliced"), quiet)
