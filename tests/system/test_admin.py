"""Every admin command, right and wrong, over the socket of a daemon at work; and clients of that socket that behave badly."""

import contextlib
import itertools
import json
import random
import re
import socket
import subprocess
import threading
import time

import mqtt_raw
from lab import BUILD, FRONT, wait_for
from labtest import LabTest
from processes import resident_bytes

# Command -> what is right to say of it, and what is not. `help` says whether these are all.
COMMANDS = {
    "show info": ([""], ["now"]),
    "show listeners": ([""], ["mqtt"]),
    "show pools": ([""], ["brokers"]),
    "show backends": ([""], ["broker-1"]),
    "show connections": (
        ["", "backend=broker-1", "backend=brokers/broker-1 limit=1", "client_id=x", 'client_id_prefix="a b"',
         "address=10.1.0.2", "address=[fd00:1::2]:1883", "phase=spliced"],
        ["broker-1", "backend=nobody", "color=red", "limit=0", "limit=100001", "limit=x", "address=10.1.0", "phase=x",
         "limit=1 limit=1"]),
    "show ports": ([""], ["front"]),
    "show neighbors": ([""], ["back"]),
    "show config": ([""], ["all"]),
    "show counters": (["", "all"], ["none", "all all"]),
    "explain": (
        ["x", "x listener=mqtt6", "x pool=brokers6", "x username=u version=5 address=10.1.0.9", '"a b"', '""'],
        ["", "x y", "x listener=nobody", "x pool=nobody", "x version=6", "x address=host", "x pool=brokers pool=brokers"]),
    "reload": (["", "--dry-run"], ["--dry-run --dry-run", "now"]),
    "drain": (["broker-2", "brokers/broker-2"], ["", "nobody", "broker-2 broker-3", "nowhere/broker-2"]),
    "maintenance": (["broker-2"], ["", "nobody"]),
    "ready": (["broker-2"], ["", "nobody"]),
    "weight": (["broker-2 50", "broker-2 0", "broker-2 1000"],
               ["broker-2", "broker-2 1001", "broker-2 -1", "broker-2 x", "nobody 5", "broker-2 5 5"]),
    "add backend": (
        ["brokers extra 10.2.0.99:1883", "brokers another 10.2.0.98:1883 weight=5"],
        ["brokers", "brokers more", "nowhere more 10.2.0.97:1883", "brokers broker-1 10.2.0.97:1883",
         "brokers more 10.2.0.2:1883", "brokers more 10.2.0.97", "brokers more [fd00:2::97]:1883",
         "brokers more 10.2.0.97:1883 weight=x", "brokers m@re 10.2.0.97:1883", "brokers more 10.2.0.10:1883"]),
    "remove backend": (["extra", "brokers/another"], ["", "nobody", "extra"]),
    "kill connection": (["client_id=nobody", "backend=broker-1 limit=5", "address=10.1.0.200", "phase=closing"],
                        ["", "limit=5", "nobody", "backend=nobody", "phase=x"]),
    "log level": (["debug", "info"], ["", "loud", "info info"]),
    "help": ([""], ["me"]),
}

NO_COMMANDS = ["", " ", "nonsense", "show", "show nonsense", "Show info", "show  \"info", "\\", "\x00", "\x7f" * 50,
               "show info;help", "reload\tnow", "a" * 4096]


