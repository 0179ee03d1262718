"""Real clients through Sluice: mosquitto's, Paho for Python, MQTT.js; every version, every QoS, both families."""

import hashlib
import itertools
import os
import signal
import sys

from lab import FRONT, FRONT6, ROOT, wait_for
from labtest import LabTest

NODE_MODULES = ROOT / "build" / "system" / "node_modules"
SCRIPTS = ROOT / "tests" / "system" / "clients"

_serial = itertools.count(1)


class ClientTest(LabTest):
    """One broker, so that whoever talks to whom meets there."""

    lab_options = {"brokers": 1}

    def fresh(self, word):
        """A client ID or topic that no other test uses; short enough for MQTT 3.1."""
        return f"{word}-{next(_serial)}"

    def subscriber(self, topic, *words, host=FRONT, count=1):
        """A mosquitto_sub that has its SUBACK, and the file where its messages go."""
        client_id = self.fresh("sub")
        output = self.lab.folder / f"{client_id}.out"
        process = self.lab.clients.start(
            ["mosquitto_sub", "-h", host, "-i", client_id, "-t", topic, "-C", count, "-W", 60, *words], output)
        wait_for("the subscription", lambda: self.lab.brokers[0].said(f"Sending SUBACK to {client_id}"))
        return process, output

    def publish(self, topic, *words, host=FRONT, timeout=60):
        self.lab.clients.run(["mosquitto_pub", "-h", host, "-i", self.fresh("pub"), "-t", topic, *words],
                             timeout=timeout)

    def received(self, process, output):
        self.assertEqual(process.wait(timeout=60), 0, output.read_bytes()[-300:])
        return output.read_bytes()


class MosquittoTest(ClientTest):
    def exchange(self, version, qos, host):
        topic = self.fresh("exchange")
        subscriber = self.subscriber(topic, "-V", version, "-q", qos, "-N", host=host)
        self.publish(topic, "-V", version, "-q", qos, "-m", "hello", host=host)
        self.assertEqual(self.received(*subscriber), b"hello")

    def test_retained(self):
        topic = self.fresh("retained")
        self.publish(topic, "-r", "-q", 1, "-m", "kept")
        process, output = self.subscriber(topic, "-N")
        self.assertEqual(self.received(process, output), b"kept")

    def test_will_after_kill(self):
        topic = self.fresh("will")
        watcher = self.subscriber(topic, "-N")
        doomed, _ = self.subscriber("nothing", "--will-topic", topic, "--will-payload", "gone")
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
        self.assertEqual(self.received(*watcher), b"gone")

    def test_no_will_after_disconnect(self):
        topic = self.fresh("will")
        watcher, output = self.subscriber(topic, "-N")
        self.publish("elsewhere", "-m", "x", "--will-topic", topic, "--will-payload", "gone")
        self.publish(topic, "-m", "first")
        self.assertEqual(self.received(watcher, output), b"first")

    def large(self, host):
        topic = self.fresh("large")
        payload = self.lab.folder / "payload"
        payload.write_bytes(os.urandom(10 * 1024 * 1024))
        subscriber = self.subscriber(topic, "-N", "-q", 1, host=host)
        self.publish(topic, "-q", 1, "-f", payload, host=host, timeout=120)
        self.assertEqual(hashlib.sha256(self.received(*subscriber)).hexdigest(),
                         hashlib.sha256(payload.read_bytes()).hexdigest())

    def test_10_megabytes_ipv4(self):
        self.large(FRONT)

    def test_10_megabytes_ipv6(self):
        self.large(FRONT6)

    def test_one_connection_publishes_many_lines(self):
        topic = self.fresh("lines")
        subscriber = self.subscriber(topic, "-q", 2, count=500)
        lines = "".join(f"line {n}\n" for n in range(500))
        self.lab.clients.run(["mosquitto_pub", "-h", FRONT, "-i", self.fresh("pub"), "-t", topic, "-q", 2, "-l"],
                             input=lines)
        self.assertEqual(self.received(*subscriber).decode(), lines)


def _add_exchanges():
    for version, qos, (family, host) in itertools.product(
            ("mqttv31", "mqttv311", "mqttv5"), (0, 1, 2), (("ipv4", FRONT), ("ipv6", FRONT6))):
        def test(self, version=version, qos=qos, host=host):
            self.exchange(version, qos, host)

        setattr(MosquittoTest, f"test_{version}_qos{qos}_{family}", test)


_add_exchanges()


class LibraryTest(ClientTest):
    """A client library with its own way of sending: subscribe, publish to oneself at each QoS, compare, disconnect."""

    def script(self, words, **environment):
        self.lab.clients.run(words, timeout=60, env={**os.environ, **environment})

    def paho(self, version, host):
        self.script([sys.executable, SCRIPTS / "paho_echo.py", host, version, self.fresh("paho")])

    def mqttjs(self, version, host):
        self.assertTrue((NODE_MODULES / "mqtt").is_dir(), "MQTT.js is not installed: tools/test system does that")
        self.script(["node", SCRIPTS / "mqttjs_echo.js", host, version, self.fresh("js")], NODE_PATH=str(NODE_MODULES))

    def test_paho_v31_ipv4(self):
        self.paho(3, FRONT)

    def test_paho_v311_ipv4(self):
        self.paho(4, FRONT)

    def test_paho_v5_ipv4(self):
        self.paho(5, FRONT)

    def test_paho_v311_ipv6(self):
        self.paho(4, FRONT6)

    def test_paho_v5_ipv6(self):
        self.paho(5, FRONT6)

    def test_mqttjs_v311_ipv4(self):
        self.mqttjs(4, FRONT)

    def test_mqttjs_v5_ipv4(self):
        self.mqttjs(5, FRONT)

    def test_mqttjs_v311_ipv6(self):
        self.mqttjs(4, FRONT6)

    def test_mqttjs_v5_ipv6(self):
        self.mqttjs(5, FRONT6)


class ManyClientsTest(ClientTest):
    def test_100_subscribers_at_once(self):
        ids = [self.fresh("crowd") for _ in range(100)]
        crowd = []
        for client_id in ids:
            output = self.lab.folder / f"{client_id}.out"
            crowd.append((self.lab.clients.start(
                ["mosquitto_sub", "-h", FRONT, "-i", client_id, "-t", "crowd", "-C", 1, "-W", 90, "-N"], output), output))
        wait_for("100 subscriptions",
                 lambda: all(self.lab.brokers[0].said(f"Sending SUBACK to {client_id}") for client_id in ids), 60)
        self.publish("crowd", "-m", "to all")
        for process, output in crowd:
            self.assertEqual(self.received(process, output), b"to all")
