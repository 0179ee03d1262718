"""How long a client may be silent: one and a half times its Keep Alive, or the broker's Server Keep Alive. Then the
broker has ten seconds to end the connection in its own words; what is still there after them Sluice ends.

All clients live at the same time; each test waits for its own. Broker 1 is a mosquitto, broker 2 the test.
"""

import concurrent.futures
import contextlib
import time

import mqtt_raw
from lab import FRONT, FRONT6
from labtest import LabTest
from own_broker import ACCEPTED, OwnBroker, pair

KEEP_ALIVE = 2
SILENCE = 1.5 * KEEP_ALIVE  # after which a broker ends it
LIMIT = SILENCE + 10  # after which Sluice does
LONG = LIMIT + 4  # seconds: what is still there then is not ended
SOON = 1.5  # seconds after which a quiet connection's phase is looked at


def connack_with(server_keep_alive):
    """MQTT 5, accepted, with the property Server Keep Alive."""
    return mqtt_raw.packet(0x20, b"\0\0\x03\x13" + server_keep_alive.to_bytes(2, "big"))


def seconds_to_the_end(sock, since, patience=LONG):
    """Reads until the connection ends: after how long, and how. (None, "open") while it has not."""
    while True:
        left = since + patience - time.monotonic()
        if left <= 0:
            return None, "open"
        sock.settimeout(left)
        try:
            if not sock.recv(4096):
                return time.monotonic() - since, "closed"
        except ConnectionResetError:
            return time.monotonic() - since, "reset"
        except TimeoutError:
            pass


