"""Who closes early: clients that have sent all they had to say and wait for no answer, and brokers that let a client in
and leave before their CONNACK."""

import socket
import threading

import mqtt_raw
from lab import FRONT, FRONT6, wait_for
from labtest import LabTest


class SendAndCloseTest(LabTest):
    """CONNECT, PUBLISH and DISCONNECT, and then nobody who reads: the client's kernel answers the CONNACK by a reset.
    What had been acknowledged to the client arrives all the same."""

    lab_options = {"brokers": 1}

    def arrived(self, size):
        return self.lab.brokers[0].log.read_text(errors="replace").count(f"({size} bytes)")

    def all_arrive(self, host, sizes):
        for size in sizes:
            with self.subTest(size=size):
                for n in range(10):
                    with self.lab.clients.connect(host) as sock:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                        sock.sendall(mqtt_raw.connect(f"hasty-{size}-{n}") + mqtt_raw.publish("last", bytes(size)) +
                                     mqtt_raw.DISCONNECT)
                wait_for(f"ten of {size} bytes", lambda size=size: self.arrived(size) == 10, 5)

    def test_ipv4(self):
        self.all_arrive(FRONT, (2001, 20001, 50001, 100001))

    def test_ipv6(self):
        self.all_arrive(FRONT6, (2006, 20006, 50006, 100006))


class Leaver:
    """Listens where a broker should and ends every connection: at once, by a reset, or once the CONNECT is there."""

    def __init__(self, lab, broker):
        self.manner = "at once"
        self._listening = [lab.broker_side.listen(address) for address in (broker.address, broker.address6)]
        self._threads = [threading.Thread(target=self._serve, args=(sock,), daemon=True) for sock in self._listening]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self._listening:
            sock.shutdown(socket.SHUT_RDWR)  # wakes accept()
        for thread in self._threads:
            thread.join()
        for sock in self._listening:
            sock.close()

    def _serve(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            if self.manner == "late":
                sock.settimeout(2)
                try:
                    sock.recv(4096)
                except OSError:
                    pass  # a probe leaves without a word
            if self.manner == "reset":
                mqtt_raw.reset(sock)
            else:
                sock.close()


class BrokerLeavesTest(LabTest):
    """One of three, as a broker at its connection limit, or a proxy with nothing behind it. Two are well, so every
    client can be served."""

    lab_options = {"start_brokers": False, "start_sluiced": False,
                   "health": {"type": "tcp", "interval": "1s", "timeout": "500ms", "rise": 1, "fall": 10}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for broker in (cls.lab.brokers[0], cls.lab.brokers[2]):
            broker.start()
        cls.leaver = cls.enterClassContext(Leaver(cls.lab, cls.lab.brokers[1]))
        cls.lab.start_sluiced()

    def is_served(self, host, client_id):
        try:
            with mqtt_raw.Client(self.lab.clients, host, client_id) as client:
                return client.code == 0
        except mqtt_raw.Closed:
            return False

    def all_are_served(self, manner):
        self.leaver.manner = manner
        for host in (FRONT, FRONT6):
            wait_for("all to be up", lambda: set(self.lab.backend_states().values()) == {"up"})
            retried = self.lab.counter("upstream_retried")
            unserved = [n for n in range(30) if not self.is_served(host, f"{manner}-{n}")]
            self.assertEqual(unserved, [], host)
            self.assertGreater(self.lab.counter("upstream_retried"), retried)

    def test_at_once(self):
        self.all_are_served("at once")

    def test_once_the_connect_is_there(self):
        self.all_are_served("late")

    def test_by_a_reset(self):
        self.all_are_served("reset")
