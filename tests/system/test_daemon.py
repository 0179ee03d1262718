"""sluiced and sluicectl as an operator meets them: refusals, the admin socket, CPU, signals, exit codes."""

import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import mqtt_raw
from lab import BUILD, FRONT, Lab
from labtest import LabTest
from processes import cpu_seconds

SHOW = ("info", "listeners", "pools", "backends", "connections", "ports", "neighbors", "counters")


class RefusalTest(LabTest):
    """What is no CONNECT goes no further than Sluice, and is counted by what was wrong with it."""

    def refused(self, data, counter, answer=b""):
        before = self.lab.counter(counter)
        attempts = self.lab.counter("upstream_attempts") - self.lab.counter("probes_sent")
        with self.lab.clients.connect(FRONT) as sock:
            sock.sendall(data)
            if answer:
                self.assertEqual(mqtt_raw.Reader(sock).exactly(len(answer)), answer)
            self.assertTrue(mqtt_raw.closes(sock), "the connection stayed open, or something else came")
        self.assert_counts(counter, 1, before)
        self.assertLessEqual(self.lab.counter("upstream_attempts") - self.lab.counter("probes_sent"), attempts)

    def test_http(self):
        self.refused(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "connect_not_connect")

    def test_tls_on_the_plain_listener(self):
        # 0x16, a TLS handshake record, reads as a CONNECT with flags that must be 0.
        self.refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), "connect_reserved_header_flags")

    def test_another_packet_first(self):
        self.refused(mqtt_raw.PINGREQ, "connect_not_connect")

    def test_wrong_protocol_name(self):
        self.refused(mqtt_raw.packet(0x10, mqtt_raw.text("MQTX") + b"\x04\x02\x00\x3c" + mqtt_raw.text("x")),
                     "connect_bad_protocol_name")

    def test_remaining_length_of_five_bytes(self):
        self.refused(b"\x10\xff\xff\xff\xff\x01" + bytes(16), "connect_bad_remaining_length")

    def test_unsupported_version(self):
        before = self.lab.counter("connect_unsupported_version")
        with self.lab.clients.connect(FRONT) as sock:
            sock.sendall(mqtt_raw.connect("future", 6))
            while sock.recv(100):  # a CONNACK that says why may come first
                pass
        self.assert_counts("connect_unsupported_version", 1, before)

    def test_larger_than_max_connect_size(self):
        self.refused(b"\x10" + mqtt_raw.varint(10_000_000) + bytes(100), "connect_too_large")


class ConnectTimeoutTest(LabTest):
    lab_options = {"listener": {"connect_timeout": "1s"}}

    def test_a_client_that_says_nothing_is_let_go(self):
        before = self.lab.counter("client_connect_timeout")
        with self.lab.clients.connect(FRONT) as silent, self.lab.clients.connect(FRONT) as half:
            half.sendall(mqtt_raw.connect("half")[:5])
            self.assertTrue(mqtt_raw.closes(silent))
            self.assertTrue(mqtt_raw.closes(half))
        self.assert_counts("client_connect_timeout", 2, before)


class AdminTest(LabTest):
    def test_every_show_answers_an_object(self):
        for what in SHOW:
            answer = self.lab.admin(f"show {what}")
            self.assertIsInstance(answer, dict, what)
            self.assertNotIn("error", answer, what)

    def test_what_is_not_understood_gets_a_reason(self):
        for command in ("show nonsense", "nonsense", "", "explain"):
            self.assertTrue(self.lab.admin(command)["error"], command)

    def test_ctl_prints_tables_and_json(self):
        for what in SHOW:
            self.assertTrue(self.lab.ctl("show", what).stdout.strip(), what)
            self.assertEqual(json.loads(self.lab.ctl("--json", "show", what).stdout).keys(),
                             self.lab.admin(f"show {what}").keys(), what)

    def test_ctl_says_no_with_its_exit_code(self):
        self.assertNotEqual(self.lab.ctl("show", "nonsense", check=False).returncode, 0)
        nobody_there = subprocess.run([BUILD / "sluicectl", "--socket", "/nonexistent", "show", "info"],
                                      capture_output=True, text=True, timeout=10, check=False)
        self.assertEqual(nobody_there.returncode, 1)
        self.assertIn("/nonexistent", nobody_there.stderr)

    def test_connections_show_a_connected_client(self):
        with mqtt_raw.Client(self.lab.clients, FRONT, "on-show") as client:
            client.ping()
            self.assertIn("on-show", json.dumps(self.lab.admin("show connections")))

    def test_socket_is_for_owner_and_group(self):
        self.assertEqual(self.lab.socket.stat().st_mode & 0o777, 0o660)


