"""A gateway's address goes over to another router, as VRRP, HSRP and CARP do: clients behind it that say nothing are
reached by that one at once."""

import mqtt_raw
from device import Device
from lab import FRONT, FRONT6
from labtest import LabTest

ROUTERS = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
GATEWAY, GATEWAY6 = "10.1.0.254", "fd00:1::fe"


class GatewayTest(LabTest):
    lab_options = {
        "brokers": 1,
        "workers": 2,
        "ports": {"front": {"gateway": [GATEWAY, GATEWAY6]}},
        "routes": [{"client_id_prefix": "crossing", "pool": "brokers"}],  # to brokers over IPv4
    }

    def publish(self, payload):
        with mqtt_raw.Client(self.lab.clients, FRONT, "publisher") as publisher:
            publisher.sock.sendall(mqtt_raw.publish("command", payload, qos=1))
            publisher.reader.expect(mqtt_raw.PUBACK)

    def goes_over(self, client_id, address, gateway, phase):
        before, after = ROUTERS
        with Device(self.lab, address, own_mac=before, answers={gateway: before}) as device:
            self.assertEqual(device.connect(client_id), 0)
            device.subscribe("command")
            device.wait(0.3)
            shown = self.lab.admin("show connections")["connections"]
            self.assertEqual([c["phase"] for c in shown if c["client_id"] == client_id], [phase])
            device.seen.clear()
            self.publish(b"one")
            device.reader.expect(mqtt_raw.PUBLISH)
            self.assertEqual({s.to_mac for s in device.texts()}, {before})
            device.answers = {gateway: after}
            for _ in range(3):  # as such routers do, for frames get lost
                device.announce(gateway, after)
                device.wait(0.1)
            device.wait(0.2)
            device.seen.clear()
            device.acknowledges = False  # nothing that it says tells where it is
            self.publish(b"two")
            self.assertTrue(device.until(device.texts))
            device.wait(0.5)
            self.assertEqual({s.to_mac for s in device.seen}, {after})

    def test_spliced(self):
        self.goes_over("behind", "198.51.100.7", GATEWAY, "spliced")

    def test_spliced_ipv6(self):
        self.goes_over("behind-6", "2001:db8:7::7", GATEWAY6, "spliced")

    def test_relayed(self):
        self.goes_over("crossing", "2001:db8:7::8", GATEWAY6, "relayed")

    def test_a_device_on_the_link_speaks_for_itself(self):
        before, after = ROUTERS
        for address in ("10.1.0.40", "fd00:1::40"):
            with self.subTest(address), Device(self.lab, address, own_mac=before) as device:
                self.assertEqual(device.connect("moves"), 0)
                device.subscribe("command")
                device.wait(0.3)
                device.announce(address, after)
                device.wait(0.5)
                device.seen.clear()
                device.acknowledges = False
                self.publish(b"three")
                self.assertTrue(device.until(device.texts))
                self.assertEqual({s.to_mac for s in device.seen}, {after})
