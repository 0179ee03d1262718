"""A real Prometheus reads Sluice's metrics by the project's own files while clients and brokers give it something to do.

The story happens once, for the class: calm, a restart, clients of every fate, a broker that goes and comes back. Each
test then looks at one side of what Prometheus knows of it.
"""

import contextlib
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree

import mqtt_raw
from dashboard_image import INTERVAL, PICTURES, pictures
from lab import CLIENTS, FRONT, FRONT6, ROOT, table, wait_for
from labtest import LabTest
from prometheus import ADDRESS, FILES, METRICS, Dashboard, Prometheus, get, legend, metrics_page
from swarm import Swarm

sys.path.append(str(ROOT / "tests/check"))
import metrics_doc  # noqa: E402  (it lies where the checks without a lab are)

SCRAPE = 0.5
GRAFANA = 5  # seconds that its data source is told: rates look back over four of them
LOST = "broker-2"
STRICT = "broker-3"  # wants a password that nobody knows

# What nothing in the story moves, for certain: (panel, legend).
UNMOVED = {
    ("Refused by Sluice", "no source port"),
    ("TCP", "retransmissions"), ("TCP", "time-outs"), ("TCP", "challenge ACKs"),
    ("Handshakes that failed", "TCP handshake"), ("Handshakes that failed", "gone while connecting"),
    ("Why connections stay relayed", "timestamps"), ("Why connections stay relayed", "SACK"),
    ("Why connections stay relayed", "segment size"), ("Why connections stay relayed", "more than a record can name"),
}
UNMOVED_PANELS = {"Drops by the devices"}


