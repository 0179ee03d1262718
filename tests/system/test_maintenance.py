"""A broker with 2,000 clients is emptied at drain_rate, those with persistent sessions last."""

from lab import wait_for
from labtest import LabTest
from swarm import Swarm, busiest_second

CLIENT_COUNT = 2000
DRAIN_RATE = 200


class MaintenanceTest(LabTest):
    # All of them are at the first broker before: the others have no weight yet.
    lab_options = {"workers": 2, "pool": {"drain_rate": DRAIN_RATE, "slow_start": "0s"}}

    def connections(self):
        return {b["name"]: b["connections"] for b in self.lab.admin("show backends")["backends"]}

    def test_two_thousand_clients_leave_at_their_pace(self):
        for name in ("broker-2", "broker-3"):
            self.lab.admin(f"weight brokers/{name} 0")
        with Swarm(self.lab, CLIENT_COUNT, talk=None, persistent=lambda n: n % 4 == 0) as swarm:
            swarm.wait_all_up()
            self.assertEqual(self.connections()["broker-1"], CLIENT_COUNT)
            for name in ("broker-2", "broker-3"):
                self.lab.admin(f"weight brokers/{name} 100")
            self.assertEqual(swarm.cuts, [])
            self.assertEqual(self.lab.admin("maintenance broker-1"), {"backend": "broker-1", "state": "maintenance"})
            wait_for("the broker to be empty", lambda: self.connections()["broker-1"] == 0, 30)
            wait_for("all clients to be back", lambda: len(swarm.up()) == CLIENT_COUNT, 10)
            times = [c.time for c in swarm.cuts]
            self.assertEqual(len(times), CLIENT_COUNT)  # nobody twice
            taken = times[-1] - times[0]
            self.assertGreaterEqual(taken, 9.5)
            self.assertLessEqual(taken, 13)
            self.assertLessEqual(busiest_second(times), 1.3 * DRAIN_RATE)
            persistent = {c.client_id for c in swarm.clients if c.persistent}
            order = [c.client_id in persistent for c in swarm.cuts]
            self.assertEqual(order, sorted(order))  # False before True
            self.assertEqual(self.connections()["broker-2"] + self.connections()["broker-3"], CLIENT_COUNT)
            # The pace is not a beat: neighbors in time are not always the same distance apart.
            gaps = [b - a for a, b in zip(times, times[1:])]
            self.assertGreater(max(gaps), 1.2 / DRAIN_RATE)
            self.lab.admin("ready broker-1")
            self.assertEqual(self.lab.backend_states()["broker-1"], "up")
        self.assertEqual(self.lab.counter("closed_maintenance"), CLIENT_COUNT)
        self.assert_all_gone()
