"""Pseudo-random bytes through many connections at once, both ways, every byte compared as it arrives.

The test holds both ends of each connection. What a stream carries follows from its name alone, so the receiving side
knows what is due. All of it happens in one thread.
"""

import functools
import hashlib
import heapq
import itertools
import selectors
import time

BLOCK = 64 * 1024


@functools.lru_cache(maxsize=256)
def _block(name, number):
    return hashlib.shake_128(f"{name}/{number}".encode()).digest(BLOCK)


def content(name, start, size):
    """At least one and at most `size` bytes of a stream, from `start` on: up to the end of the block."""
    number, offset = divmod(start, BLOCK)
    return _block(name, number)[offset:offset + size]


class Stream:
    """One direction. It sends up to `limit` and expects to receive as much."""

    def __init__(self, name, sender, receiver):
        self.name = name
        self.sender = sender
        self.receiver = receiver
        self.limit = self.sent = self.received = 0
        self._sent_hash = hashlib.sha256()
        self._received_hash = hashlib.sha256()

    def all_sent(self):
        return self.sent == self.limit

    def all_received(self):
        return self.received == self.limit

    def hashes(self):
        return self._sent_hash.hexdigest(), self._received_hash.hexdigest()

    def note_sent(self, data):
        self._sent_hash.update(data)
        self.sent += len(data)

    def send(self):
        """What the socket takes, but no more than a block, so that all get their turn."""
        data = content(self.name, self.sent, self.limit - self.sent)
        try:
            self.note_sent(data[:self.sender.send(data)])
        except BlockingIOError:
            pass

    def receive(self):
        try:
            data = self.receiver.recv(BLOCK)
        except ConnectionResetError as reset:
            raise AssertionError(f"{self.name} was reset after {self.received} bytes of {self.limit}") from reset
        if not data:
            raise AssertionError(f"{self.name} ended after {self.received} bytes of {self.limit}")
        start = 0
        while start < len(data):
            due = content(self.name, self.received, len(data) - start)
            if due != data[start:start + len(due)] or self.received + len(due) > self.limit:
                raise AssertionError(f"{self.name}: other bytes than sent, within {len(due)} from {self.received} on")
            self.received += len(due)
            start += len(due)
        self._received_hash.update(data)


class Exchange:
    """A connection, by its two sockets, and what it is to carry: rounds of (bytes up, bytes down, pause). The next
    round begins that long after everything of the round before has arrived, so that a pause is one of both sides."""

    def __init__(self, name, client, broker, rounds):
        self.name = name
        self.up = Stream(f"{name}/up", client, broker)
        self.down = Stream(f"{name}/down", broker, client)
        self.pause = 0.0
        self._rounds = iter(rounds)

    def begin_round(self):
        """False when there is none left."""
        try:
            up, down, self.pause = next(self._rounds)
        except StopIteration:
            return False
        self.up.limit += up
        self.down.limit += down
        return True

    def round_is_over(self):
        return self.up.all_received() and self.down.all_received()


class Pump:
    """Moves the bytes of many exchanges until all are through, or fails after `timeout` seconds."""

    def __init__(self, exchanges, timeout):
        self._selector = selectors.DefaultSelector()
        self._deadline = time.monotonic() + timeout
        self._paused = []  # (when the next round begins, a number that makes it unique, exchange)
        self._serial = itertools.count()
        self._open = list(exchanges)

    def run(self):
        with self._selector:
            for exchange in self._open:
                for sending, receiving in ((exchange.up, exchange.down), (exchange.down, exchange.up)):
                    sending.sender.setblocking(False)
                    self._selector.register(sending.sender, selectors.EVENT_READ, (sending, receiving, exchange))
                self._next_round(exchange)
            while self._open:
                self._move_until_a_round_is_due()
                while self._paused and self._paused[0][0] <= time.monotonic():
                    self._next_round(heapq.heappop(self._paused)[2])

    def _move_until_a_round_is_due(self):
        now = time.monotonic()
        if now > self._deadline:
            raise TimeoutError("; ".join(f"{s.name}: {s.received} of {s.limit}" for e in self._open
                                         for s in (e.up, e.down)))
        until = min([self._deadline] + [entry[0] for entry in self._paused[:1]])
        for key, events in self._selector.select(max(0.0, until - now)):
            sending, receiving, exchange = key.data
            if events & selectors.EVENT_READ:
                receiving.receive()
                if exchange.round_is_over():
                    heapq.heappush(self._paused, (time.monotonic() + exchange.pause, next(self._serial), exchange))
            if events & selectors.EVENT_WRITE:
                sending.send()
                self._want(sending, key.data)

    def _next_round(self, exchange):
        if not exchange.begin_round():
            self._open.remove(exchange)
            return
        self._want(exchange.up, (exchange.up, exchange.down, exchange))
        self._want(exchange.down, (exchange.down, exchange.up, exchange))

    def _want(self, sending, data):
        events = selectors.EVENT_READ | (0 if sending.all_sent() else selectors.EVENT_WRITE)
        if self._selector.get_key(sending.sender).events != events:
            self._selector.modify(sending.sender, events, data)
