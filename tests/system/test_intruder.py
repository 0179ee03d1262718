"""What a stranger, or a client of bad will, tries at a connection that is there: to get past the routes by opening its
tuple anew, and to have its packets sent elsewhere."""

import random

import mqtt_raw
from device import ACK, FIN, PSH, RST, SYN, Device
from lab import CLIENTS, CLIENTS6, FRONT, FRONT6
from labtest import LabTest

SIDES = ("10.1.0.", "fd00:1::")  # whose addresses above 20 are nobody's
REFUSED = 5


class OpenedAnewTest(LabTest):
    """A client that is let in makes its broker forget the connection while Sluice may still know it, and opens its port
    anew, to be somebody whom a route refuses."""

    lab_options = {"routes": [{"client_id_prefix": "bad", "refuse": "not_authorized"}]}

    def is_refused(self, device, first):
        """As a kernel opens a connection: what does not answer the SYN is answered by a reset, and the SYN repeated."""
        for _ in range(8):
            device.acknowledges = True
            device.stream = b""
            if device.open(first):
                device.say(mqtt_raw.connect("bad-again"))
                self.assertEqual(device.reader.expect(mqtt_raw.CONNACK)[1], REFUSED)
                return
            for segment in [s for s in device.seen if s.flags & (SYN | ACK | RST) == ACK]:
                device.send(RST, sequence=segment.acknowledgement)
        self.fail("the port stays closed")

    def let_in(self, device):
        client_id = f"good-{device.address}-{device.port}"
        self.assertEqual(device.connect(client_id), 0)
        device.wait(0.3)
        shown = self.lab.admin("show connections")["connections"]
        self.assertEqual([c["phase"] for c in shown if c["client_id"] == client_id], ["spliced"])

    def test_behind_a_reset_at_a_gap(self):
        for side in SIDES:
            for first in (None, 1 << 31):
                with self.subTest(side), Device(self.lab, f"{side}40") as device:
                    self.let_in(device)
                    device.acknowledges = False
                    pings = 20 * mqtt_raw.PINGREQ
                    at = device.sequence
                    device.send(PSH | ACK, pings, sequence=at)
                    device.send(PSH | ACK, pings, sequence=at + 2 * len(pings))
                    device.send(RST, sequence=at + len(pings))
                    device.wait(0.3)
                    self.is_refused(device, at + 100000 if first is None else at + first)

    def test_behind_an_acknowledgement_of_what_was_never_sent(self):
        for side in SIDES:
            with self.subTest(side), Device(self.lab, f"{side}41") as device:
                self.let_in(device)
                device.send(ACK, acknowledgement=device.expected + 30000)
                device.say(mqtt_raw.DISCONNECT, PSH | ACK | FIN)
                self.assertTrue(device.until(lambda: any(s.flags & FIN for s in device.seen)))
                device.wait(1.2)
                self.is_refused(device, device.sequence + 100000)


class ForgedFrameTest(LabTest):
    """One frame with a client's addresses and ports, from another machine."""

    lab_options = {"brokers": 1, "routes": [{"client_id_prefix": "crossing", "pool": "brokers"}]}

    def draws_nothing(self, client_id, host, source, phase, **numbers):
        forger = bytes.fromhex("020000000066")
        with mqtt_raw.Client(self.lab.clients, host, client_id, source=source) as victim:
            victim.subscribe("secret")
            victim.ping()
            port = victim.sock.getsockname()[1]
            # It hears what is sent to the victim's address, whatever machine it is sent to.
            with Device(self.lab, source, port=port, own_mac=forger) as device:
                device.acknowledges = False
                device.wait(0.3)
                shown = self.lab.admin("show connections")["connections"]
                self.assertEqual([c["phase"] for c in shown if c["client_id"] == client_id], [phase])
                for flags in (ACK, ACK | PSH, RST, SYN):
                    device.send(flags, sequence=random.getrandbits(32), acknowledgement=random.getrandbits(32))
                device.seen.clear()
                with mqtt_raw.Client(self.lab.clients, FRONT, "publisher") as publisher:
                    publisher.sock.sendall(mqtt_raw.publish("secret", b"word", qos=1))
                    publisher.reader.expect(mqtt_raw.PUBACK)
                victim.reader.expect(mqtt_raw.PUBLISH)
                self.assertTrue(device.until(device.texts))
                self.assertNotIn(forger, {s.to_mac for s in device.texts()})
            victim.ping()

    def test_of_a_relayed_client(self):
        self.draws_nothing("crossing", FRONT6, CLIENTS6[0], "relayed")

    def test_of_a_spliced_client(self):
        self.draws_nothing("spliced", FRONT, CLIENTS[0], "spliced")

    def test_of_a_spliced_client_ipv6(self):
        self.draws_nothing("spliced-6", FRONT6, CLIENTS6[0], "spliced")
