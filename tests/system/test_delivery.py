"""What an end was told has arrived does arrive, though it leaves without waiting; and a broker that leaves without a
word is no reason to leave its clients alone. Broker 1 is a mosquitto, broker 2 closes on everybody."""

import array
import contextlib
import fcntl
import os
import signal
import socket
import termios
import threading

import mqtt_raw
from lab import FRONT, FRONT6, wait_for
from labtest import LabTest

MESSAGES = 20


def unacknowledged(sock):
    """Bytes that have not been acknowledged to it yet."""
    left = array.array("i", [0])
    fcntl.ioctl(sock, termios.TIOCOUTQ, left)
    return left[0]


class Turnstile:
    """Listens where a broker should: reads so much of a CONNECT, says so much of a CONNACK, and closes."""

    def __init__(self, lab, broker):
        self.reads = True
        self.says = b""
        self._listening = [lab.broker_side.listen(address) for address in (broker.address, broker.address6)]
        for sock in self._listening:
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self._listening:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _serve(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError, mqtt_raw.Closed):
                if self.reads:
                    mqtt_raw.Reader(sock).packet()
                sock.sendall(self.says)


class DeliveryTest(LabTest):
    lab_options = {"brokers": 2, "start_brokers": False, "health": {"type": "tcp", "interval": "500ms"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.brokers[0].start()
        cls.turnstile = cls.enterClassContext(Turnstile(cls.lab, cls.lab.brokers[1]))

    def publish_and_leave(self, host, listener, size):
        """Each goes when all is acknowledged; the broker wakes up afterwards, and the kernel of a client that is gone
        answers the CONNACK by a reset."""
        ids = self.lab.client_ids_at(self.lab.brokers[0], f"hasty-{size}-{listener}", listener)
        payload = b"x" * size
        with mqtt_raw.Client(self.lab.clients, host, next(ids)) as watcher:
            watcher.subscribe("last")
            os.kill(self.lab.brokers[0].pid, signal.SIGSTOP)
            try:
                for _ in range(MESSAGES):
                    with self.lab.clients.connect(host) as sock:
                        sock.sendall(mqtt_raw.connect(next(ids)) + mqtt_raw.publish("last", payload) +
                                     mqtt_raw.DISCONNECT)
                        wait_for("the acknowledgement of everything", lambda sock=sock: unacknowledged(sock) == 0)
            finally:
                os.kill(self.lab.brokers[0].pid, signal.SIGCONT)
            for _ in range(MESSAGES):
                self.assertEqual(watcher.reader.expect(mqtt_raw.PUBLISH), mqtt_raw.text("last") + payload)

    def test_a_publisher_that_does_not_wait_is_heard(self):
        for size in (100, 10000, 50000):
            self.publish_and_leave(FRONT, "mqtt", size)

    def test_a_publisher_that_does_not_wait_is_heard_ipv6(self):
        for size in (100, 10000, 50000):
            self.publish_and_leave(FRONT6, "mqtt6", size)

    def served_elsewhere(self, host, listener):
        before = self.lab.counter("upstream_closed_early")
        ids = self.lab.client_ids_at(self.lab.brokers[1], f"turned-away-{listener}", listener)
        for says in (b"", b"\x20", b"\x20\x02\x00"):
            self.turnstile.says = says
            for _ in range(10):
                with mqtt_raw.Client(self.lab.clients, host, next(ids)) as client:
                    self.assertEqual(client.code, 0)
                    client.ping()
        self.assert_counts("upstream_closed_early", 30, before)
        self.assertEqual({b["state"] for b in self.lab.admin("show backends")["backends"]}, {"up"})

    def test_a_broker_that_closes_instead_of_answering_is_passed_over(self):
        self.served_elsewhere(FRONT, "mqtt")

    def test_a_broker_that_closes_instead_of_answering_is_passed_over_ipv6(self):
        self.served_elsewhere(FRONT6, "mqtt6")

    def test_a_broker_that_closes_at_once_is_passed_over(self):
        self.turnstile.reads, self.turnstile.says = False, b""
        self.addCleanup(setattr, self.turnstile, "reads", True)
        ids = self.lab.client_ids_at(self.lab.brokers[1], "not-even-read")
        for _ in range(10):
            with mqtt_raw.Client(self.lab.clients, FRONT, next(ids)) as client:
                self.assertEqual(client.code, 0)
