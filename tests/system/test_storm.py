"""Everything hostile at once, for a while and once more; then nothing is left, and nobody who did no harm has lost
anything. The length is run.py's option --storm. What the storm is made of, storm.py tells."""

import scale
from lab import wait_for
from labtest import LabTest
from processes import resident_bytes
from storm import BURST, BURST_MESSAGES, STANDING, Storm

MEMORY = 4 << 20
# What a connection can have ended by, in this storm. Each is counted by one of them.
ENDINGS = ("client_connect_timeout", "client_closed_early", "client_gone_while_connecting", "client_connect_evicted",
           "client_waiting_evicted", "refused_no_backend", "refused_source_ports", "refused_backend_full",
           "closed_orderly", "closed_client_reset", "closed_broker_reset", "closed_client_timeout",
           "closed_broker_timeout", "closed_idle", "closed_by_operator", "closed_maintenance", "closed_backend_down",
           "closed_backend_removed")
# And each attempt to have a broker, as nobody leaves before its CONNACK.
ATTEMPT_ENDINGS = ("connack_accepted", "upstream_refused", "upstream_silent", "upstream_closed_early",
                   "upstream_unreachable")


class StormTest(LabTest):
    lab_options = {"workers": 2, "runtime": {"connect_memory": f"{MEMORY >> 20}MiB"},
                   "listener": {"half_open": 100, "connect_timeout": "1500ms"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.storm = Storm(cls.lab, flapping=cls.lab.brokers[2])
        cls.swarms = []
        cls.unaccounted = []  # connections, at the end of each round
        cls.resident = []     # bytes, likewise
        for _ in range(2):
            with cls.storm.round(scale.storm_seconds / 2) as (swarm, safe):
                wait_for("all messages to come back", lambda: not swarm.unreturned())
                wait_for("the strangers to be gone", lambda: cls.info()["connections"] == STANDING, 90)
                counters = cls.counters()
                ended = sum(counters[name] for name in ENDINGS)
                cls.unaccounted.append(counters["client_accepted"] - ended - STANDING)
                cls.swarms.append((swarm, safe))
            wait_for("all to be gone", cls.all_gone)
            cls.resident.append(resident_bytes(cls.lab.sluiced.pid))
        print("   ", {name: value for name, value in cls.counters().items() if value}, flush=True)
        print("   ", f"resident {cls.resident}, forged {cls.storm.forged}, {cls.storm.reloads} reloads,",
              f"{cls.storm.flaps} flaps", flush=True)

    @classmethod
    def info(cls):
        return cls.lab.admin("show info")["info"]

    @classmethod
    def all_gone(cls):
        info = cls.info()
        return not any(info[what] for what in ("connections", "half_open", "timers", "connect_bytes"))

    @classmethod
    def counters(cls):
        return {c["name"]: c["value"] for c in cls.lab.admin("show counters all")["counters"]}

    def test_standing_clients_lose_nothing(self):
        for swarm, safe in self.swarms:
            self.assertGreater(len(safe), STANDING // 2)
            self.assertEqual({cut.client_id for cut in swarm.cuts} & safe, set())
            self.assertEqual(swarm.faults, [])
            for client in swarm.clients:
                self.assertEqual((client.acknowledged, client.returned, client.disorder),
                                 (client.published, client.published, 0), client.client_id)
                if client.client_id in safe:
                    self.assertEqual(client.connection, 1)
                    self.assertGreater(client.published, scale.storm_seconds / 2)

    def test_crowds_are_served(self):
        self.assertEqual(self.storm.failures, [])
        for burst in self.storm.bursts:
            connects = burst["connects"]
            self.assertEqual(connects["left"], BURST, connects)
            # Who was at the broker that ended came back, and had perhaps not heard everything.
            self.assertGreaterEqual(burst["messages"]["acknowledged"],
                                    BURST_MESSAGES * (BURST - connects["lost"]), burst["messages"])

    def test_it_was_a_storm(self):
        for name in ("syn_cookies_sent", "syn_cookies_accepted", "half_open_let_go", "tcp_no_connection",
                     "client_connect_evicted", "connect_memory_short", "upstream_refused"):
            self.assertGreater(self.lab.counter(name), 0, name)
        self.assertGreater(self.storm.held, MEMORY // 2)
        # The last of the texts is what counts.
        self.assertEqual(self.lab.admin("reload --dry-run")["reload"]["changes"], [])

    def test_memory_is_bounded_and_comes_back(self):
        # Workers are asked one after the other, and what one has given back another may have got meanwhile.
        self.assertLess(self.storm.held, 1.02 * MEMORY)
        wait_for("memory to go back to the system",
                 lambda: resident_bytes(self.lab.sluiced.pid) < 1.1 * self.resident[0], 15)

    def test_counters_add_up(self):
        self.assertEqual(self.unaccounted, [0, 0])
        self.assert_all_gone()
        counters = self.counters()
        self.assertEqual(counters["upstream_attempts"], counters["leases_released"])
        self.assertEqual(counters["upstream_attempts"], sum(counters[name] for name in ATTEMPT_ENDINGS))
        self.assertLessEqual(counters["tcp_resets_sent"] + counters["drop_tcp_reset_rate"],
                             counters["tcp_no_connection"])
        for name in ("client_waiting_evicted", "drop_no_frame", "events_lost"):
            self.assertEqual(counters[name], 0, name)
