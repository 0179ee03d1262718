"""The connection log: a line for each connection that ended, whatever ended it."""

import json
import os
import signal

import mqtt_raw
from lab import FRONT, Lab, wait_for
from labtest import LabTest


class ConnectionLogTest(LabTest):
    @classmethod
    def setUpClass(cls):
        cls.lab = cls.enterClassContext(Lab(start_sluiced=False))
        cls.path = cls.lab.folder / "connections.log"
        config = cls.lab.config
        cls.lab.config = lambda **more: config(**more).replace(
            "[admin]", f'[[route]]\nclient_id_prefix = "banned"\nrefuse = "not_authorized"\n\n[admin]\n'
                       f'connection_log = "{cls.path}"')
        cls.lab.start_sluiced()

    def lines(self, path=None):
        path = path or self.path
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def line_of(self, client_id, path=None):
        return wait_for(f"the line of {client_id}",
                        lambda: next((l for l in self.lines(path) if l["client_id"] == client_id), None))

    def test_what_a_line_says(self):
        with mqtt_raw.Client(self.lab.clients, FRONT, "polite", keep_alive=77) as client:
            client.echo("own", b"x" * 1000)
            name = client.sock.getsockname()
            client.sock.sendall(mqtt_raw.DISCONNECT)
            self.assertTrue(mqtt_raw.closes(client.sock))
        line = self.line_of("polite")
        arrival = self.lab.wait_arrival("polite")
        self.assertEqual(line["client"], f"{name[0]}:{name[1]}")
        self.assertEqual(line["source"], f"{arrival.address}:{arrival.port}")
        self.assertEqual((line["listener"], line["pool"], line["backend"]), ("mqtt", "brokers", arrival.broker))
        self.assertEqual((line["version"], line["keep_alive_seconds"], line["persistent"]), ("3.1.1", 77, False))
        self.assertEqual(line["reason"], "closed_orderly")
        self.assertGreater(line["from_client_bytes"], 1000)
        self.assertGreater(line["from_broker_bytes"], 1000)
        self.assertLess(line["duration_seconds"], 10)

    def test_every_kind_of_end(self):
        rude = mqtt_raw.Client(self.lab.clients, FRONT, "rude")
        mqtt_raw.reset(rude.sock)
        self.assertEqual(self.line_of("rude")["reason"], "closed_client_reset")
        with mqtt_raw.Client(self.lab.clients, FRONT, "killed"):
            self.assertEqual(self.lab.admin("kill connection client_id=killed"), {"killed": 1})
            self.assertEqual(self.line_of("killed")["reason"], "closed_by_operator")
        with self.lab.clients.connect(FRONT) as sock:
            sock.sendall(mqtt_raw.connect("banned-1"))
            self.assertEqual(mqtt_raw.Reader(sock).exactly(4), b"\x20\x02\x00\x05")
        line = self.line_of("banned-1")
        self.assertEqual((line["reason"], line["backend"], line["source"]), ("refused_by_route", None, None))
        with self.lab.clients.connect(FRONT) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertTrue(mqtt_raw.closes(sock))
            name = "{}:{}".format(*sock.getsockname())
        line = wait_for("the line of nobody", lambda: next((l for l in self.lines() if l["client"] == name), None))
        self.assertEqual((line["reason"], line["version"]), ("connect_not_connect", None))

    def test_rotation(self):
        with mqtt_raw.Client(self.lab.clients, FRONT, "early"):
            pass
        self.line_of("early")
        old = self.path.with_suffix(".1")
        os.rename(self.path, old)
        self.lab.sluiced.send_signal(signal.SIGHUP)
        wait_for("the new file", self.path.exists)
        with mqtt_raw.Client(self.lab.clients, FRONT, "late"):
            pass
        self.line_of("late")
        self.assertNotIn("late", [l["client_id"] for l in self.lines(old)])

    def test_a_reader_that_sleeps_holds_up_nobody(self):
        pipe = self.lab.folder / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            self.lab.reload(self.lab.config().replace(str(self.path), str(pipe)))
            for n in range(300):  # more than the pipe holds
                with mqtt_raw.Client(self.lab.clients, FRONT, f"unread-{n}"):
                    pass
            self.lab.reload(self.lab.config())
        finally:
            os.close(reader)
        with mqtt_raw.Client(self.lab.clients, FRONT, "again"):
            pass
        self.line_of("again")

    def test_a_full_disk_is_told_once_and_loses_nothing(self):
        """/dev/full is as a disk without room; the file that follows it gets what was kept."""
        self.lab.reload(self.lab.config().replace(str(self.path), "/dev/full"))
        for n in range(5):
            with mqtt_raw.Client(self.lab.clients, FRONT, f"kept-{n}"):
                pass
        log = self.lab.folder / "sluiced.log"
        wait_for("the warning", lambda: "No space left on device" in log.read_text())
        self.lab.reload(self.lab.config())
        for n in range(5):
            self.line_of(f"kept-{n}")
        wait_for("the end of it", lambda: "can be written again; 0 lines were lost" in log.read_text(), 20)
        self.assertEqual(log.read_text().count("No space left on device"), 1)
