"""What clients and brokers do to each other in the soak: a method for each behaviour, over and over from many threads.

Whatever is sent is compared where it arrives. A reset may be lost on a bad wire, and nobody repeats it; so whoever
waits for one counts it as heard or unheard, and Keep Alive ends what is left.
"""

import collections
import contextlib
import itertools
import random
import socket
import struct
import threading
import time
import traceback

import mqtt_raw
from lab import CLIENTS, CLIENTS6, FRONT, FRONT6
from own_broker import pair
from streams import Exchange, Pump, content

PATIENCE = 60        # seconds for anything that has to come
RESET_PATIENCE = 8   # seconds for a reset that may be lost
# In seconds. A side that had to repeat its SYN waits some 3, 7 and 14 seconds before it repeats a segment.
KEEP_ALIVE = 10
SHORT_KEEP_ALIVE = 4
BROKERS_TURN = 10    # after one and a half Keep Alive, before Sluice ends the connection
LATE = 50_000        # bytes that come after the other side has closed its half


class Soak:
    """`threads` threads that behave at random, from a seed, until run() returns."""

    def __init__(self, lab, own, threads, seed):
        self.done = collections.Counter()
        self.resets = collections.Counter()
        self.failures = []
        self._lab = lab
        self._own = own
        self._threads = threads
        self._seed = seed
        self._lock = threading.Lock()
        self._ids = {}
        for listener, host in (("mqtt", FRONT), ("mqtt6", FRONT6)):
            for kind, broker in zip(("mosquitto", "own"), lab.brokers):
                self._ids[kind, host] = lab.client_ids_at(broker, f"{kind}-{listener}", listener)

    def behaviours(self):
        return (self.echo_and_disconnect, self.echo_and_reset, self.client_closes, self.broker_closes,
                self.client_resets, self.broker_resets, self.client_ends_its_half, self.broker_ends_its_half,
                self.silent_client, self.large_exchange, self.leaves_before_the_handshake, self.leaves_before_connect,
                self.leaves_before_connack, self.sends_half_a_connect)

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        threads = [threading.Thread(target=self._behave, args=(n, deadline)) for n in range(self._threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _behave(self, number, deadline):
        """Each behaviour in turn, every thread beginning at another; the rest is chance."""
        dice = random.Random(f"{self._seed}/{number}")
        turns = itertools.cycle(self.behaviours())
        for behaviour in itertools.islice(turns, number, None):
            if time.monotonic() > deadline or self.failures:
                return
            try:
                with contextlib.ExitStack() as stack:
                    behaviour(dice, stack)
                self._count(self.done, behaviour.__name__)
            except Exception:  # the test has to fail, not the thread
                self.failures.append(f"{behaviour.__name__}: {traceback.format_exc()}")

    def _count(self, counter, what):
        with self._lock:
            counter[what] += 1

    # Means

    def _id(self, kind, host):
        with self._lock:
            return next(self._ids[kind, host])

    @staticmethod
    def _way(dice):
        """Where to, and from where."""
        return dice.choice([(FRONT, dice.choice(CLIENTS)), (FRONT6, dice.choice(CLIENTS6))])

    def _connected(self, dice):
        """A connection whose handshake is complete."""
        host, source = self._way(dice)
        return host, self._lab.clients.connect(host, source=source, timeout=PATIENCE)

    def _exchanged(self, dice, stack, rounds, keep_alive=KEEP_ALIVE):
        """A client and its broker's end, after some talk."""
        host, source = self._way(dice)
        name = self._id("own", host)
        client, end = pair(self._lab, self._own, host, name, keep_alive=keep_alive, source=source, timeout=PATIENCE)
        stack.callback(client.close)
        stack.callback(end.close)
        exchange = Exchange(name, client, end, rounds)
        Pump([exchange], PATIENCE).run()
        for stream in (exchange.up, exchange.down):
            sent, received = stream.hashes()
            if sent != received:
                raise AssertionError(f"{stream.name} was changed on its way")
        for sock in (client, end):
            sock.settimeout(PATIENCE)
        return client, end

    def _talk(self, dice):
        return [(dice.randint(1, 20_000), dice.randint(0, 20_000), dice.choice((0, dice.uniform(0, 0.3))))
                for _ in range(dice.randint(1, 6))]

    @staticmethod
    def _expect_end(sock):
        if sock.recv(1):
            raise AssertionError("more came than was sent")

    def _expect_reset(self, sock, patience=RESET_PATIENCE):
        sock.settimeout(patience)
        try:
            if sock.recv(1):
                raise AssertionError("more came than was sent")
            raise AssertionError("a FIN came for a reset")
        except ConnectionResetError:
            self._count(self.resets, "heard")
        except TimeoutError:
            self._count(self.resets, "unheard")

    # With a mosquitto

    def _echo(self, dice, stack):
        host, source = self._way(dice)
        name = self._id("mosquitto", host)
        client = stack.enter_context(mqtt_raw.Client(self._lab.clients, host, name, dice.choice((3, 4)), KEEP_ALIVE,
                                                     source=source, timeout=PATIENCE))
        client.subscribe(name)
        for n in range(1, dice.randint(2, 8)):
            payload = content(f"{name}/{n}", 0, dice.choice((dice.randint(1, 2000), dice.randint(1, 200_000))))
            qos = dice.choice((0, 1))
            client.sock.sendall(mqtt_raw.publish(name, payload, qos, n))
            came = dict(client.reader.packet()[::2] for _ in range(1 + qos))
            if came.pop(mqtt_raw.PUBLISH) != mqtt_raw.text(name) + payload:
                raise AssertionError(f"{name}: another message than number {n}")
            if qos and came.pop(mqtt_raw.PUBACK)[:2] != struct.pack("!H", n):
                raise AssertionError(f"{name}: another PUBACK than number {n}")
            time.sleep(dice.choice((0, dice.uniform(0, 0.3))))
        return client

    def echo_and_disconnect(self, dice, stack):
        client = self._echo(dice, stack)
        client.sock.sendall(mqtt_raw.DISCONNECT)
        self._expect_end(client.sock)

    def echo_and_reset(self, dice, stack):
        mqtt_raw.reset(self._echo(dice, stack).sock)

    # With the test as broker

    def client_closes(self, dice, stack):
        client, end = self._exchanged(dice, stack, self._talk(dice))
        client.close()
        self._expect_end(end)

    def broker_closes(self, dice, stack):
        client, end = self._exchanged(dice, stack, self._talk(dice))
        end.close()
        self._expect_end(client)

    def client_resets(self, dice, stack):
        client, end = self._exchanged(dice, stack, self._talk(dice))
        mqtt_raw.reset(client)
        self._expect_reset(end)

    def broker_resets(self, dice, stack):
        client, end = self._exchanged(dice, stack, self._talk(dice))
        mqtt_raw.reset(end)
        self._expect_reset(client)

    def client_ends_its_half(self, dice, stack):
        client, end = self._exchanged(dice, stack, self._talk(dice))
        self._one_half(client, end)

    def broker_ends_its_half(self, dice, stack):
        client, end = self._exchanged(dice, stack, self._talk(dice))
        self._one_half(end, client)

    def _one_half(self, first, second):
        late = content("late", 0, LATE)
        first.sendall(late[:100])
        first.shutdown(socket.SHUT_WR)
        if mqtt_raw.Reader(second).exactly(100) != late[:100]:
            raise AssertionError("other last bytes than sent")
        self._expect_end(second)
        second.sendall(late)
        second.shutdown(socket.SHUT_WR)
        if mqtt_raw.Reader(first).exactly(LATE) != late:
            raise AssertionError("other bytes than sent into the open half")
        self._expect_end(first)

    def silent_client(self, dice, stack):
        client, end = self._exchanged(dice, stack, [(100, 100, 0)], SHORT_KEEP_ALIVE)
        self._expect_reset(client, 1.5 * SHORT_KEEP_ALIVE + BROKERS_TURN + RESET_PATIENCE)
        self._expect_reset(end)

    def large_exchange(self, dice, stack):
        """Several times what fits into any buffer on the way."""
        client, end = self._exchanged(dice, stack, [(2_000_000, 2_000_000, 0.2), (100, 2_000_000, 0)])
        client.close()
        self._expect_end(end)

    # That never become connections to a broker, or hardly

    def leaves_before_the_handshake(self, dice, _stack):
        """The SYN-ACK finds nobody."""
        host, source = self._way(dice)
        with self._lab.clients.entered():
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        with sock:
            sock.setblocking(False)
            sock.bind((source, 0))
            sock.connect_ex((host, 1883))

    def leaves_before_connect(self, dice, _stack):
        _, sock = self._connected(dice)
        dice.choice((mqtt_raw.reset, socket.socket.close))(sock)

    def leaves_before_connack(self, dice, _stack):
        """The mosquitto's ID: a socket of the test's own broker would wait for somebody to take it."""
        host, sock = self._connected(dice)
        sock.sendall(mqtt_raw.connect(self._id("mosquitto", host), keep_alive=KEEP_ALIVE))
        time.sleep(dice.choice((0, dice.uniform(0, 0.01))))
        dice.choice((mqtt_raw.reset, socket.socket.close))(sock)

    def sends_half_a_connect(self, dice, _stack):
        _, sock = self._connected(dice)
        sock.sendall(mqtt_raw.connect("half")[:dice.randint(1, 15)])
        time.sleep(dice.uniform(0, 0.3))
        dice.choice((mqtt_raw.reset, socket.socket.close))(sock)
