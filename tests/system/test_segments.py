"""How large segments may be and how many at once: small windows, narrow paths, an MSS that is ignored, fragments."""

import mqtt_raw
from device import ACK, Device
from lab import FRONT, wait_for
from labtest import LabTest

SIDES = ("10.1.0.", "fd00:1::")  # whose addresses above 20 are nobody's


class SmallWindowTest(LabTest):
    """Retained messages come at once and in a row, to a device that acknowledges nothing for a while."""

    lab_options = {"brokers": 1}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with mqtt_raw.Client(cls.lab.clients, FRONT, "keeper") as keeper:
            for n in range(40):
                keeper.sock.sendall(mqtt_raw.publish(f"kept/{n}", bytes(400), qos=1, retain=True))
                keeper.reader.expect(mqtt_raw.PUBACK)

    def behind_connack(self, pause):
        """The CONNACK is acknowledged; after the pause the device subscribes. None: by the same segment. Where what
        counts begins, and what comes before the messages."""
        def ask(device, client_id):
            device.say(mqtt_raw.connect(client_id))
            device.reader.expect(mqtt_raw.CONNACK)
            if pause is not None:
                device.send(ACK)
                device.wait(pause)
            device.say(mqtt_raw.subscribe("kept/#"))
            return device.expected, (mqtt_raw.SUBACK,)
        return ask

    @staticmethod
    def behind_connect(device, client_id):
        first = device.expected
        device.say(mqtt_raw.connect(client_id) + mqtt_raw.subscribe("kept/#"))
        return first, (mqtt_raw.CONNACK, mqtt_raw.SUBACK)

    def gets_no_more_than(self, window, mss, ask):
        for n, side in enumerate(SIDES):
            with self.subTest(side), Device(self.lab, f"{side}50", window=window, mss=mss) as device:
                device.acknowledges = False
                self.assertTrue(device.open())
                first, answers = ask(device, f"small-{window}-{n}")
                device.wait(0.3)
                reach = [(s.sequence + len(s.payload) - first) % (1 << 32) for s in device.texts()
                         if (s.sequence - first) % (1 << 32) < 1 << 30]
                self.assertTrue(reach, "nothing came")
                self.assertLessEqual(max(reach), window)
                # All of it comes once the device goes on.
                device.acknowledges = True
                device.send(ACK)
                for kind in (*answers, *40 * [mqtt_raw.PUBLISH]):
                    device.reader.expect(kind)

    def test_subscribe_acknowledges_the_connack(self):
        self.gets_no_more_than(1072, 536, self.behind_connack(None))

    def test_subscribe_comes_later(self):
        self.gets_no_more_than(1072, 536, self.behind_connack(0.3))

    def test_subscribe_comes_at_once(self):
        self.gets_no_more_than(1072, 536, self.behind_connack(0))

    def test_of_four_segments(self):
        self.gets_no_more_than(5840, 1460, self.behind_connack(None))

    def test_subscribe_behind_connect(self):
        self.gets_no_more_than(536, 536, self.behind_connect)


class NarrowPathTest(LabTest):
    """A client's router takes only small packets. That is its own matter, though all clients of this lab have one
    address at the broker."""

    lab_options = {"brokers": 1, "pools": {"source_addresses": ["10.2.0.10", "fd00:2::10"]}}

    def publish(self, topic):
        with mqtt_raw.Client(self.lab.clients, FRONT, "publisher") as publisher:
            publisher.sock.sendall(mqtt_raw.publish(topic, bytes(20000), qos=1))
            publisher.reader.expect(mqtt_raw.PUBACK)

    def largest(self, device, topic):
        device.seen.clear()
        self.publish(topic)
        device.reader.expect(mqtt_raw.PUBLISH)
        return max(len(s.payload) for s in device.texts())

    def narrow_among_wide(self, side, path_mtu):
        lab, full = self.lab, {"window": 40000, "mss": 1440}
        with Device(lab, f"{side}61", **full) as wide, Device(lab, f"{side}60", **full) as narrow:
            for device, topic in ((wide, "wide"), (narrow, "narrow")):
                self.assertEqual(device.connect(f"{topic}-{path_mtu}"), 0)
                device.subscribe(topic)
                device.wait(0.3)
            before = self.largest(wide, "wide")
            narrow.path_mtu = path_mtu
            self.publish("narrow")
            narrow.reader.expect(mqtt_raw.PUBLISH)  # nothing larger than the path takes is heard
            self.assertEqual(self.largest(wide, "wide"), before)
            with Device(lab, f"{side}62", **full) as late:
                self.assertEqual(late.connect(f"late-{path_mtu}"), 0)
                late.subscribe("late")
                late.wait(0.3)
                self.assertEqual(self.largest(late, "late"), before)

    def test_ipv4(self):
        self.narrow_among_wide(SIDES[0], 576)

    def test_ipv6(self):
        self.narrow_among_wide(SIDES[1], 1280)


class IgnoredMssTest(LabTest):
    """The brokers' network takes packets of 1400 bytes, and a device sends larger segments than it was asked for."""

    lab_options = {"ports": {"back": {"mtu": 1400}}, "start_sluiced": False}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.sluice_side.ip("link", "set", "back", "mtu", "1400")
        cls.lab.broker_side.ip("link", "set", "eth0", "mtu", "1400")
        cls.lab.start_sluiced()

    def offered(self, address):
        with Device(self.lab, address) as device:
            self.assertTrue(device.open())
            return device.seen[0].mss

    def test_its_segments_are_taken_or_it_is_told(self):
        for side, error in zip(SIDES, ((3, 4), (2, 0))):
            wait_for("Sluice to know what brokers take", lambda: self.offered(f"{side}51") <= 1360)
            with self.subTest(side), Device(self.lab, f"{side}50") as device:
                self.assertEqual(device.connect(f"large-{error[0]}"), 0)
                device.wait(0.3)
                packet = mqtt_raw.publish("large", bytes(1400), qos=1)
                for _ in range(3):
                    device.send(ACK, packet)
                    if device.until(lambda: device.stream or device.errors, 1):
                        break
                if device.stream:
                    device.reader.expect(mqtt_raw.PUBACK)
                else:
                    self.assertEqual(set(device.errors), {error})


class FragmentsTest(LabTest):
    """A device that sends without DF, behind a router that takes only small packets."""

    lab_options = {"tap": True, "workers": 1}

    def test_connect_and_publish(self):
        for side in SIDES:
            with self.subTest(side):
                with Device(self.lab, f"{side}50") as device:
                    self.assertTrue(device.open())
                    device.say_in_fragments(mqtt_raw.connect("f" * 900), 576)
                    self.assertEqual(device.reader.expect(mqtt_raw.CONNACK)[1], 0)
                with Device(self.lab, f"{side}51") as device:
                    self.assertEqual(device.connect("fragments"), 0)
                    device.wait(0.3)
                    device.say_in_fragments(mqtt_raw.publish("large", bytes(1200), qos=1), 576)
                    device.reader.expect(mqtt_raw.PUBACK)
