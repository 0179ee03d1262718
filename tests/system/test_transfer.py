"""200 MB over wires that lose and reorder, through 20 connections at once, and every byte is where it belongs.

The test is client and broker, so that both directions carry whatever it likes behind CONNECT and CONNACK. The transfer
happens once, for the class; each test then looks at one side of what came of it.
"""

import concurrent.futures
import contextlib
import random
import time

from lab import FRONT, FRONT6
from labtest import LabTest
from own_broker import OwnBroker, pair
from streams import Exchange, Pump, content

EACH_WAY = 5_000_000  # bytes of one connection
AT_ONCE = 32 * 1024   # bytes pipelined behind CONNECT and CONNACK
PACKETS = ("from_client_packets", "from_broker_packets")


def steady(_dice):
    """Never quiet."""
    return [(EACH_WAY, EACH_WAY, 0)]


def bursts(dice):
    """Quiet ten times, for longer than it takes to repeat a lost segment."""
    return [(EACH_WAY // 10, EACH_WAY // 10, dice.uniform(0.1, 0.3)) for _ in range(10)]


def small_talk(dice):
    """Question and answer, quiet for a moment after each; then as much as the others, without a pause."""
    rounds = [(dice.randint(1, 1500), dice.randint(1, 1500), 0) for _ in range(100)]
    return rounds + [(EACH_WAY - sum(r[0] for r in rounds), EACH_WAY - sum(r[1] for r in rounds), 0)]


# (rounds, whether data comes right behind CONNECT and CONNACK), for the ten connections of a family.
KINDS = [(steady, False), (steady, True), (bursts, False), (bursts, True), (small_talk, False)] * 2


class TransferOverBadWiresTest(LabTest):
    lab_options = {"brokers": 1, "start_brokers": False, "health": {"type": "none"},
                   "wire": {"loss": 2, "reorder": 5, "seed": 20}, "pools": {"attempt_timeout": "20s"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.broker = cls.enterClassContext(OwnBroker(cls.lab, cls.lab.brokers[0]))
        started = time.monotonic()
        with contextlib.ExitStack() as sockets:
            cls.exchanges = cls.all_exchanges(sockets)
            Pump(cls.exchanges, 120).run()
            cls.duration = time.monotonic() - started
            time.sleep(0.5)  # the last acknowledgements
            shown = cls.lab.admin("show connections")["connections"]
            cls.shown = {connection["client_id"]: connection for connection in shown}
            cls.close(cls.exchanges)

    @classmethod
    def all_exchanges(cls, sockets):
        """All connect at the same time."""
        plans = [(f"{kind.__name__}-{'at-once' if at_once else 'later'}-{family}-{n}", host, kind, at_once)
                 for family, host in (("v4", FRONT), ("v6", FRONT6)) for n, (kind, at_once) in enumerate(KINDS)]
        with concurrent.futures.ThreadPoolExecutor(len(plans)) as threads:
            exchanges = list(threads.map(lambda plan: cls.exchange(*plan), plans))
        for exchange in exchanges:
            sockets.callback(exchange.up.sender.close)
            sockets.callback(exchange.up.receiver.close)
        return exchanges

    @classmethod
    def exchange(cls, name, host, kind, at_once):
        size = AT_ONCE if at_once else 0
        up, down = content(f"{name}/up", 0, size), content(f"{name}/down", 0, size)
        client, end = pair(cls.lab, cls.broker, host, name, up, down, timeout=60)
        exchange = Exchange(name, client, end, kind(random.Random(name)))
        exchange.up.note_sent(up)
        exchange.down.note_sent(down)
        return exchange

    @staticmethod
    def close(exchanges):
        """Half of them by the client first. What a socket got last is the end of its stream, no reset."""
        for n, exchange in enumerate(exchanges):
            first, second = exchange.up.sender, exchange.up.receiver
            if n % 2:
                first, second = second, first
            for sock in (first, second):
                sock.settimeout(20)
            first.shutdown(1)
            assert second.recv(1) == b"", f"{exchange.name}: more than was sent"
            second.shutdown(1)
            assert first.recv(1) == b"", f"{exchange.name}: more than was sent"

    def test_every_byte_arrives(self):
        """Compared one by one on the way, and here by the hashes of whole streams."""
        hashes = set()
        for exchange in self.exchanges:
            for stream in (exchange.up, exchange.down):
                self.assertEqual((stream.sent, stream.received), (EACH_WAY, EACH_WAY), stream.name)
                sent, received = stream.hashes()
                self.assertEqual(sent, received, stream.name)
                hashes.add(sent)
        self.assertEqual(len(hashes), 2 * len(self.exchanges))

    def test_it_is_done_in_a_minute(self):
        self.assertLess(self.duration, 60)

    def test_the_bytes_are_shown(self):
        for exchange in self.exchanges:
            shown = self.shown[exchange.name]
            self.assertGreaterEqual(shown["from_client_bytes"], EACH_WAY, exchange.name)
            self.assertGreaterEqual(shown["from_broker_bytes"], EACH_WAY, exchange.name)

    def test_all_ends_orderly_and_everything_is_given_back(self):
        self.assert_all_gone()
        self.assertEqual(self.lab.counter("closed_orderly"), len(self.exchanges))
        self.assertEqual(self.lab.counter("leases_acquired"), len(self.exchanges))

    def test_the_wires_were_bad(self):
        self.assert_all_gone()
        for wire in self.lab.wires:
            for counts in wire.stop().values():
                self.assertEqual(counts["too_large"] + counts["not_sent"] + counts["missed"], 0, counts)
                self.assertAlmostEqual(counts["lost"] / counts["frames"], 0.02, delta=0.004)
                self.assertAlmostEqual(counts["behind"] / counts["frames"], 0.05, delta=0.006)

    # What a spliced connection shows.

    def test_every_connection_that_paused_is_spliced(self):
        paused = [exchange.name for exchange in self.exchanges if exchange.name.startswith("bursts")]
        self.assertEqual({name: self.shown[name]["phase"] for name in paused}, dict.fromkeys(paused, "spliced"))
        for name in paused:
            for key in PACKETS:
                self.assertGreater(self.shown[name][key], 0, name)
        self.assertGreaterEqual(self.lab.counter("spliced"), len(paused))
