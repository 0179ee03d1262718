"""sluice-load against what others have written: a real Mosquitto for its clients, real clients for its broker. Over the
kernel's sockets and over its own TCP on a DPDK port. tests/system/run.py --load 10000 load makes the swarms larger.
"""

import json
import os
import re
import signal
import sys
import unittest

import scale
from lab import BUILD, wait_for
from load_lab import BROKER, LoadLab
from test_clients import NODE_MODULES, SCRIPTS

FAULTS = re.compile(r"protocol error|malformed|exceeded timeout|socket error|out of memory|refused", re.IGNORECASE)


class SwarmTest(unittest.TestCase):
    """Clients of sluice-load at a Mosquitto."""

    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(LoadLab())

    def publish(self, qos, version, port):
        word = f"{'port' if port else 'sockets'}-q{qos}-"
        clients = scale.load_clients
        subscribers = 5
        report = self.lab.load("publish", "-n", clients, "-r", 4000, "--messages", 2, "-m", 5000, "-Q", qos, "--mqtt", version,
                               "-i", word, "--subscribers", subscribers, "--filter", f"{word}topic/5/#",
                               "--topic", f"{word}topic/%c/x", "--filter-qos", qos, port=port)
        self.assertEqual(report["protocol_errors"], 0, report["last_protocol_error"])
        self.assertEqual((report["connects"]["accepted"], report["connects"]["failed"], report["connects"]["lost"]),
                         (clients, 0, 0), report["connects"])
        messages = report["messages"]
        published = 2 * (clients - subscribers)
        self.assertEqual((messages["published"], messages["acknowledged"], messages["unacknowledged"]),
                         (published, published, 0))
        self.assertEqual(messages["received"], 2 * subscribers)  # each hears the one topic
        log = self.lab.broker.log.read_text(errors="replace")
        self.assertEqual(FAULTS.findall(log), [])
        self.assertEqual(log.count(f" as {word}"), clients)
        self.assertEqual(len(re.findall(rf"Received PUBLISH from {word}\d+ ", log)), published)
        self.assertEqual(len(re.findall(rf"Client {word}\d+ disconnected\.", log)), clients, "with a DISCONNECT each")


def _add_publishes():
    for port in (False, True):
        for qos, version in ((0, "3.1"), (1, "3.1.1"), (2, "5")):
            def test(self, qos=qos, version=version, port=port):
                self.publish(qos, version, port)

            setattr(SwarmTest, f"test_{'port' if port else 'sockets'}_qos{qos}_mqtt{version.replace('.', '')}", test)


_add_publishes()


class SinkTest(unittest.TestCase):
    """Real clients at the broker of sluice-load."""

    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(LoadLab(mosquitto=False))
        cls.results = cls.lab.folder / "broker.json"
        log = cls.lab.folder / "broker.log"
        cls.broker = cls.lab.brokers.start([BUILD / "sluice-load", "broker", "--listen", f"{BROKER}:1883", "--route",
                                            "--take-over", "--json", cls.results], log)
        wait_for("the broker to listen", cls._listening)

    @classmethod
    def _listening(cls):
        try:
            cls.lab.generator.connect(BROKER, timeout=1).close()
            return True
        except OSError:
            return False

    @classmethod
    def tearDownClass(cls):
        cls.broker.send_signal(signal.SIGTERM)
        if cls.broker.wait(20) != 0:
            raise AssertionError(cls.lab.diagnostics())
        report = json.loads(cls.results.read_text())
        if report["protocol_errors"] != 0:
            raise AssertionError(report["last_protocol_error"])

    def run_client(self, words, **environment):
        return self.lab.generator.run(words, timeout=60, env={**os.environ, **environment}).stdout

    def exchange(self, version, qos):
        topic = f"exchange-{version}-{qos}"
        output = self.lab.folder / f"{topic}.out"
        subscriber = self.lab.generator.start(["stdbuf", "-oL", "mosquitto_sub", "-d", "-h", BROKER, "-i", f"s{version}{qos}", "-t", f"{topic}/+",
                                               "-V", version, "-q", qos, "-C", 100, "-W", 30], output)
        wait_for("the subscription", lambda: "Subscribed" in output.read_text())
        lines = "".join(f"line {n}\n" for n in range(100))
        self.lab.generator.run(["mosquitto_pub", "-h", BROKER, "-i", f"p{version}{qos}", "-t", f"{topic}/x", "-V", version,
                                "-q", qos, "-l"], input=lines)
        self.assertEqual(subscriber.wait(30), 0, output.read_text()[-500:])
        heard = [line for line in output.read_text().splitlines() if line.startswith("line ")]
        self.assertEqual(heard, lines.splitlines())

    def test_mosquitto(self):
        for version in ("mqttv31", "mqttv311", "mqttv5"):
            for qos in (0, 1, 2):
                with self.subTest(version=version, qos=qos):
                    self.exchange(version, qos)

    def test_paho(self):
        for version in (3, 4, 5):
            self.run_client([sys.executable, SCRIPTS / "paho_echo.py", BROKER, version, f"paho-{version}"])

    def test_mqttjs(self):
        self.assertTrue((NODE_MODULES / "mqtt").is_dir(), "MQTT.js is not installed: tools/test system does that")
        for version in (4, 5):
            self.run_client(["node", SCRIPTS / "mqttjs_echo.js", BROKER, version, f"js-{version}"],
                            NODE_PATH=str(NODE_MODULES))


class ExpectTest(unittest.TestCase):
    """What a script sees of a run."""

    def run_load(self, *words):
        with LoadLab(mosquitto=False) as lab:
            return lab.generator.run([BUILD / "sluice-load", "connect", "-q", "-t", f"{BROKER}:1883", "-n", 5, *words],
                                     check=False)

    def test_nobody_listens(self):
        done = self.run_load("--expect", "connects.failed==0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("sluice-load: connects.failed is 5, expected == 0", done.stderr)
        self.assertIn("5 failed", done.stdout)

    def test_an_expectation_that_is_none(self):
        done = self.run_load("--expect", "nonsense")
        self.assertEqual(done.returncode, 64)
        self.assertIn("is not of the form", done.stderr)

    def test_an_interface_with_an_address(self):
        done = self.run_load("--interface", "eth0", "-s", "10.2.0.9")
        self.assertEqual(done.returncode, 1)
        self.assertIn("eth0", done.stderr)
