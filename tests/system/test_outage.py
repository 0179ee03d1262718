"""A broker that dies, hangs, is silent, or says that it is unavailable, with 2,000 clients on three brokers: it is found
out in time, its clients are served by the others, and they come home, at the pace of slow_start, once it is well."""

import contextlib
import os
import signal
import socket
import threading
import time

import mqtt_raw
from lab import wait_for
from labtest import LabTest
from swarm import Swarm, busiest_second

CLIENT_COUNT = 2000
INTERVAL, TIMEOUT, FALL = 0.5, 0.5, 2
IN_TIME = FALL * INTERVAL * 1.1 + TIMEOUT + 0.5  # intervals have a jitter; half a second for a busy machine
SLOW_START = 6


class Impostor:
    """Listens where a broker should, and answers every CONNECT with `answer`, or with silence."""

    def __init__(self, lab, broker, answer=b""):
        self._answer = answer
        self._listening = [lab.broker_side.listen(address) for address in (broker.address, broker.address6)]
        self._taken = []
        for sock in self._listening:
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self._listening:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for sock in self._taken:
            mqtt_raw.reset(sock)

    def _serve(self, listening):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listening.accept()
                self._taken.append(sock)
                if self._answer:
                    threading.Thread(target=self._refuse, args=(sock,), daemon=True).start()

    def _refuse(self, sock):
        with contextlib.suppress(OSError, mqtt_raw.Closed):
            mqtt_raw.Reader(sock).packet()
            sock.sendall(self._answer)
            sock.recv(1)


class OutageTest(LabTest):
    lab_options = {
        "workers": 2,
        "pools": {"drain_rate": 2000, "slow_start": f"{SLOW_START}s", "attempt_timeout": "500ms"},
        "listener": {"connect_timeout": "1500ms"},
        "health": {"type": "mqtt", "interval": "500ms", "timeout": "500ms", "rise": 2, "fall": FALL}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.swarm = cls.enterClassContext(Swarm(cls.lab, CLIENT_COUNT, talk=None, rate=800))
        cls.swarm.wait_all_up()
        cls.victim = cls.lab.brokers[0]
        cls.at_home = cls.here()

    @classmethod
    def here(cls):
        shown = cls.lab.admin(f"show connections backend=brokers/broker-1 limit={2 * CLIENT_COUNT}")["connections"]
        return {c["client_id"] for c in shown if c["phase"] in ("relayed", "resting", "spliced")}

    def state(self):
        return self.lab.backend_states()["broker-1"]

    def expect_found_out(self, since, reasons):
        wait_for("the broker to be down", lambda: self.state() == "down", IN_TIME + 5)
        self.assertLessEqual(time.monotonic() - since, IN_TIME)
        row = next(b for b in self.lab.admin("show backends")["backends"] if b["name"] == "broker-1")
        self.assertIn(row["health"]["last_failure"].split()[0], reasons)

    def expect_served_elsewhere(self):
        self.swarm.wait_all_up(30)
        self.assertEqual(self.here(), set())
        self.assertEqual(self.state(), "down")

    def expect_home_again(self):
        wait_for("the broker to be well", lambda: self.state() in ("slow-start", "up"))
        began = time.monotonic()
        samples = []  # (time, connections at the broker)
        clients = {c.client_id: c for c in self.swarm.clients if c.client_id in self.at_home}
        next_call = 0
        while True:
            now = time.monotonic()
            here = self.here()
            samples.append((now, len(here)))
            if here >= self.at_home:
                break
            self.assertLess(now - began, SLOW_START + 15, f"{len(self.at_home - here)} have not come home")
            if now >= next_call:
                away = [clients[i] for i in sorted(self.at_home - here) if clients[i].state == "up"][:300]
                self.swarm.recall(away)
                next_call = now + len(away) / 800 + 0.1
            time.sleep(0.05)
        self.swarm.wait_all_up()
        arrivals = [t for (t, n), (_, m) in zip(samples[1:], samples) if t - began < SLOW_START for _ in range(n - m)]
        # A third of all clients in SLOW_START seconds, what one look sees late, and each worker's first.
        allowed = CLIENT_COUNT / 3 / SLOW_START
        self.assertGreater(len(arrivals), SLOW_START * allowed / 4)
        self.assertLessEqual(busiest_second(arrivals), allowed * 1.2 + 2)
        self.assertEqual(self.here(), self.at_home)
        wait_for("the slow start to be over", lambda: self.state() == "up")

    def test_1_killed(self):
        os.kill(self.victim.pid, signal.SIGKILL)
        self.expect_found_out(time.monotonic(), ("refused", "closed"))
        self.expect_served_elsewhere()
        self.victim.start()
        self.expect_home_again()

    def test_2_paused(self):
        os.kill(self.victim.pid, signal.SIGSTOP)
        try:
            self.expect_found_out(time.monotonic(), ("silent", "no_answer"))
            self.expect_served_elsewhere()
        finally:
            os.kill(self.victim.pid, signal.SIGCONT)
        self.expect_home_again()

    def test_3_silent(self):
        self.victim.stop()
        with Impostor(self.lab, self.victim):
            self.expect_found_out(time.monotonic(), ("refused", "no_answer"))
            wait_for("the silence to be the reason", lambda: "no_answer" in str(self.lab.admin("show backends")))
            self.expect_served_elsewhere()
        self.victim.start()
        self.expect_home_again()

    def test_4_unavailable(self):
        self.victim.stop()
        with Impostor(self.lab, self.victim, b"\x20\x02\x00\x03"):
            self.expect_found_out(time.monotonic(), ("refused", "rejected"))
            wait_for("the answer to be the reason", lambda: "rejected" in str(self.lab.admin("show backends")))
            self.expect_served_elsewhere()
        self.victim.start()
        self.expect_home_again()
        self.assertEqual({j.code for j in self.swarm.joined}, {0})  # no client ever heard of it
