"""The race runs to its end with everybody in it, writes what it promises, and leaves nothing behind."""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import ledger
from lab import BUILD, wait_for

RACE = pathlib.Path(__file__).resolve().parents[1] / "race" / "race.py"
PEERS = ["sluice", "haproxy", "nginx", "direct"]


class RaceTest(unittest.TestCase):
    def setUp(self):
        self.out = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def start(self, *words):
        return subprocess.Popen([sys.executable, RACE, "--smoke", "--out", self.out, *words], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SLUICE_BUILD": str(BUILD)})

    def assert_clean(self, pid):
        self.assertEqual(list(pathlib.Path("/run/netns").glob(f"sluice-{pid}-*")), [])
        self.assertEqual(list(ledger.FOLDER.glob(f"{pid}-*")), [])

    def test_everybody_completes(self):
        """Each peer has figures for messages, connects and a reload, and no step became a note."""
        process = self.start("--steps", "flat_out,churn,burst,reload,flood", "--peers", ",".join(PEERS))
        said, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, said)
        results = json.loads((self.out / "race.json").read_text())
        self.assertEqual(results["notes"], [])
        rounds = results["rounds"]
        for peer in PEERS:
            flat_out, = rounds["flat_out"][peer]
            self.assertGreater(flat_out["messages"], 100, peer)
            self.assertGreater(flat_out["p99_9"], flat_out["p50"], peer)
            self.assertGreater(rounds["churn"][peer][0]["connects"], 10, peer)
            if peer != "direct":
                self.assertGreater(flat_out["per_process_second"], 100, peer)
                self.assertEqual(rounds["reload"][peer][0]["lost"], 0, peer)
                self.assertEqual(rounds["flood"][peer][0]["let_in"], rounds["flood"][peer][0]["clients"], peer)
            self.assertGreater(rounds["burst"][peer][0]["p99_100"], 0, peer)
        self.assertEqual(rounds["reload"]["sluice"][0]["processes_after"], 1)
        self.assertEqual(rounds["burst"]["sluice"][0]["missed_100"], 0)
        page = (self.out / "race.md").read_text()
        for title in ("Sluice", "HAProxy", "nginx", "direct"):
            self.assertIn(f"| {title} |", page)
        for chart in ("messages", "messages-core", "machine", "connects"):
            picture = xml.etree.ElementTree.parse(self.out / f"{chart}.svg").getroot()
            self.assertEqual(len(picture.findall("{*}rect")), 1 + len(PEERS), chart)
        self.assert_clean(process.pid)

    def test_an_interrupted_race_leaves_nothing(self):
        process = self.start("--steps", "memory")
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_for("the race to have begun", lambda: process.stdout.readline().startswith("round 1"))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=30), 130)
        self.assert_clean(process.pid)


if __name__ == "__main__":
    unittest.main()
