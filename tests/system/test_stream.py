"""What TCP can do to a connection: odd splits, loss, a closed window, one half closed."""

import hashlib
import os
import threading
import time

import mqtt_raw
from lab import FRONT, FRONT6, wait_for
from labtest import LabTest
from own_broker import OwnBroker, pair

MEGABYTE = 1 << 20


class SplitTest(LabTest):
    def test_connect_byte_by_byte(self):
        for version in (3, 4, 5):
            with self.lab.clients.connect(FRONT) as sock:
                for byte in mqtt_raw.connect(f"slow-{version}", version):
                    sock.sendall(bytes([byte]))
                    time.sleep(0.003)
                reader = mqtt_raw.Reader(sock)
                self.assertEqual(reader.expect(mqtt_raw.CONNACK)[1], 0)
                sock.sendall(mqtt_raw.PINGREQ)
                reader.expect(mqtt_raw.PINGRESP)

    def test_connect_split_at_every_place(self):
        whole = mqtt_raw.connect("split") + mqtt_raw.PINGREQ
        for cut in range(1, len(whole)):
            with self.lab.clients.connect(FRONT) as sock:
                sock.sendall(whole[:cut])
                time.sleep(0.005)
                sock.sendall(whole[cut:])
                reader = mqtt_raw.Reader(sock)
                self.assertEqual(reader.expect(mqtt_raw.CONNACK)[1], 0, cut)
                reader.expect(mqtt_raw.PINGRESP)

    def pipelined(self, host, size):
        """Everything before the CONNACK could have come."""
        payload = os.urandom(size)
        with self.lab.clients.connect(host) as sock:
            reader = mqtt_raw.Reader(sock)
            sender = threading.Thread(daemon=True, target=sock.sendall, args=(
                mqtt_raw.connect(f"eager-{size}") + mqtt_raw.subscribe("eager") + mqtt_raw.publish("eager", payload),))
            sender.start()
            self.assertEqual(reader.expect(mqtt_raw.CONNACK)[1], 0)
            reader.expect(mqtt_raw.SUBACK)
            self.assertEqual(reader.expect(mqtt_raw.PUBLISH), mqtt_raw.text("eager") + payload)
            sender.join()

    def test_subscribe_and_publish_behind_connect(self):
        self.pipelined(FRONT, 100)

    def test_more_behind_connect_than_one_window(self):
        self.pipelined(FRONT, MEGABYTE)

    def test_subscribe_and_publish_behind_connect_ipv6(self):
        self.pipelined(FRONT6, 100)


