"""Thousands of clients that send most of a large CONNECT and then wait, beside those that come as clients do."""

import contextlib
import resource
import select
import socket
import struct
import time

import mqtt_raw
from lab import CLIENTS, CLIENTS6, FRONT, FRONT6, wait_for
from labtest import LabTest
from processes import resident_bytes

MEMORY = 48 << 20
UNFINISHED = 1500
SIDES = ((FRONT, CLIENTS, socket.AF_INET), (FRONT6, CLIENTS6, socket.AF_INET6))


def unfinished(size):
    """A CONNECT of 3.1.1 with so large a client ID, but for its last byte."""
    whole = mqtt_raw.packet(0x10, mqtt_raw.text("MQTT") + struct.pack("!BBHH", 4, 2, 60, size) + bytes(size))
    return whole[:-1]


class Flood:
    """Each connects and sends as much as it is let, over IPv4 and IPv6 in turn."""

    def __init__(self, lab, count, text):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._lab = lab
        self._count = count
        self._text = text
        self._epoll = select.epoll()
        self._left = {}  # by file descriptor: the socket, and the bytes that it has not sent yet
        self.opened = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock, _ in self._left.values():
            sock.close()
        self._epoll.close()

    def step(self, more=50):
        """Opens some more, and sends."""
        with self._lab.clients.entered():
            for _ in range(min(more, self._count - self.opened)):
                self._open()
        for fd, event in self._epoll.poll(0.05):
            sock, left = self._left[fd]
            try:
                sent = sock.send(left) if event & select.EPOLLOUT else 0
                if event & (select.EPOLLHUP | select.EPOLLERR):
                    raise OSError
            except OSError:
                self._epoll.unregister(fd)
                sock.close()
                del self._left[fd]
                continue
            self._left[fd] = (sock, left[sent:])
            if sent == len(left):
                self._epoll.modify(fd, 0)
        return self.opened < self._count

    def _open(self):
        to, sources, family = SIDES[self.opened % 2]
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.bind((sources[self.opened // 2 % len(sources)], 0))
        with contextlib.suppress(BlockingIOError):
            sock.connect((to, 1883))
        self._left[sock.fileno()] = (sock, memoryview(self._text))
        self._epoll.register(sock, select.EPOLLOUT)
        self.opened += 1


class UnfinishedConnectsTest(LabTest):
    lab_options = {"brokers": 1, "workers": 3, "runtime": {"connect_memory": "48MiB"},
                   "listener": {"connect_timeout": "4s"}}

    def setUp(self):
        self.longest = 0

    def info(self):
        return self.lab.admin("show info")["info"]

    def held(self):
        return self.info()["connect_bytes"]

    def comes_in(self, number):
        """A client connects, and is answered, in no more time than it takes at any other moment."""
        to, sources, _ = SIDES[number % 2]
        began = time.monotonic()
        with mqtt_raw.Client(self.lab.clients, to, f"client-{number}", source=sources[0]) as client:
            client.ping()
        self.longest = max(self.longest, time.monotonic() - began)

    def flood(self):
        most = 0
        with Flood(self.lab, UNFINISHED, unfinished(60_000)) as flood:
            clients = 0
            while flood.step():
                if flood.opened // 100 > clients:
                    clients += 1
                    self.comes_in(clients)
                most = max(most, self.held())
            end = time.monotonic() + 1
            while time.monotonic() < end:
                flood.step()
                most = max(most, self.held())
        self.assertGreater(most, MEMORY // 2)
        # Workers are asked one after the other, and what one has given back another may have got meanwhile.
        self.assertLess(most, 1.02 * MEMORY)

    def test_memory_is_bounded_and_comes_back(self):
        self.comes_in(0)
        self.assertEqual(self.info()["connect_memory"], MEMORY)
        before = resident_bytes(self.lab.sluiced.pid)
        self.flood()
        self.assertGreater(self.lab.counter("client_connect_evicted"), UNFINISHED // 4)
        self.assertGreater(self.lab.counter("connect_memory_short"), 0)
        self.assertEqual(self.lab.counter("client_waiting_evicted"), 0)
        self.assertLess(self.longest, 2)
        self.assert_all_gone()
        self.assertEqual(self.held(), 0)
        wait_for("memory to go back to the system",
                 lambda: resident_bytes(self.lab.sluiced.pid) < 1.1 * before, 15)