class Line:
    """A client of the admin socket that asks over one connection."""

    def __init__(self, lab, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(str(lab.socket))
        self.replies = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.replies.close()
        self.sock.close()

    def send(self, command):
        self.sock.sendall(command.encode() + b"\n")

    def reply(self):
        return json.loads(self.replies.readline())

    def ask(self, command):
        self.send(command)
        return self.reply()


class AdminLabTest(LabTest):
    lab_options = {"pool": {"slow_start": "0s"}}

    def as_it_was(self):
        """The file's configuration, and no wishes of the operator's."""
        for name in ("broker-1", "broker-2", "broker-3"):
            self.lab.admin(f"ready brokers/{name}")
        self.lab.admin("log level info")
        self.lab.reload(self.lab.config())

    def setUp(self):
        self.addCleanup(self.as_it_was)

    def connected(self, client_id, keep=True):
        client = mqtt_raw.Client(self.lab.clients, FRONT, client_id)
        if keep:
            self.addCleanup(client.close)
        return client

    def broker_of(self, client):
        """Of a client that is connected. An earlier connection of the same client ID may still be ending."""
        address, port = client.sock.getsockname()
        rows = self.lab.admin(f"show connections address={address}:{port}")["connections"]
        return rows[0]["backend"] if rows else None

    def place(self, client_id):
        """Where a client of this name is taken if it comes now."""
        with self.connected(client_id, keep=False) as client:
            return self.broker_of(client)


class EveryCommandTest(AdminLabTest):
    def config(self):
        return self.lab.admin("show config")["config"]

    def test_each_is_answered_when_it_is_right_and_refused_when_it_is_not(self):
        with Line(self.lab) as line:
            known = {re.match(r"[a-z]+( [a-z]+)?", row["command"])[0] for row in line.ask("help")["commands"]}
            self.assertEqual(known, set(COMMANDS))
            for name, (right, wrong) in COMMANDS.items():
                for words in right:
                    answer = line.ask(f"{name} {words}".strip())
                    self.assertNotIn("error", answer, f"{name} {words}")
                before = self.config()
                for words in wrong:
                    answer = line.ask(f"{name} {words}".strip())
                    self.assertEqual(list(answer), ["error"], f"{name} {words}")
                    self.assertRegex(answer["error"], r"\w{3}", f"{name} {words}")
                self.assertEqual(self.config(), before, f"a refused '{name}' has changed something")
            for command in NO_COMMANDS:
                self.assertEqual(list(line.ask(command)), ["error"], command)

    def test_sluicectl_prints_every_answer_and_ends_as_it_should(self):
        for name, (right, wrong) in COMMANDS.items():
            if name in ("add backend", "remove backend"):
                continue  # in order, above
            words = f"{name} {right[0]}".split()
            self.assertTrue(self.lab.ctl(*words).stdout.strip(), name)
            self.assertIsInstance(json.loads(self.lab.ctl("--json", *words).stdout), dict, name)
            refused = self.lab.ctl(*name.split(), *wrong[-1].split(), check=False)
            self.assertEqual((refused.returncode, refused.stdout), (1, ""), name)
            self.assertRegex(refused.stderr, r"^sluicectl: \w", name)

    def test_the_configuration_shown_is_a_file_that_says_the_same(self):
        self.lab.admin("weight brokers/broker-2 7")
        self.lab.admin("drain brokers/broker-3")
        shown = self.lab.ctl("show", "config").stdout
        copy = self.lab.folder / "shown.toml"
        copy.write_text(shown)
        done = subprocess.run([BUILD / "sluiced", "--config", copy, "--check-config"], capture_output=True, text=True,
                              timeout=20, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.lab.reload(shown)["changes"], [])
        pool = self.config()["pool"][0]
        self.assertEqual([b["weight"] for b in pool["backend"]], [100, 7, 100])
        self.assertEqual([b["state"] for b in pool["backend"]], ["up", "up", "drain"])
        self.assertEqual(pool["health"]["interval"], "1s")
        self.lab.reload(self.lab.config())

    def test_the_socket_is_for_owner_and_group(self):
        self.assertEqual(self.lab.socket.stat().st_mode & 0o777, 0o660)


class SteeringTest(AdminLabTest):
    """What commands do to clients."""

    def test_a_drained_broker_keeps_its_clients_and_gets_no_more(self):
        first, other = itertools.islice(self.lab.client_ids_at(self.lab.broker("broker-1"), "drained"), 2)
        client = self.connected(first)
        self.assertEqual(self.lab.admin("drain broker-1"), {"backend": "broker-1", "state": "drain"})
        self.assertEqual(self.lab.backend_states()["broker-1"], "drain")
        client.ping()
        self.assertEqual(self.broker_of(client), "broker-1")
        elsewhere = self.place(other)
        self.assertIn(elsewhere, ("broker-2", "broker-3"))
        told = self.lab.admin(f"explain {other}")
        self.assertEqual((told["backend"], told["displaced"]), (elsewhere, True), told)
        self.lab.admin("ready broker-1")
        self.assertEqual(self.place(other), "broker-1")

    def test_maintenance_ends_connections(self):
        name = next(self.lab.client_ids_at(self.lab.broker("broker-2"), "maintained"))
        client = self.connected(name)
        self.lab.admin("maintenance broker-2")
        self.assertTrue(mqtt_raw.closes(client.sock))
        self.assertNotEqual(self.place(name), "broker-2")

    def test_a_broker_without_weight_gets_nobody(self):
        name = next(self.lab.client_ids_at(self.lab.broker("broker-3"), "weighed"))
        self.assertEqual(self.lab.admin("weight broker-3 0"), {"backend": "broker-3", "weight": 0})
        self.assertNotEqual(self.place(name), "broker-3")
        self.lab.admin("weight broker-3 100")
        self.assertEqual(self.place(name), "broker-3")

    def test_a_broker_is_taken_out_and_put_back(self):
        broker = self.lab.broker("broker-3")
        name = next(self.lab.client_ids_at(broker, "back"))
        client = self.connected(name)
        self.assertEqual(self.lab.admin("remove backend broker-3"), {"removed": "broker-3"})
        self.assertTrue(mqtt_raw.closes(client.sock))
        self.assertNotEqual(self.place(name), "broker-3")
        self.assertEqual(self.lab.admin(f"add backend brokers broker-3 {broker.address}:1883"),
                         {"added": "brokers/broker-3"})
        wait_for("it to be up", lambda: self.lab.backend_states()["broker-3"] == "up")
        self.assertEqual(self.place(name), "broker-3")

    def test_the_only_broker_is_not_removed(self):
        for name in ("broker-1", "broker-2"):
            self.assertNotIn("error", self.lab.admin(f"remove backend {name}"))
        self.assertIn("only backend", self.lab.admin("remove backend broker-3")["error"])

    def test_killed_connections_are_those_that_fit(self):
        clients = {name: self.connected(name) for name in ("kill-1", "kill-2", "spare-1")}
        self.assertEqual(self.lab.admin("kill connection client_id_prefix=kill-"), {"killed": 2})
        for name in ("kill-1", "kill-2"):
            self.assertTrue(mqtt_raw.closes(clients[name].sock), name)
        clients["spare-1"].ping()
        self.assertEqual(self.lab.ctl("kill", "connection", "client_id=spare-1").stdout, "killed  1\n")
        self.assertTrue(mqtt_raw.closes(clients["spare-1"].sock))

    def test_a_dry_run_tells_what_a_reload_then_does(self):
        before = self.lab.admin("show config")
        text = self.lab.config(backend={"broker-1": {"weight": 300}}, pool={"retries": 1})
        self.lab.config_file.write_text(text)
        dry = self.lab.admin("reload --dry-run")["reload"]
        self.assertFalse(dry["applied"])
        self.assertEqual(dry["changes"], [
            {"what": "pool brokers", "kind": "changed", "key": "retries", "from": "3", "to": "1"},
            {"what": "backend brokers/broker-1", "kind": "changed", "key": "weight", "from": "100", "to": "300"}])
        moves = {move["pool"]: move["moved_share"] for move in dry["moves"]}
        self.assertAlmostEqual(moves["brokers"], 3 / 5 - 1 / 3, delta=0.05)
        self.assertEqual(moves["brokers6"], 0)
        self.assertEqual(self.lab.admin("show config"), before)
        printed = self.lab.ctl("reload", "--dry-run").stdout
        self.assertRegex(printed, r"backend brokers/broker-1 +changed +weight +100 +300\n")
        self.assertIn("a dry run: nothing has changed\n", printed)
        self.assertEqual({**self.lab.admin("reload")["reload"], "applied": False}, dry)
        self.assertEqual(self.lab.admin("show config")["config"]["pool"][0]["backend"][0]["weight"], 300)
        self.assertEqual(self.lab.ctl("reload").stdout, "nothing has changed\n")

    def test_a_wrong_file_is_refused_as_a_whole_with_all_its_problems(self):
        before = self.lab.admin("show config")
        text = self.lab.config(backend={"broker-1": {"weight": 5000}}, pool={"retires": 1, "drain_rate": 5})
        for name, wrong, words in (
                ("faults", text, ("weight", "retires")),
                ("a restart", self.lab.config(runtime={"max_connections": 11111}), ("max_connections: 10000 -> 11111",)),
                ("no TOML", "[[pool", ("sluice.toml:1",))):
            self.lab.config_file.write_text(wrong)
            for command in ("reload", "reload --dry-run"):
                answer = self.lab.admin(command)
                self.assertEqual(list(answer), ["error", "problems"], name)
                for word in words:
                    self.assertIn(word, "\n".join(answer["problems"]), name)
            done = self.lab.ctl("reload", check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertEqual(done.stderr.splitlines()[1:], answer["problems"])
            self.assertEqual(json.loads(self.lab.ctl("--json", "reload", check=False).stdout), answer)
        self.lab.config_file.unlink()
        self.assertIn("error", self.lab.admin("reload"))
        self.assertEqual(self.lab.admin("show config"), before)


class CrowdTest(AdminLabTest):
    CLIENTS = 20
    COMMANDS = 50

    def ask(self, number, faults):
        """Fifty commands, of which up to ten are on their way at once; the answers come in order and are the right ones."""
        def say(n):
            return (("explain", f"explain c-{number}-{n}"), ("weight", f"weight broker-3 {number * 50 + n}"),
                    ("wrong", f"nonsense-{number}-{n}"), ("info", "show info"), ("backends", "show backends"))[n % 5]

        def check(n, answer):
            kind = say(n)[0]
            if kind == "explain":
                return answer["client_id"] == f"c-{number}-{n}" and answer["backend"].startswith("broker-")
            if kind == "weight":
                return answer == {"backend": "broker-3", "weight": number * 50 + n}
            if kind == "wrong":
                return list(answer) == ["error"]
            if kind == "info":
                return answer["info"]["workers"] == 1
            return len(answer["backends"]) == 6

        try:
            with Line(self.lab, timeout=20) as line:
                for first in range(0, self.COMMANDS, 10):
                    batch = range(first, first + 10)
                    for n in batch:
                        line.send(say(n)[1])
                    for n in batch:
                        answer = line.reply()
                        if not check(n, answer):
                            faults.append((number, n, answer))
        except (OSError, ValueError, KeyError) as fault:
            faults.append((number, repr(fault)))

    def test_a_thousand_commands_of_twenty_clients_are_all_answered_rightly(self):
        faults = []
        threads = [threading.Thread(target=self.ask, args=(n, faults)) for n in range(self.CLIENTS)]
        with mqtt_raw.Client(self.lab.clients, FRONT, "bystander") as bystander:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            self.assertFalse(any(thread.is_alive() for thread in threads))
            bystander.ping()
        self.assertEqual(faults, [])
        # Each weight was a new picture of the brokers for every worker; the old ones are gone.
        self.assertGreater(self.lab.admin("show info")["info"]["snapshot_generation"], self.CLIENTS * self.COMMANDS / 5)


class BadClientsTest(AdminLabTest):
    def raw(self):
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.connect(str(self.lab.socket))
        return sock

    def never_reads(self):
        """Asks for the longest answer until the socket takes no more."""
        sock = self.raw()
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.send(b"show counters all\n" * 100)
        return sock

    def others_are_served(self):
        started = time.monotonic()
        for n in range(20):
            self.assertEqual(self.lab.admin(f"explain o-{n}")["client_id"], f"o-{n}")
        self.assertLess(time.monotonic() - started, 5)
        with mqtt_raw.Client(self.lab.clients, FRONT, "served") as client:
            client.ping()

    def test_clients_that_never_read_hurt_nobody(self):
        self.others_are_served()
        before = resident_bytes(self.lab.sluiced.pid)
        for _ in range(30):
            self.never_reads()
        self.others_are_served()
        self.assertLess(resident_bytes(self.lab.sluiced.pid) - before, 16 << 20)

    def test_half_lines_hurt_nobody(self):
        half = [self.raw() for _ in range(30)]
        for n, sock in enumerate(half):
            sock.sendall(b"show connections client_id=" + b"x" * (n * 100))
        self.others_are_served()
        for sock in half[::2]:
            sock.close()
        half[1].sendall(b"\n")
        half[1].settimeout(10)
        self.assertIn("connections", json.loads(half[1].makefile("rb").readline()))

    def test_a_line_without_end_is_refused_once_and_passed_over(self):
        before = resident_bytes(self.lab.sluiced.pid)
        with Line(self.lab) as line:
            for _ in range(256):
                line.sock.sendall(b"x" * 4096)
            self.assertEqual(line.reply(), {"error": "the line is longer than 4096 bytes"})
            line.sock.sendall(b"the end of it\nhelp\n")
            self.assertIn("commands", line.reply())
        self.assertLess(resident_bytes(self.lab.sluiced.pid) - before, 4 << 20)
        self.others_are_served()

    def test_garbage_is_answered_line_by_line(self):
        dice = random.Random(7)
        with Line(self.lab) as line:
            for _ in range(200):
                garbage = bytes(dice.randrange(256) for _ in range(dice.randrange(300))).replace(b"\n", b"?")
                line.sock.sendall(garbage + b"\n")
                self.assertEqual(list(line.reply()), ["error"])
            self.assertIn("info", line.ask("show info"))

    def test_who_leaves_before_the_answer_hurts_nobody(self):
        for _ in range(50):
            sock = self.raw()
            sock.sendall(b"show counters all\nshow backends\nshow conn")
            sock.close()
        self.others_are_served()

    def test_whoever_asks_is_served_however_many_are_silent(self):
        crowd = [self.raw() for _ in range(80)]
        try:
            self.others_are_served()
            # The first ones have given way.
            gone = []
            for sock in crowd:
                sock.setblocking(False)
            wait_for("those too many to be cut off", lambda: [
                gone.append(sock) for sock in crowd if sock not in gone and self.is_closed(sock)] or len(gone) >= 16)
            self.assertEqual(gone, crowd[:len(gone)])
        finally:
            for sock in crowd:
                sock.close()

    @staticmethod
    def is_closed(sock):
        try:
            return sock.recv(200) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
