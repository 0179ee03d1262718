"""What strangers flood a listener with: forged SYNs, ACKs and texts of no connection, CONNECTs never finished."""

import contextlib
import resource
import select
import socket
import struct
import threading
import time

import mqtt_raw
from device import ACK, IPV4, IPV6, PSH, SYN, TCP, Device
from lab import CLIENTS, CLIENTS6, FRONT, FRONT6

SIDES = ((FRONT, CLIENTS, socket.AF_INET), (FRONT6, CLIENTS6, socket.AF_INET6))
MSS = struct.pack("!BBH", 2, 4, 1460)


# Where forged segments come from: an address for each number from 0 on. Other numbers may have the same.

def anywhere(n):
    return f"172.16.{n >> 8 & 255}.{n & 255}"


def anywhere6(n):
    return f"2001:db8:{n >> 8 & 255}:{n & 255}::1"


def neighbors(side):
    """A hundred of the clients' own network; `side` is "10.1.0." or "fd00:1::"."""
    return lambda n: f"{side}{100 + n % 100}"


class Forged:
    """So many forged segments a second, at most, from a thread, while it is entered: from each of the sources 3000 that
    differ, over and over, 50 of one and then 50 of the next. `sent` tells how many there were."""

    DIFFERENT = 3000
    IN_TURN = 50

    def __init__(self, lab, rate, sources=(anywhere, anywhere6)):
        self._rate = rate
        self._over = threading.Event()
        self._stack = contextlib.ExitStack()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0
        self._series = []
        for source in sources:
            device = self._stack.enter_context(Device(lab, source(0)))
            frames = []
            for n in range(self.DIFFERENT):
                device.address = source(n)
                device.port = 1024 + n
                frames.append(device.ip(TCP, self.segment(device, n)))
            self._series.append((device, IPV6 if ":" in source(0) else IPV4, frames))

    def segment(self, device, n):
        raise NotImplementedError

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self._stack.close()

    def _run(self):
        start = time.monotonic()
        while not self._over.wait(0.001):
            due = (time.monotonic() - start) * self._rate
            while self.sent < due and not self._over.is_set():
                block, within = divmod(self.sent, self.IN_TURN)
                turn, which = divmod(block, len(self._series))
                device, kind, frames = self._series[which]
                device.frame(kind, frames[(turn * self.IN_TURN + within) % self.DIFFERENT])
                self.sent += 1


class Syns(Forged):
    """SYNs whose answers nobody hears."""

    def segment(self, device, n):
        return device.segment(SYN, sequence=n << 16, options=MSS)


class Strays(Forged):
    """ACKs of no connection."""

    def segment(self, device, n):
        return device.segment(ACK, sequence=n, acknowledgement=n)


class StrayTexts(Forged):
    """The same with some data."""

    def segment(self, device, n):
        return device.segment(PSH | ACK, mqtt_raw.PINGREQ, sequence=n, acknowledgement=n)


def unfinished(size):
    """A CONNECT of 3.1.1 with so large a client ID, but for its last byte."""
    whole = mqtt_raw.packet(0x10, mqtt_raw.text("MQTT") + struct.pack("!BBHH", 4, 2, 60, size) + bytes(size))
    return whole[:-1]


class UnfinishedConnects:
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
