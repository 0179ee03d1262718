"""Clients behind a slow radio, mosquitto behind Sluice, and a long wire on the clients' side.

The broker's kernel learns in the handshake how near Sluice is, not how far the client, and would repeat everything two
or three times before the client's acknowledgement can be there. The copies that reach a client's kernel are what it
tells the sender by duplicate SACKs (RFC 2883).
"""

import time

import mqtt_raw
from lab import CLIENTS, CLIENTS6, FRONT, FRONT6
from labtest import LabTest

IN_FIRST_EXCHANGE = 2


class SlowClients:
    messages = 0
    lab_options = {"brokers": 1}

    def copies(self):
        """How many segments have reached the clients' kernel again."""
        lines = self.lab.clients.run(["cat", "/proc/net/netstat"]).stdout.splitlines()
        names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
        return int(dict(zip(names, values))["TCPDSACKOldSent"])

    def talk(self, host, source, timestamps):
        self.lab.clients.sysctl(net__ipv4__tcp_timestamps=timestamps)
        before = self.copies()
        client = mqtt_raw.Client(self.lab.clients, host, f"slow-{timestamps}-{len(source)}", source=source)
        self.addCleanup(client.close)
        topic = f"echo/{client.sock.getsockname()[1]}"
        client.sock.sendall(mqtt_raw.subscribe(topic))
        client.reader.expect(mqtt_raw.SUBACK)
        first = self.copies() - before
        for n in range(self.messages):
            client.sock.sendall(mqtt_raw.publish(topic, b"%d" % n, qos=1, packet_id=n + 1))
            for _ in range(2):
                client.reader.packet()
        time.sleep(0.3)
        self.assertLessEqual(first, IN_FIRST_EXCHANGE)
        self.assertEqual(self.copies() - before - first, 0)

    def test_none_is_sent_copies_after_its_first_exchange(self):
        held = self.lab.counter("splice_copies_held")
        self.talk(FRONT, CLIENTS[0], timestamps=1)
        self.assertGreater(self.lab.counter("splice_copies_held"), held)


class SevenTenthsTest(SlowClients, LabTest):
    messages = 20
    lab_options = {"brokers": 1, "wire": {"delay": 350}}

    def test_nor_without_timestamps_nor_over_ipv6(self):
        self.talk(FRONT6, CLIENTS6[0], timestamps=0)


class TwoAndAHalfSecondsTest(SlowClients, LabTest):
    messages = 5
    lab_options = {"brokers": 1, "wire": {"delay": 1250}}


