"""Short connections at a steady rate, one program for either side: connect, CONNACK, close.

    churn.py broker ADDRESS
    churn.py client LISTENER CYCLES PER_SECOND SOURCE...

The client ID of a cycle says who closes first. Either program is one thread over epoll. The broker prints "ready"; the
client prints one line of JSON at the end: how many cycles were completed, how long the connects took, what went wrong.
"""

import collections
import json
import select
import socket
import sys
import time

import mqtt_raw
from own_broker import ACCEPTED

PORT = 1883
BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT: the port is chosen by connect(), for the four-tuple
AT_ONCE = 1000             # cycles under way, at most
PATIENCE = 20.0            # seconds without any event before the rest is given up


class Broker:
    def __init__(self, address):
        self._epoll = select.epoll()
        self._listening = socket.create_server((address, PORT), backlog=4096)
        self._listening.setblocking(False)
        self._epoll.register(self._listening, select.EPOLLIN)
        self._sockets = {}

    def run(self):
        print("ready", flush=True)
        while True:
            for number, _ in self._epoll.poll():
                if number == self._listening.fileno():
                    self._accept()
                else:
                    self._read(self._sockets[number])

    def _accept(self):
        try:
            while True:
                sock, _ = self._listening.accept()
                sock.setblocking(False)
                self._sockets[sock.fileno()] = sock
                self._epoll.register(sock, select.EPOLLIN)
        except BlockingIOError:
            pass

    def _read(self, sock):
        """A CONNECT is small enough to come in one piece."""
        data = sock.recv(4096)
        if data:
            sock.sendall(ACCEPTED)
            if b"broker-first" in data:
                sock.shutdown(socket.SHUT_WR)
        else:
            del self._sockets[sock.fileno()]
            sock.close()  # leaves the epoll set by this


class Cycle:
    def __init__(self, sock, number, began):
        self.sock = sock
        self.number = number
        self.began = began
        self.connecting = True

    def client_first(self):
        return self.number % 2 == 0

    def client_id(self):
        return f"{'client' if self.client_first() else 'broker'}-first-{self.number}"


class Clients:
    def __init__(self, listener, cycles, per_second, sources):
        self._listener = listener
        self._cycles = cycles
        self._per_second = per_second
        self._sources = sources
        self._epoll = select.epoll()
        self._under_way = {}  # descriptor -> cycle
        self._begun = self._completed = 0
        self._connect_seconds = []
        self._wrong = collections.Counter()

    def run(self):
        started = last_event = time.monotonic()
        while self._begun < self._cycles or self._under_way:
            now = time.monotonic()
            due = min(self._cycles, int((now - started) * self._per_second))
            while self._begun < due and len(self._under_way) < AT_ONCE:
                self._begin(now)
            events = self._epoll.poll(1 / self._per_second)
            for number, _ in events:
                self._advance(self._under_way[number])
            last_event = now if events else last_event
            if self._under_way and now - last_event > PATIENCE:
                self._wrong["stuck"] += len(self._under_way)
                break
        return self._report(time.monotonic() - started)

    def _report(self, seconds):
        connects = sorted(self._connect_seconds)
        share = {f"p{p}": connects[len(connects) * p // 100] for p in (50, 99)} if connects else {}
        return {"completed": self._completed, "seconds": seconds, "slowest": max(connects, default=None), **share,
                "wrong": self._wrong}

    def _begin(self, now):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
        sock.bind((self._sources[self._begun % len(self._sources)], 0))
        sock.connect_ex((self._listener, PORT))
        self._under_way[sock.fileno()] = Cycle(sock, self._begun, now)
        self._epoll.register(sock, select.EPOLLOUT)
        self._begun += 1

    def _advance(self, cycle):
        try:
            ended = self._step(cycle)
        except OSError as failure:
            self._wrong[failure.strerror] += 1
            ended = True
        if ended:
            del self._under_way[cycle.sock.fileno()]
            cycle.sock.close()

    def _step(self, cycle):
        """What the socket is ready for. True when nothing more is to come."""
        if cycle.connecting:
            cycle.sock.send(mqtt_raw.connect(cycle.client_id()))
            self._epoll.modify(cycle.sock, select.EPOLLIN)
            cycle.connecting = False
            return False
        data = cycle.sock.recv(100)
        if not data:
            self._completed += 1
            return True
        self._connect_seconds.append(time.monotonic() - cycle.began)
        if data != ACCEPTED:
            self._wrong["refused"] += 1
        if cycle.client_first():
            cycle.sock.shutdown(socket.SHUT_WR)
        return False


def main():
    role, address, *words = sys.argv[1:]
    if role == "broker":
        Broker(address).run()
    cycles, per_second, *sources = words
    print(json.dumps(Clients(address, int(cycles), int(per_second), sources).run()))


if __name__ == "__main__":
    main()