class MetricsTest(LabTest):
    lab_options = {"brokers": 3, "start_brokers": False, "start_sluiced": False, "admin": {"metrics": METRICS},
                   "listener": {"connect_timeout": "1s"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.broker(STRICT).demand_password("nobody", "knows")
        for broker in cls.lab.brokers:
            broker.start()
        cls.lab.start_sluiced()
        cls.wait_states(cls.lab.brokers)
        cls.began = time.time()
        cls.prometheus = Prometheus(cls.lab, SCRAPE, patience=1)
        cls.restart()
        cls.calm = cls.wait_evaluated()
        cls.lab.reload(cls.routed())
        with Swarm(cls.lab, 60, talk=0.5, back=0.5) as cls.swarm:
            wait_for("clients to be connected", lambda: len(cls.swarm.up()) >= 30)
            cls.fates()
            cls.lose_a_broker()
        cls.page = metrics_page(cls.lab)

    # The story

    @classmethod
    def wait_states(cls, brokers, pools=("", "-v6")):
        names = {broker.name + pool for broker in brokers for pool in pools}
        wait_for("brokers to be up", lambda: all(cls.lab.backend_states()[name] == "up" for name in names))

    @classmethod
    def wait_scraped(cls, query, least):
        """Until there is one value, and not less."""
        wait_for(f"{query} to be {least}", lambda: (cls.prometheus.one(query) or -1) >= least)

    @classmethod
    def restart(cls):
        started = wait_for("a scrape", lambda: cls.prometheus.one("process_start_time_seconds"))
        cls.lab.sluiced.terminate()
        cls.lab.sluiced.wait(20)
        cls.lab.start_sluiced()
        cls.wait_states(cls.lab.brokers)
        wait_for("a scrape of the next one", lambda: cls.prometheus.one("process_start_time_seconds") != started)
        cls.restarted = time.time()

    @classmethod
    def wait_evaluated(cls):
        """Until every alert has been looked at for longer than any of them waits; which ones fire."""
        def evaluated():
            rules = cls.prometheus.rules().values()
            return all(rule["health"] != "unknown" for rule in rules) and cls.prometheus.one("sluice_uptime_seconds") > 6
        wait_for("alerts to be evaluated", evaluated)
        return cls.prometheus.firing()

    @classmethod
    def routed(cls):
        """Pools that cannot take anybody, and the ways there."""
        pool = {"slow_start": "0s"}
        other = cls.lab.brokers[0].address
        parts = [cls.lab.config()]
        for name, source, backend in (("empty", "10.2.0.20", {"state": "drain"}),
                                      ("full", "10.2.0.21", {"max_connections": 1})):
            parts += [table("[[pool]]", {"name": name, "source_addresses": [source], **pool}),
                      table("[[pool.backend]]", {"name": f"{name}-1", "address": f"{other}:1883", **backend})]
        for prefix, way in (("barred", {"refuse": "not_authorized"}), ("empty", {"pool": "empty"}),
                            ("full", {"pool": "full"}), ("mixed", {"pool": "brokers6"})):
            parts.append(table("[[route]]", {"client_id_prefix": prefix, **way}))
        return "\n".join(parts)

    @classmethod
    def fates(cls):
        clients = cls.lab.clients
        with contextlib.ExitStack() as stack:
            for name, code in (("barred", 5), ("empty", 3), ("full-1", 0), ("full-2", 3),
                               (next(cls.lab.client_ids_at(cls.lab.broker(STRICT), "unknown")), 5)):
                client = stack.enter_context(mqtt_raw.Client(clients, FRONT, name))
                if client.code != code:
                    raise AssertionError(f"{name}: {client.code}")
            mixed = (name for name in (f"mixed-{n}" for n in range(100)) if cls.lab.explain(name) != f"{STRICT}-v6")
            stack.enter_context(mqtt_raw.Client(clients, FRONT, next(mixed))).ping()
            good = cls.lab.client_ids_at(cls.lab.brokers[0], "good", listener="mqtt6")
            stack.enter_context(mqtt_raw.Client(clients, FRONT6, next(good), version=5)).ping()
            good = cls.lab.client_ids_at(cls.lab.brokers[0], "good")
            stack.enter_context(mqtt_raw.Client(clients, FRONT, next(good), version=3, keep_alive=0)).ping()
            clients.run(["mosquitto_pub", "-V", "mqttv5", "-h", FRONT, "-i", next(good), "-t", "x", "-m", "y", "-q", "1"])
            stack.enter_context(clients.connect(FRONT))  # says nothing
            clients.connect(FRONT).close()
            with clients.connect(FRONT) as broken:
                broken.sendall(mqtt_raw.PINGREQ)
                mqtt_raw.closes(broken)
            with contextlib.suppress(ConnectionRefusedError):
                clients.connect(FRONT, 1884)
            with clients.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                datagrams.bind((CLIENTS[0], 0))
                datagrams.sendto(b"?", (FRONT, 1883))
            cls.wait_scraped("sluice_client_connect_timeout_total", 1)

    @classmethod
    def lose_a_broker(cls):
        """Until the alert fires, and until it does so no longer."""
        cls.lab.broker(LOST).stop()
        cls.alarm = wait_for("the alert", lambda: {labels["backend"]: labels for name, labels in cls.prometheus.firing()
                                                   if name == "SluiceBackendDown" and labels["pool"] == "brokers"})
        cls.rules = cls.prometheus.rules()
        cls.lab.broker(LOST).start()
        wait_for("the alert to end", lambda: "SluiceBackendDown" not in dict(cls.prometheus.firing()))

    # What came of it

    def test_scrapes_succeed(self):
        self.assertEqual(self.prometheus.query("sluice_build_info")[0][0]["job"], "sluice")
        since = int(time.time() - self.restarted)
        # One that takes longer than SCRAPE on a busy machine counts as failed.
        self.assertGreater(self.prometheus.one(f'avg_over_time(up{{job="sluice"}}[{since}s])'), 0.9)
        scrapes = self.prometheus.one(f'count_over_time(up{{job="sluice"}}[{since}s])')
        self.assertGreater(scrapes, 0.5 * since / SCRAPE)
        self.assertEqual(get(self.lab, ADDRESS, "/-/healthy")[0], 200)

    def test_what_is_scraped_is_what_happened(self):
        accepted = sum(1 for joined in self.swarm.joined if joined.code == 0)
        refused = sum(1 for joined in self.swarm.joined if joined.code == 5)
        self.assertGreater(min(accepted, refused), 0)
        named = f'pool="brokers", backend="{STRICT}", version="3"'
        self.wait_scraped(f'sluice_backend_connack_total{{{named}, code="0x05"}}', refused)
        self.assertEqual(self.prometheus.one(f'sluice_backend_connack_total{{{named}, code="0x00"}}'), 0)
        self.wait_scraped('sum(sluice_backend_connack_total{code="0x00"})', accepted)
        self.wait_scraped(f'sluice_backend_connect_failures_total{{pool="brokers", backend="{LOST}", reason="refused"}}', 1)
        for counter in ("refused_by_route", "refused_no_backend", "refused_backend_full", "connect_not_connect",
                        "relayed_mixed_families"):
            value = self.lab.counter(counter)
            self.assertGreater(value, 0, counter)
            wait_for(counter, lambda name=counter, value=value: self.prometheus.one(f"sluice_{name}_total") == value)

    def promtool(self, *words, given=None):
        done = subprocess.run(["promtool", *words], input=given, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_promtool_has_nothing_to_say(self):
        self.assertIn(f'{{pool="brokers",backend="{STRICT}",version="3",code="0x05"}}', self.page)
        self.assertEqual(self.promtool("check", "metrics", given=self.page), (0, ""))
        for words in (("rules", FILES / "alerts.yml"), ("config", FILES / "prometheus.yml"),
                      ("config", self.prometheus.folder / "prometheus.yml")):
            code, said = self.promtool("check", *map(str, words))
            self.assertEqual(code, 0, said)

    def test_the_manual_lists_what_is_on_the_page(self):
        found = metrics_doc.families(self.page)
        rows = metrics_doc.rows(found)
        self.assertEqual(set(found) - set(rows), set(metrics_doc.counters()))
        manual = metrics_doc.manual_table()
        self.assertEqual(manual.count("\n| `"), len(rows))
        for name, row in rows.items():
            if found[name].told:
                self.assertIn(row, manual)
            else:
                self.assertIn(f"\n| `{name}` |", manual)

    def test_every_query_of_the_dashboard_has_data(self):
        for name, dashboard in (("all", Dashboard(GRAFANA)),
                                ("chosen", Dashboard(GRAFANA, instance=[METRICS], pool=["brokers", "brokers6"],
                                                     backend=[b.name for b in self.lab.brokers]))):
            for panel in dashboard.panels():
                for target in panel["targets"]:
                    with self.subTest(dashboard=name, panel=panel["title"], target=target["legendFormat"]):
                        self.assert_has_data(dashboard, panel["title"], target)

    def assert_has_data(self, dashboard, title, target):
        """What happened stays in the range that is asked for, so it may take its time."""
        moves = title not in UNMOVED_PANELS and (title, target["legendFormat"]) not in UNMOVED

        def told():
            nonlocal answer
            answer = self.prometheus.query_range(dashboard.fill(target["expr"], 1), self.began, time.time(), 1)
            values = [value for _, points in answer for _, value in points]
            return any(value > 0 for value in values) if moves else values

        answer = None
        with contextlib.suppress(TimeoutError):
            wait_for("data", told)
        self.assertTrue(told(), answer)
        names = [legend(target["legendFormat"], labels).strip() for labels, _ in answer]
        self.assertEqual(len(set(names)), len(names), "two series of one name")
        self.assertNotIn("", names)

    def test_its_picture_can_be_drawn(self):
        start = self.began // INTERVAL * INTERVAL
        made = pictures(self.prometheus, start, time.time() // INTERVAL * INTERVAL)
        self.assertEqual(set(made), set(PICTURES))
        texts = {element.text for picture in made.values()
                 for element in xml.etree.ElementTree.fromstring(picture).iter()}
        self.assertLessEqual({"Overview", "Connections by phase", "spliced", "State", "drain", "3 0x05", "10 s"}, texts)

    def test_variables_of_the_dashboard_have_their_values(self):
        values = {name: self.prometheus.ask(f"label/{label}/values", **{"match[]": selector})
                  for name, selector, label in Dashboard(GRAFANA).variables()}
        brokers = [b.name + family for b in self.lab.brokers for family in ("", "-v6")]
        self.assertEqual(values, {"instance": [METRICS], "pool": ["brokers", "brokers6", "empty", "full"],
                                  "backend": sorted([*brokers, "empty-1", "full-1"])})

    def test_the_dashboard_marks_the_restart(self):
        marks = {name: self.prometheus.query_range(query, self.began, time.time(), 1)
                 for name, query in Dashboard(GRAFANA).annotations()}
        self.assertEqual(list(marks), ["Restarts"])
        (_, points), = marks["Restarts"]
        self.assertLess(abs(points[0][0] - self.restarted), 5)

    def test_nothing_is_alarming_while_all_is_well(self):
        self.assertEqual(self.calm, [])

    def test_alerts_can_be_evaluated_and_one_has_fired(self):
        self.assertEqual({rule["health"] for rule in self.rules.values()}, {"ok"},
                         {name: rule.get("lastError") for name, rule in self.rules.items()})
        named = {line.split()[-1] for line in (FILES / "alerts.yml").read_text().splitlines() if " alert: " in line}
        self.assertEqual(set(self.rules), named)
        self.assertEqual(list(self.alarm), [LOST])
        self.assertEqual({key: self.alarm[LOST][key] for key in ("pool", "severity", "state")},
                         {"pool": "brokers", "severity": "warning", "state": "down"})
        told = [alert["annotations"]["summary"] for alert in self.rules["SluiceBackendDown"]["alerts"]]
        self.assertIn(f"Broker {LOST} of pool brokers is down (Sluice at {METRICS})", told)
