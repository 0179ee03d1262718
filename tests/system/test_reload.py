"""2,000 clients that talk all the time, while the configuration changes 50 times."""

import itertools
import re
import signal
import time

from lab import wait_for
from labtest import LabTest
from swarm import Swarm

CLIENT_COUNT = 2000
RELOADS = 50


class ReloadTest(LabTest):
    lab_options = {"brokers": 4, "workers": 2, "pool": {"drain_rate": 1000, "slow_start": "1s"}}

    def texts(self):
        """Configurations without end: weights, limits, health, a listener more, a source address more or fewer; and
        every tenth time the last broker goes, and comes back with the next."""
        for n in itertools.count(1):
            brokers = self.lab.brokers[:3] if n % 10 == 5 else self.lab.brokers
            weights = {b.name: {"weight": 50 + (n * 37 + k * 53) % 100} for k, b in enumerate(self.lab.brokers)}
            text = self.lab.config(
                brokers=brokers, backend=weights,
                pools={"retries": n % 5, "bounded_load": (0, 1.5)[n % 2]},
                pool={"source_addresses": ["10.2.0.10-10.2.0.13"] + [f"10.2.0.{20 + n % 3}"] * (n % 2)},
                health={"interval": f"{500 + n}ms", "rise": 1 + n % 2},
                listener={"max_connections": 5000 + n, "idle_timeout": f"{n + 1}h"})
            if n % 3 == 0:
                text += '\n[[listener]]\nname = "third"\naddress = "10.1.0.1:1884"\npool = "brokers"\n'
            yield n, text

    def reload_by_signal(self, text):
        before = self.generation()
        self.lab.config_file.write_text(text)
        self.lab.sluiced.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: self.generation() != before)

    def generation(self):
        return self.lab.admin("show info")["info"]["snapshot_generation"]

    def at(self, backend):
        return {c["client_id"] for c in
                self.lab.admin(f"show connections backend=brokers/{backend} limit=10000")["connections"]}

    def test_fifty_reloads_lose_nothing_but_the_removed_brokers_connections(self):
        removable = set()  # client IDs whose broker was about to be removed
        with Swarm(self.lab, CLIENT_COUNT, talk=0.5) as swarm:
            swarm.wait_all_up()
            for n, text in itertools.islice(self.texts(), RELOADS):
                if n % 10 == 5:
                    removable |= self.at("broker-4")
                if n % 5 == 0:
                    self.reload_by_signal(text)
                else:
                    self.assertTrue(self.lab.reload(text)["changes"])
                if n % 10 == 5:
                    self.assertIn(self.lab.backend_states().get("broker-4", "removed"), ("removed",))
                    wait_for("the removed broker to be empty", lambda: not self.at_or_gone("broker-4"))
                time.sleep(0.1)
            swarm.wait_all_up()
            swarm.be_silent()
            wait_for("all messages to come back", lambda: not swarm.unreturned())
            cut = {c.client_id for c in swarm.cuts}
            self.assertGreater(len(removable), CLIENT_COUNT // 10)
            self.assertEqual(cut - removable, set())
            self.assertEqual([c.client_id for c in swarm.clients if c.disorder], [])
            self.assertEqual(swarm.faults, [])
            self.assertEqual({j.code for j in swarm.joined}, {0})
            # Who was never cut has talked through all of it on one connection.
            faithful = [c for c in swarm.clients if c.client_id not in cut]
            self.assertTrue(all(c.connection == 1 and c.published > RELOADS / 10 for c in faithful))
            self.assertEqual(self.lab.admin("show info")["info"]["connections"], CLIENT_COUNT)
        self.assert_all_gone()

    def at_or_gone(self, backend):
        answer = self.lab.admin(f"show connections backend=brokers/{backend} limit=1")
        return answer.get("connections", [])


class BrokenFileTest(LabTest):
    def test_a_broken_file_changes_nothing_and_says_why(self):
        good = self.lab.config()
        before = self.lab.admin("show backends")
        lines = good.splitlines()
        line = next(n for n, text in enumerate(lines, 1) if text.startswith("source_addresses"))
        lines[line - 1] = 'source_addresses = ["10.2.0.10-10.2.0.9"]'
        self.lab.config_file.write_text("\n".join(lines) + '\nweigth = 5\n')
        answer = self.lab.admin("reload")
        self.assertIn("nothing has changed", answer["error"])
        self.assertEqual(len(answer["problems"]), 2)
        self.assertRegex(answer["problems"][0],
                         rf"{re.escape(str(self.lab.config_file))}:{line}: pool.source_addresses: .*; write ")
        self.assertRegex(answer["problems"][1], rf":{len(lines) + 1}: .*weigth.*")
        after = self.lab.admin("show backends")
        for rows in (before, after):
            for row in rows["backends"]:
                del row["health"], row["offer"]
        self.assertEqual(before, after)

    def test_what_needs_a_restart_is_named(self):
        self.lab.config_file.write_text(self.lab.config(runtime={"workers": 2, "max_connections": 20000}))
        answer = self.lab.admin("reload")
        self.assertIn("restart", answer["error"])
        text = "\n".join(answer["problems"])
        self.assertIn("workers", text)
        self.assertIn("max_connections", text)

    def test_a_dry_run_says_what_would_move_and_changes_nothing(self):
        self.lab.config_file.write_text(self.lab.config(brokers=self.lab.brokers[:2]))
        report = self.lab.admin("reload --dry-run")["reload"]
        self.assertFalse(report["applied"])
        self.assertEqual([(c["what"], c["kind"]) for c in report["changes"]], [("backend brokers/broker-3", "removed")])
        moved = {m["pool"]: m["moved_share"] for m in report["moves"]}
        self.assertAlmostEqual(moved["brokers"], 1 / 3, delta=0.05)
        self.assertEqual(moved["brokers6"], 0)
        self.assertEqual(self.lab.backend_states()["broker-3"], "up")