class KeepAliveTest(LabTest):
    lab_options = {"brokers": 2, "start_brokers": False, "health": {"type": "none"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.brokers[0].start()
        cls.own = cls.enterClassContext(OwnBroker(cls.lab, cls.lab.brokers[1]))
        cls.mosquitto_ids = cls.lab.client_ids_at(cls.lab.brokers[0], "mosquitto")
        cls.own_ids = cls.lab.client_ids_at(cls.lab.brokers[1], "own")
        cls.own_ids6 = cls.lab.client_ids_at(cls.lab.brokers[1], "own6", "mqtt6")
        cls.phases = {}
        lives = {
            "will": (cls.silent_with_will, next(cls.mosquitto_ids), next(cls.mosquitto_ids)),
            **{f"mosquitto {keep_alive} {version}":
               (cls.silent_at_mosquitto, next(cls.mosquitto_ids), keep_alive, version)
               for keep_alive in (2, 4, 10) for version in (4, 5)},
            "silent": (cls.silent, FRONT, next(cls.own_ids)),
            "silent IPv6": (cls.silent, FRONT6, next(cls.own_ids6)),
            "after talk": (cls.silent_after_talk, next(cls.mosquitto_ids)),
            "hears only": (cls.hears_only, next(cls.own_ids)),
            "pings": (cls.pings, next(cls.mosquitto_ids)),
            "no keep alive": (cls.silent, FRONT, next(cls.own_ids), 0),
            "shorter": (cls.silent, FRONT, next(cls.own_ids), 600, connack_with(KEEP_ALIVE)),
            "longer": (cls.silent, FRONT, next(cls.own_ids), KEEP_ALIVE, connack_with(600)),
        }
        threads = cls.enterClassContext(concurrent.futures.ThreadPoolExecutor(len(lives)))
        cls.lives = {name: threads.submit(*life) for name, life in lives.items()}

    @classmethod
    def look(cls, client_id):
        shown = cls.lab.admin(f"show connections client_id={client_id}")["connections"]
        cls.phases[client_id] = shown[0]["phase"] if shown else "gone"

    @classmethod
    def silent(cls, host, client_id, keep_alive=KEEP_ALIVE, connack=ACCEPTED):
        """Says nothing after its CONNECT. How it ends at the client, and how at the broker."""
        before = time.monotonic()
        client, end = pair(cls.lab, cls.own, host, client_id, connack=connack,
                           version=4 if connack == ACCEPTED else 5, keep_alive=keep_alive)
        with client, end:
            time.sleep(SOON)
            cls.look(client_id)
            at_client = seconds_to_the_end(client, before)
            client.close()
            return at_client, seconds_to_the_end(end, before, LONG + 1)

    @classmethod
    def hears_only(cls, client_id):
        """Gets a message every half second and sends nothing but TCP's acknowledgements."""
        before = time.monotonic()
        client, end = pair(cls.lab, cls.own, FRONT, client_id, keep_alive=KEEP_ALIVE)
        with client, end:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                while time.monotonic() < before + LONG:
                    end.sendall(mqtt_raw.publish("tick", b"tock"))
                    time.sleep(0.5)
                    if time.monotonic() < before + 2:
                        cls.look(client_id)
            return time.monotonic() - before, seconds_to_the_end(client, before)[1]

    @classmethod
    def connected(cls, client_id, keep_alive=KEEP_ALIVE, **options):
        sock = cls.lab.clients.connect(FRONT)
        sock.sendall(mqtt_raw.connect(client_id, keep_alive=keep_alive, **options))
        reader = mqtt_raw.Reader(sock)
        reader.expect(mqtt_raw.CONNACK)
        return sock, reader

    @classmethod
    def silent_at_mosquitto(cls, client_id, keep_alive, version):
        """What it hears before the end, and how it ends."""
        sock, _ = cls.connected(client_id, keep_alive=keep_alive, version=version)
        heard = b""
        with sock:
            sock.settimeout(1.5 * keep_alive + LONG)
            try:
                while said := sock.recv(4096):
                    heard += said
            except ConnectionResetError:
                return heard, "reset"
        return heard, "closed"

    @classmethod
    def silent_with_will(cls, watcher_id, client_id):
        """How it ends at the client, and when its Will comes."""
        with mqtt_raw.Client(cls.lab.clients, FRONT, watcher_id) as watcher:
            watcher.subscribe("will")
            before = time.monotonic()
            sock, _ = cls.connected(client_id, will=("will", "gone"))
            with sock:
                end = seconds_to_the_end(sock, before)
                said = watcher.reader.expect(mqtt_raw.PUBLISH)
                return end, time.monotonic() - before, said

    @classmethod
    def talk(cls, sock, reader, times):
        for _ in range(times):
            time.sleep(1)
            sock.sendall(mqtt_raw.PINGREQ)
            reader.expect(mqtt_raw.PINGRESP)

    @classmethod
    def silent_after_talk(cls, client_id):
        sock, reader = cls.connected(client_id)
        with sock:
            cls.talk(sock, reader, 3)
            return seconds_to_the_end(sock, time.monotonic())

    @classmethod
    def pings(cls, client_id):
        sock, reader = cls.connected(client_id)
        with sock:
            cls.talk(sock, reader, int(LONG))
            cls.look(client_id)

    def assert_in_time(self, seconds, by_sluice=True):
        self.assertIsNotNone(seconds)
        self.assertGreater(seconds, (LIMIT if by_sluice else SILENCE) - 0.05)
        self.assertLess(seconds, LIMIT + 2)

    def assert_reset_on_both_sides(self, life):
        for seconds, how in self.lives[life].result():
            self.assert_in_time(seconds)
            self.assertEqual(how, "reset")

    def assert_not_ended(self, life):
        (_, at_client), (_, at_broker) = self.lives[life].result()
        self.assertEqual((at_client, at_broker), ("open", "closed"))  # until the client's end was closed by itself

    def test_a_silent_client_is_reset_on_both_sides(self):
        self.assert_reset_on_both_sides("silent")

    def test_a_silent_client_is_reset_on_both_sides_ipv6(self):
        self.assert_reset_on_both_sides("silent IPv6")

    def test_the_will_of_a_silent_client_is_published(self):
        (seconds, _), will_came, said = self.lives["will"].result()
        self.assert_in_time(seconds, by_sluice=False)
        self.assert_in_time(will_came, by_sluice=False)
        self.assertEqual(said, mqtt_raw.text("will") + b"gone")

    def test_silence_begins_with_the_last_packet(self):
        seconds, how = self.lives["after talk"].result()
        self.assert_in_time(seconds, by_sluice=False)
        self.assertEqual(how, "closed")

    def test_a_broker_that_ends_a_silent_client_itself_is_heard_out(self):
        for keep_alive in (2, 4, 10):
            self.assertEqual(self.lives[f"mosquitto {keep_alive} 4"].result(), (b"", "closed"))
            heard, how = self.lives[f"mosquitto {keep_alive} 5"].result()
            self.assertEqual(how, "closed")
            # Newer ones say DISCONNECT, Keep Alive timeout.
            self.assertIn((heard[:1], heard[2:3]), ((b"", b""), (b"\xe0", b"\x8d")))

    def test_acknowledging_what_the_broker_sends_is_silence(self):
        seconds, how = self.lives["hears only"].result()
        self.assert_in_time(seconds)
        self.assertEqual(how, "reset")

    def test_a_client_that_pings_is_never_ended(self):
        self.assertIsNone(self.lives["pings"].exception())

    def test_a_client_without_keep_alive_may_be_silent(self):
        self.assert_not_ended("no keep alive")

    def test_server_keep_alive_wins_when_shorter(self):
        self.assert_reset_on_both_sides("shorter")

    def test_server_keep_alive_wins_when_longer(self):
        self.assert_not_ended("longer")

    def test_every_expiry_is_counted(self):
        concurrent.futures.wait(self.lives.values())
        # The four that the test's own broker had; the mosquitto has ended its own itself.
        self.assertEqual(self.lab.counter("closed_idle"), 4)

    # What a spliced connection shows.

    def test_they_are_spliced_meanwhile(self):
        concurrent.futures.wait(self.lives.values())
        self.assertEqual(len(self.phases), 7)
        self.assertEqual(set(self.phases.values()), {"spliced"}, self.phases)