class IdleTest(LabTest):
    lab_options = {"health": {"type": "tcp", "interval": "2s", "timeout": "1s"}}

    def test_a_quiet_daemon_leaves_the_processor_alone(self):
        with mqtt_raw.Client(self.lab.clients, FRONT, "quiet") as client:
            client.ping()
            time.sleep(2)
            before = cpu_seconds(self.lab.sluiced.pid)
            time.sleep(5)
            self.assertLess(cpu_seconds(self.lab.sluiced.pid) - before, 0.03 * 5)


class ShutdownTest(unittest.TestCase):
    def ends_well(self, number):
        with Lab(brokers=1) as lab:
            with mqtt_raw.Client(lab.clients, FRONT, "left-over") as client:
                client.ping()
                lab.sluiced.send_signal(number)
                self.assertEqual(lab.sluiced.wait(timeout=15), 0, lab.diagnostics())
                self.assertTrue(mqtt_raw.closes(client.sock), "the client was not told")
            self.assertFalse(lab.socket.exists(), "the admin socket is still there")

    def test_sigterm_exits_0(self):
        self.ends_well(signal.SIGTERM)

    def test_sigint_exits_0(self):
        self.ends_well(signal.SIGINT)

    def test_starts_again_after_kill(self):
        with Lab(brokers=1) as lab:
            lab.sluiced.kill()
            lab.sluiced.wait()
            lab.start_sluiced()
            with mqtt_raw.Client(lab.clients, FRONT, "survivor") as client:
                client.echo("again", b"here")


class CheckConfigTest(unittest.TestCase):
    """As somebody without rights, from copies that everybody may read."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.folder.chmod(0o755)
        shutil.copy(BUILD / "sluiced", cls.folder)
        with Lab(brokers=2, start_brokers=False, start_sluiced=False) as lab:
            cls.good = lab.config()

    def check(self, text):
        config = self.folder / "sluice.toml"
        config.write_text(text)
        config.chmod(0o644)
        return subprocess.run([self.folder / "sluiced", "--config", config, "--check-config"], capture_output=True,
                              text=True, timeout=20, check=False, user="nobody", group="nogroup", extra_groups=[])

    def test_good(self):
        done = self.check(self.good)
        self.assertEqual(done.returncode, 0, done.stderr)

    def bad(self, find, replace, *words):
        self.assertIn(find, self.good)
        text = self.good.replace(find, replace, 1)
        line = text[:text.index(replace)].count("\n") + 1
        done = self.check(text)
        self.assertEqual(done.returncode, 78, done.stderr)
        for word in (f"sluice.toml:{line}", *words):
            self.assertIn(word, done.stdout + done.stderr)

    def test_unknown_key(self):
        self.bad("max_connections =", "max_conections =", "max_conections")

    def test_bad_address(self):
        self.bad('"10.1.0.1:1883"', '"10.1.0.300:1883"')

    def test_unknown_pool(self):
        self.bad('pool = "brokers"', 'pool = "brokets"', "brokets")

    def test_no_toml(self):
        self.bad("[[port]]", "[[port]")

    def test_no_such_file(self):
        done = subprocess.run([self.folder / "sluiced", "--config", self.folder / "none.toml", "--check-config"],
                              capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("none.toml", done.stderr)

    def test_usage(self):
        done = subprocess.run([self.folder / "sluiced", "--nonsense"], capture_output=True, text=True, timeout=20,
                              check=False)
        self.assertEqual(done.returncode, 64, done.stderr)
