"""DPDK's telemetry socket, asked by dpdk-telemetry.py and by hand: it tells the numbers of the admin socket."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import unittest.mock

import mqtt_raw
from lab import FRONT, wait_for
from labtest import LabTest

SCRIPT = "dpdk-telemetry.py"
CLIENTS = 60


def as_telemetry(value):
    """A value of the admin socket in the form that the telemetry socket gives it; None where it leaves it out."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return json.dumps(value)
    if isinstance(value, list):
        if any(isinstance(item, (dict, list)) for item in value):
            return as_telemetry({str(number): item for number, item in enumerate(value)})
        return [item if isinstance(item, str) else json.dumps(item) for item in value]
    if isinstance(value, dict):
        return {key: as_telemetry(item) for key, item in value.items() if item is not None}
    return value


def leaves(value, path=""):
    """Path -> what stands there; a list is a leaf."""
    if not isinstance(value, dict):
        return {path: value}
    return {at: leaf for key, item in value.items() for at, leaf in leaves(item, f"{path}/{key}").items()}


class Line:
    """One client of the socket, by hand. DPDK 22.11 mixes up what two clients ask at one moment, so there is only ever
    one of them that waits for an answer."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(20)
        self.sock.connect(str(path))
        self.hello = json.loads(self.sock.recv(1024))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def ask(self, command):
        self.sock.send(command if isinstance(command, bytes) else command.encode())
        reply = json.loads(self.sock.recv(self.hello["max_output_len"]))
        (answer,) = reply.values()
        return answer


class TelemetryTest(LabTest):
    lab_options = {"workers": 2, "start_sluiced": False, "runtime": {"shutdown_timeout": "1s"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # As systemd says it to a service: no other lab's socket is there, and nothing stays on the machine.
        cls.enterClassContext(unittest.mock.patch.dict(os.environ, {"RUNTIME_DIRECTORY": str(cls.lab.folder)}))
        cls.socket = cls.lab.folder / "dpdk/sluice/dpdk_telemetry.v2"
        cls.lab.start_sluiced()

    def ask(self, *commands):
        """What dpdk-telemetry.py prints for each."""
        done = subprocess.run([SCRIPT, "--file-prefix", "sluice"], input="\n".join([*commands, "quit", ""]),
                              capture_output=True, text=True, timeout=30, check=True)
        replies = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([list(reply) for reply in replies], [[command.split(",")[0]] for command in commands])
        return [next(iter(reply.values())) for reply in replies]

    def connected(self, count):
        clients = [mqtt_raw.Client(self.lab.clients, FRONT, f"client-{number}") for number in range(count)]
        for client in clients:
            self.addCleanup(client.close)
        wait_for("all of them to be spliced", lambda: self.lab.admin("show info")["info"]["spliced"] == count)

    def assert_same(self, before, now, after):
        """What stood still is the same. A number that went on is in between; and of texts only times may go on."""
        for path, value in now.items():
            if path.endswith(("frames_used", "/state")):
                continue  # go to and fro
            self.assertIs(type(value), type(before[path]), path)
            if before[path] == after[path]:
                self.assertEqual(value, before[path], path)
            elif isinstance(value, int):
                low, high = sorted((before[path], after[path]))
                self.assertTrue(low <= value <= high, f"{path}: {low} {value} {high}")
            else:
                self.assertRegex(path, "_seconds$")
                self.assertRegex(value, "^[0-9.e-]+$", path)

    def pictures(self):
        """Command on the telemetry socket -> what the admin socket says of the same, in telemetry's form."""
        admin = self.lab.admin
        found = {"/sluice/info": admin("show info")["info"], "/sluice/config": admin("show config")["config"],
                 "/sluice/explain,client-7": admin("explain client-7")}
        for every in ("", "all"):
            rows = admin(f"show counters {every}".strip())["counters"]
            found["/sluice/counters" + (",all" if every else "")] = {row["name"]: row["value"] for row in rows}
        for one in ("listener", "pool", "backend", "port"):
            rows = admin(f"show {one}s")[f"{one}s"]
            names = [f"{row['pool']}/{row['name']}" if one == "backend" else row["name"] for row in rows]
            found[f"/sluice/{one}s"] = {"count": len(rows), "names": names}
            found.update({f"/sluice/{one},{name}": row for name, row in zip(names, rows)})
        rows = admin("show neighbors")["neighbors"]
        found["/sluice/neighbors"] = {"count": len(rows), **{str(n): row for n, row in enumerate(rows)}}
        answer = admin("show connections client_id=client-7")
        found["/sluice/connections,client_id=client-7"] = {
            "count": len(answer["connections"]), "truncated": answer["truncated"], "0": answer["connections"][0]}
        return as_telemetry(found)

    def test_every_number_is_the_admin_sockets(self):
        self.connected(12)

        def three_pictures():
            """None where something came or went meanwhile, such as a neighbor."""
            before = self.pictures()
            now = dict(zip(before, self.ask(*before)))
            after = self.pictures()
            paths = set(leaves(before))
            return (before, now, after) if paths == set(leaves(after)) == set(leaves(now)) else None

        before, now, after = wait_for("the same things to be there", three_pictures)
        self.assert_same(leaves(before), leaves(now), leaves(after))
        still = [path for path, value in leaves(before).items() if value == leaves(after)[path]]
        self.assertGreater(len(still), 300)
        self.assertEqual(now["/sluice/info"]["connections"], 12)
        self.assertEqual(sum(now[f"/sluice/backend,brokers/broker-{n}"]["connections"] for n in (1, 2, 3)), 12)
        self.assertEqual(now["/sluice/counters"]["connack_accepted"], 12)

    def test_every_command_is_in_dpdks_list_with_its_help(self):
        with Line(self.socket) as line:
            self.assertEqual(line.hello["pid"], self.lab.sluiced.pid)
            ours = [command for command in line.ask("/") if command.startswith("/sluice/")]
            self.assertGreater(len(ours), 10)
            for command in ours:
                self.assertRegex(line.ask(f"/help,{command}")[command], r"\w \w", command)
                self.assertIsInstance(line.ask(command), dict, command)
            self.assertEqual(line.ask("/ethdev/list"), [0, 1])  # DPDK's own are there as well

    def test_what_is_wrong_is_refused_with_a_reason(self):
        wrong = ["/sluice/info,now", "/sluice/backends,broker-1", "/sluice/backend", "/sluice/backend,",
                 "/sluice/backend,nobody", "/sluice/backend,brokers/", "/sluice/backend,brokers6/broker-1",
                 "/sluice/pool,BROKERS", "/sluice/port,front back", "/sluice/listener,\"mqtt\"", "/sluice/counters,none",
                 "/sluice/connections,color=red", "/sluice/connections,limit=0", "/sluice/connections,backend=nobody",
                 "/sluice/connections,\"", "/sluice/explain", "/sluice/explain,x y", "/sluice/explain,x pool=nobody",
                 "/sluice/backend," + "b" * 900, b"/sluice/backend,\xff\x01\n\"\\", "/sluice/neighbors,\"" * 20]
        with Line(self.socket) as line:
            for command in wrong:
                answer = line.ask(command)
                self.assertEqual(list(answer), ["error"], command)
                self.assertRegex(answer["error"], r"^[ -~]{10,127}$", command)
            self.assertIsNone(line.ask("/sluice/drain,broker-1"))
            self.assertIsNone(line.ask("/sluice"))
        self.assertEqual(self.ask("/sluice/backend,nobody"), [{"error": "nothing is named 'nobody'"}])
        self.assertEqual(set(self.lab.backend_states().values()), {"up"})

    def test_what_does_not_fit_says_so(self):
        self.connected(CLIENTS)
        (answer,) = self.ask("/sluice/connections")
        self.assertEqual((answer["count"], answer["truncated"]), (CLIENTS, 0))
        rows = [row for key, row in answer.items() if key.isdigit()]
        self.assertGreater(len(rows), 15)
        self.assertEqual(len(rows) + answer["left_out"], CLIENTS)
        self.assertEqual(len({row["client_id"] for row in rows[:-1]}), len(rows) - 1)
        (answer,) = self.ask("/sluice/connections,limit=5")
        self.assertEqual((list(answer), answer["truncated"]), (["count", "truncated", "0", "1", "2", "3", "4"], 1))

    def test_only_its_user_may_ask(self):
        self.assertEqual(stat.S_IMODE(self.socket.stat().st_mode) & 0o022, 0)
        self.assertEqual(stat.S_IMODE(self.socket.parent.stat().st_mode), 0o700)

    def test_ends_in_order_while_it_is_asked(self):
        """At once with the second signal, then again by itself; each time somebody asks all the while."""
        for signals in (2, 1, 2):
            answers = 0
            with Line(self.socket) as line, contextlib.ExitStack() as others:
                for _ in range(5):  # they stay connected to the end
                    others.enter_context(Line(self.socket))
                while self.lab.sluiced.poll() is None:
                    if answers in [20 * n for n in range(1, signals + 1)]:
                        self.lab.sluiced.send_signal(signal.SIGTERM)
                    try:
                        answer = line.ask(("/sluice/info", "/sluice/connections", "/sluice/counters,all")[answers % 3])
                    except (OSError, ValueError):
                        break  # it has ended
                    self.assertIsInstance(answer, dict)
                    answers += 1
            self.assertEqual(self.lab.sluiced.wait(timeout=10), 0)
            self.assertGreater(answers, 20 * signals)
            self.assertFalse(self.socket.exists())
            self.lab.start_sluiced()
        self.assertNotRegex((self.lab.folder / "sluiced.log").read_text(), r"Sanitizer|runtime error|terminate")