class TransferTest(LabTest):
    """No probes: on a lossy link they would call the broker down, which is another test's matter."""

    lab_options = {"brokers": 1, "health": {"type": "none"}}

    def both_ways(self, client, count, size):
        """Publishes `count` messages of `size` bytes to itself at QoS 1, reading while it sends; compares every byte."""
        sent, received, acknowledged, failures = hashlib.sha256(), hashlib.sha256(), [], []
        client.subscribe("big", 0)

        def read():
            try:
                prefix = mqtt_raw.text("big")
                for _ in range(2 * count):
                    kind, _, body = client.reader.packet()
                    if kind == mqtt_raw.PUBLISH:
                        received.update(body[len(prefix):])
                    else:
                        acknowledged.append(kind)
            except Exception as failure:  # it is the main thread that has to fail
                failures.append(failure)

        reading = threading.Thread(target=read, daemon=True)
        reading.start()
        for n in range(count):
            payload = os.urandom(size)
            sent.update(payload)
            client.sock.sendall(mqtt_raw.publish("big", payload, 1, n + 1))
        reading.join(240)
        self.assertFalse(reading.is_alive(), "not everything came back in time")
        self.assertEqual(failures, [])
        self.assertEqual(acknowledged, [mqtt_raw.PUBACK] * count)
        self.assertEqual(received.hexdigest(), sent.hexdigest())

    def test_50_megabytes_both_ways(self):
        with mqtt_raw.Client(self.lab.clients, FRONT, "bulk", timeout=60) as client:
            self.both_ways(client, 50, MEGABYTE)

    def test_50_megabytes_both_ways_with_2_percent_loss_at_the_client(self):
        with self.lab.clients.loss(2), mqtt_raw.Client(self.lab.clients, FRONT, "lossy", timeout=120) as client:
            self.both_ways(client, 50, MEGABYTE)

    def test_10_megabytes_both_ways_with_2_percent_loss_at_the_broker(self):
        with self.lab.broker_side.loss(2), mqtt_raw.Client(self.lab.clients, FRONT6, "lossy6", timeout=120) as client:
            self.both_ways(client, 10, MEGABYTE)

    def test_connects_with_5_percent_loss_on_both_sides(self):
        with self.lab.clients.loss(5), self.lab.broker_side.loss(5):
            for n in range(10):
                with mqtt_raw.Client(self.lab.clients, FRONT, f"unlucky-{n}", timeout=60) as client:
                    self.assertEqual(client.code, 0)
                    client.echo(f"unlucky/{n}", b"x" * 30000)

    def test_a_window_closed_for_10_seconds(self):
        count, size = 40, MEGABYTE // 2
        with mqtt_raw.Client(self.lab.clients, FRONT, "sleeper", timeout=60, receive_buffer=65536) as sleeper, \
                mqtt_raw.Client(self.lab.clients, FRONT, "talker", timeout=60) as talker:
            sleeper.subscribe("much")
            sent = hashlib.sha256()
            started = time.monotonic()
            for _ in range(count):
                payload = os.urandom(size)
                sent.update(payload)
                talker.sock.sendall(mqtt_raw.publish("much", payload))
            talker.ping()
            time.sleep(max(0.0, started + 10 - time.monotonic()))
            received = hashlib.sha256()
            for _ in range(count):
                received.update(sleeper.reader.expect(mqtt_raw.PUBLISH)[len(mqtt_raw.text("much")):])
            self.assertEqual(received.hexdigest(), sent.hexdigest())
            sleeper.ping()


class HalfCloseTest(LabTest):
    """The test is the broker itself: mosquitto would close its own half at once."""

    lab_options = {"brokers": 1, "start_brokers": False, "health": {"type": "none"}}

    def setUp(self):
        self.own = self.enterContext(OwnBroker(self.lab, self.lab.brokers[0]))

    def pair(self, client_id):
        """A client and the broker's end of its connection, both after CONNACK and one exchange each way."""
        client, broker = pair(self.lab, self.own, FRONT, client_id)
        self.addCleanup(client.close)
        self.addCleanup(broker.close)
        client.sendall(mqtt_raw.PINGREQ)
        self.assertEqual(mqtt_raw.Reader(broker).packet()[0], 12)
        broker.sendall(b"\xd0\x00")
        mqtt_raw.Reader(client).expect(mqtt_raw.PINGRESP)
        return client, broker

    def one_half(self, first, second):
        """`first` ends its half; `second` learns it, and its own half still carries everything."""
        payload = os.urandom(MEGABYTE)
        first.sendall(b"last words")
        first.shutdown(1)
        self.assertEqual(mqtt_raw.Reader(second).exactly(10), b"last words")
        self.assertEqual(second.recv(1), b"")
        sender = threading.Thread(target=lambda: (second.sendall(payload), second.shutdown(1)), daemon=True)
        sender.start()
        self.assertEqual(mqtt_raw.Reader(first).exactly(len(payload)), payload)
        self.assertEqual(first.recv(1), b"")
        sender.join()

    def test_the_client_ends_its_half_first(self):
        # What the tests before this one closed has been counted once it is gone.
        wait_for("no connection to be left", lambda: not self.lab.admin("show connections")["connections"])
        before = self.lab.counter("closed_orderly")
        self.one_half(*self.pair("half-1"))
        self.assert_counts("closed_orderly", 1, before)

    def test_the_broker_ends_its_half_first(self):
        client, broker = self.pair("half-2")
        self.one_half(broker, client)

    def test_a_reset_of_the_client_reaches_the_broker(self):
        client, broker = self.pair("reset-1")
        mqtt_raw.reset(client)
        with self.assertRaises(ConnectionResetError):
            broker.recv(1)

    def test_a_reset_of_the_broker_reaches_the_client(self):
        client, broker = self.pair("reset-2")
        mqtt_raw.reset(broker)
        with self.assertRaises(ConnectionResetError):
            client.recv(1)
