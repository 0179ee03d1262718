"""Probes over MQTT and HTTP against real and odd brokers: what is told of each, how soon, and what brokers see of it."""

import contextlib
import http.server
import re
import threading
import time

import mqtt_raw
from lab import wait_for
from labtest import LabTest

INTERVAL = 0.5
TIMEOUT = 0.4
FALL = 2
HEALTH = {"interval": "500ms", "timeout": "400ms", "rise": 1, "fall": FALL}
# From the start: the first probe within 0.1 s, the others a tenth late each, and the last one's timeout.
SOON = 0.1 + (FALL - 1) * INTERVAL * 1.1 + TIMEOUT
SLACK = 1.5  # of a busy machine

HTTP_PORT = 8080


class HealthTest(LabTest):
    """Each broker is there twice, over IPv4 and IPv6."""

    def health(self):
        """Name -> state and reason."""
        return {b["name"]: (b["state"], b["health"]["last_failure"])
                for b in self.lab.admin("show backends")["backends"]}

    def wait_health(self, expected):
        both = {name + version: value for name, value in expected.items() for version in ("", "-v6")}
        with contextlib.suppress(TimeoutError):
            wait_for("the brokers' states", lambda: self.health() == both, 10)
        self.assertEqual(self.health(), both)

    def assert_found_soon(self):
        uptime = self.lab.admin("show info")["info"]["uptime_seconds"]
        for b in self.lab.admin("show backends")["backends"]:
            if b["state"] == "down":
                self.assertLess(uptime - b["health"]["since_seconds"], SOON + SLACK, b["name"])


class Answering:
    """A broker that gives this answer to every CONNECT and closes, or, without one, takes connections and is silent."""

    def __init__(self, lab, broker, answer):
        self._answer = answer
        self._taken = []
        self._listening = [lab.broker_side.listen(address) for address in (broker.address, broker.address6)]
        for sock in self._listening:
            threading.Thread(target=self._accept, args=(sock,), daemon=True).start()

    def close(self):
        for sock in self._listening + self._taken:
            sock.close()

    def _accept(self, listening):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listening.accept()
                if self._answer is None:
                    self._taken.append(sock)
                    continue
                with sock, contextlib.suppress(OSError, mqtt_raw.Closed):
                    sock.settimeout(5)
                    mqtt_raw.Reader(sock).packet()
                    sock.sendall(self._answer)


class MqttProbeTest(HealthTest):
    lab_options = {"brokers": 7, "workers": 2, "start_brokers": False, "start_sluiced": False,
                   "health": {"type": "mqtt", "username": "monitor", **HEALTH}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.lab
        secret = lab.folder / "secret"
        secret.write_text("let me in\n")
        for broker, password in ((lab.brokers[1], "let me in"), (lab.brokers[2], "something else")):
            broker.demand_password("monitor", password)
        for broker in lab.brokers[:3]:
            broker.start()
        for broker, answer in zip(lab.brokers[3:6], (None, b"\x20\x02\x00\x03", b"")):
            cls.addClassCleanup(Answering(lab, broker, answer).close)
        lab.start_sluiced(health={"password_file": str(secret)})

    def test_each_broker_is_told_by_what_it_does(self):
        self.wait_health({"broker-1": ("up", "none"), "broker-2": ("up", "none"), "broker-3": ("down", "rejected (0x05)"),
                          "broker-4": ("down", "no_answer"), "broker-5": ("down", "rejected (0x03)"),
                          "broker-6": ("down", "closed"), "broker-7": ("down", "refused")})
        self.assert_found_soon()
        self.assertRegex(self.lab.ctl("show", "backends").stdout, r"broker-5 .*rejected \(0x03\)")
        self.assertIn("the last no_answer", self.lab.diagnostics(200))

        # A broker's log knows a client that comes and goes, always of the same name.
        wait_for("three probes", lambda: len(re.findall(r"\bsluice\w+ disconnected\.", self.log(0))) >= 6)
        for broker in (0, 1):
            names = set(re.findall(r" as (sluice\w+) ", self.log(broker)))
            self.assertEqual(len(names), 2, names)  # IPv4 and IPv6 are backends of their own
            for end in re.findall(r"Client sluice\w+ (.*)", self.log(broker)):
                self.assertEqual(end, "disconnected.")
        # Nothing stays open but what is under way: of the brokers that answer, nothing.
        time.sleep(INTERVAL)
        open_ = self.lab.broker_side.run(["ss", "-Htn", "state", "connected"]).stdout.splitlines()
        self.assertLessEqual(len([line for line in open_ if "10.2.0.1:" in line]), 2 * 7, open_)

        late = self.lab.brokers[6]
        late.start()
        wait_for("it to be up", lambda: self.health()[late.name][0] == "up", 2 * INTERVAL + SLACK)

    def log(self, broker):
        return self.lab.brokers[broker].log.read_text(errors="replace")


def answer_of(status, pieces):
    """A handler of Python's http.server; in several pieces the body is chunked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if len(pieces) > 1 else "HTTP/1.0"

        def do_GET(self):
            self.send_response(status if self.path == "/ready" else 404)
            if len(pieces) > 1:
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if len(pieces) > 1 else piece)
            if len(pieces) > 1:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_):
            pass

    return Handler


class HttpProbeTest(HealthTest):
    lab_options = {"brokers": 5, "start_brokers": False, "start_sluiced": False,
                   "health": {"type": "http", "path": "/ready", "port": HTTP_PORT, "expect_body": "running", **HEALTH}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        answers = ((200, [b"all is running"]), (200, [b"all is run", b"ning"]), (503, [b"running, but not ready"]),
                   (200, [b"stopped"]))
        for broker, (status, pieces) in zip(cls.lab.brokers, answers):
            for address in (broker.address, broker.address6):
                server = http.server.ThreadingHTTPServer((address, HTTP_PORT), answer_of(status, pieces),
                                                         bind_and_activate=False)
                server.socket.close()
                server.socket = cls.lab.broker_side.listen(address, HTTP_PORT)
                threading.Thread(target=server.serve_forever, daemon=True).start()
                cls.addClassCleanup(server.server_close)
                cls.addClassCleanup(server.shutdown)
        cls.lab.start_sluiced()

    def test_status_and_body_decide_and_a_reload_changes_what_is_expected(self):
        self.wait_health({"broker-1": ("up", "none"), "broker-2": ("up", "none"), "broker-3": ("down", "bad_status (503)"),
                          "broker-4": ("down", "bad_body"), "broker-5": ("down", "refused")})
        self.assert_found_soon()
        self.lab.reload(self.lab.config(health={"expect": 503}))
        self.wait_health({"broker-1": ("down", "bad_status (200)"), "broker-2": ("down", "bad_status (200)"),
                          "broker-3": ("up", "bad_status (503)"), "broker-4": ("down", "bad_status (200)"),
                          "broker-5": ("down", "refused")})
