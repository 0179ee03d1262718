"""Thousands of MQTT 3.1.1 clients in one thread. Each stays connected, comes back when it is cut off, and talks to itself
all the time: it subscribes to a topic of its own and publishes numbered messages to it with QoS 1. What must not be lost
is known of each connection: how many messages went out on it, were acknowledged, and came back, in which order.
"""

import collections
import random
import resource
import select
import socket
import struct
import threading
import time

import mqtt_raw
from lab import CLIENTS, FRONT, wait_for

Cut = collections.namedtuple("Cut", "time client_id connection")
Joined = collections.namedtuple("Joined", "time client_id code")

_CONNACK_ACCEPTED = 0


class _Client:
    def __init__(self, client_id, source, persistent):
        self.client_id = client_id
        self.source = source
        self.persistent = persistent
        self.connection = 0  # how many there have been
        self.sock = None
        self.reset_counts()

    def reset_counts(self):
        self.state = "away"
        self.input = b""
        self.output = b""
        self.published = 0
        self.acknowledged = 0
        self.returned = 0
        self.disorder = 0


class Swarm:
    """`talk`: seconds between two messages of a client; None: silent but for PINGREQ. `back`: how long a client that was
    cut off waits, at most, before it comes back; None: it stays away until recall()."""

    def __init__(self, lab, count, word="swarm", talk=1.0, back=1.0, persistent=lambda n: False, rate=1000):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._lab = lab
        self._talk = talk
        self._back = back
        self._pause = 1 / rate
        self._random = random.Random(1)
        self.clients = [_Client(f"{word}-{n}", CLIENTS[n % len(CLIENTS)], persistent(n)) for n in range(count)]
        self.cuts = []    # of established connections, oldest first
        self.joined = []  # every CONNACK
        self.faults = []  # what no client should meet
        self._due = []    # (when, client) that are to connect, in order
        self._by_fd = {}
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.recall(self.clients)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended = True
        self._thread.join()

    # For tests

    def up(self):
        return [c for c in self.clients if c.state == "up"]

    def wait_all_up(self, timeout=60):
        wait_for("all clients to be connected", lambda: len(self.up()) == len(self.clients), timeout)

    def recall(self, clients):
        """Lets them connect, one after the other at the swarm's rate, those that are connected anew."""
        with self._lock:
            start = max(time.monotonic(), self._due[-1][0] if self._due else 0)
            self._due += [(start + n * self._pause, c) for n, c in enumerate(clients)]

    def unreturned(self):
        """Client ID -> messages that went out more than a moment ago and have not come back."""
        return {c.client_id: c.published - c.returned for c in self.up() if c.published != c.returned}

    def be_silent(self):
        self._talk = None

    # The thread

    def _run(self):
        with self._lab.clients.entered():
            self._epoll = select.epoll()
            next_talk = 0
            turn = 0
            while not self._ended:
                self._connect_due()
                for fd, event in self._epoll.poll(0.01):
                    client = self._by_fd.get(fd)
                    if client is not None:
                        self._on_event(client, event)
                now = time.monotonic()
                if self._talk is not None and now >= next_talk:
                    # A tenth of them at a time.
                    next_talk = now + self._talk / 10
                    turn = (turn + 1) % 10
                    for client in self.clients[turn::10]:
                        if client.state == "up":
                            self._publish(client)
            for client in self.clients:
                self._close(client)
            self._epoll.close()

    def _connect_due(self):
        now = time.monotonic()
        due = []
        with self._lock:
            while self._due and self._due[0][0] <= now:
                due.append(self._due.pop(0)[1])
        for client in due:
            self._close(client)
            client.reset_counts()
            client.connection += 1
            client.state = "connecting"
            client.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sock.bind((client.source, 0))
            client.sock.connect_ex((FRONT, 1883))
            flags = b"\x00" if client.persistent else b"\x02"
            client.output = mqtt_raw.packet(0x10, mqtt_raw.text("MQTT") + b"\x04" + flags + b"\x00\x3c" +
                                            mqtt_raw.text(client.client_id))
            self._by_fd[client.sock.fileno()] = client
            self._epoll.register(client.sock, select.EPOLLIN | select.EPOLLOUT)

    def _close(self, client):
        if client.sock is not None:
            self._by_fd.pop(client.sock.fileno(), None)
            client.sock.close()
            client.sock = None

    def _on_event(self, client, event):
        try:
            if event & select.EPOLLIN:
                data = client.sock.recv(65536)
                if not data:
                    raise ConnectionResetError("closed")
                client.input += data
                self._read(client)
            elif event & (select.EPOLLHUP | select.EPOLLERR):
                raise OSError(client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "gone")
            if event & select.EPOLLOUT and client.sock is not None:
                self._flush(client)
        except BlockingIOError:
            pass
        except OSError:
            self._lost(client)

    def _flush(self, client):
        if client.output:
            sent = client.sock.send(client.output)
            client.output = client.output[sent:]
        wanted = select.EPOLLIN | (select.EPOLLOUT if client.output else 0)
        self._epoll.modify(client.sock, wanted)

    def _send(self, client, data):
        client.output += data
        try:
            self._flush(client)
        except BlockingIOError:
            self._epoll.modify(client.sock, select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            self._lost(client)

    def _lost(self, client):
        now = time.monotonic()
        if client.state == "up":
            self.cuts.append(Cut(now, client.client_id, client.connection))
        self._close(client)
        client.state = "away"
        if self._back is not None:
            with self._lock:
                self._due.append((now + self._random.uniform(0, self._back), client))
                self._due.sort(key=lambda entry: entry[0])

    def _publish(self, client):
        client.published += 1
        self._send(client, mqtt_raw.publish(f"own/{client.client_id}", struct.pack("!I", client.published), 1,
                                            client.published % 65535 + 1))

    def _read(self, client):
        while True:
            size = self._packet_size(client.input)
            if size is None or len(client.input) < size:
                return
            packet, client.input = client.input[:size], client.input[size:]
            self._on_packet(client, packet)
            if client.sock is None:
                return

    @staticmethod
    def _packet_size(data):
        length = shift = 0
        for n, byte in enumerate(data[1:5]):
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return 2 + n + length
        return None

    def _on_packet(self, client, packet):
        kind = packet[0] >> 4
        if kind == mqtt_raw.CONNACK:
            self.joined.append(Joined(time.monotonic(), client.client_id, packet[3]))
            if packet[3] != _CONNACK_ACCEPTED:
                return  # the end follows
            self._send(client, mqtt_raw.subscribe(f"own/{client.client_id}", 1))
        elif kind == mqtt_raw.SUBACK:
            client.state = "up"
        elif kind == mqtt_raw.PUBACK:
            client.acknowledged += 1
        elif kind == mqtt_raw.PUBLISH:
            self._on_message(client, packet)
        elif kind != mqtt_raw.PINGRESP:
            self.faults.append((client.client_id, packet[:20]))

    def _on_message(self, client, packet):
        topic_size = struct.unpack("!H", packet[2:4])[0]
        at = 4 + topic_size
        if packet[0] & 0x06:
            self._send(client, mqtt_raw.puback(struct.unpack("!H", packet[at:at + 2])[0]))
            at += 2
        number = struct.unpack("!I", packet[at:at + 4])[0]
        if client.persistent and number > client.published:
            return  # of an earlier connection, kept by the broker
        client.returned += 1
        if number != client.returned:
            client.disorder += 1


def busiest_second(times):
    """The most of these times that lie within any one second."""
    times = sorted(times)
    most = first = 0
    for last, when in enumerate(times):
        while when - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most
