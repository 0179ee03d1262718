"""Sluice as a service: systemd/sluice.service under a systemd of its own (machine.py), between real clients and brokers.

Every test begins with the service stopped, and the unit as it is in the tree; drop-ins make only its times shorter.
"""

import ctypes
import json
import os
import re
import stat
import time

import mqtt_raw
from lab import BUILD, FRONT, ROOT, wait_for
from labtest import LabTest
from machine import Machine, status

UNIT = ROOT / "systemd/sluice.service"
CONFIG = "/etc/sluice/sluice.toml"
SOCKET = "/run/sluice/admin.sock"
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_IPC_LOCK": 14}  # linux/capability.h
SHUTDOWN = 2  # seconds
KNOWN_WARNINGS = re.compile(r"using ordinary pages|is a veth: its peer must|RLIMIT")
PROBE = """
import errno, os, sys
for name in sys.argv[1:]:
    try:
        os.open(f"/dev/{name}", os.O_RDWR)
        print(name, "is open")
    except OSError as error:
        print(name, "is", errno.errorcode[error.errno])
"""
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000  # linux/ptrace.h, linux/wait.h


def capabilities_of_the_unit():
    """The set that the unit grants, which must be all that it leaves in reach, as a number."""
    text = UNIT.read_text()
    granted, bound = (re.search(rf"^{key}=(.*)$", text, re.M)[1].split()
                      for key in ("AmbientCapabilities", "CapabilityBoundingSet"))
    if set(granted) != set(bound):
        raise AssertionError(f"granted {granted}, in reach {bound}")
    return sum(1 << CAPABILITIES[name] for name in granted)


class ServiceTest(LabTest):
    lab_options = {"brokers": 1, "start_sluiced": False, "runtime": {"shutdown_timeout": f"{SHUTDOWN}s"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine = cls.enterClassContext(Machine(cls.lab.ledger, cls.lab.folder, cls.lab.sluice_side))
        for name in ("sluiced", "sluicectl"):
            cls.machine.copy(BUILD / name, f"/usr/bin/{name}")
        cls.machine.copy(UNIT, "/etc/systemd/system/sluice.service")
        cls.machine.copy(ROOT / "systemd/sluice.sysusers", "/usr/lib/sysusers.d/sluice.conf")
        cls.machine.run("systemd-sysusers", "/usr/lib/sysusers.d/sluice.conf")
        cls.good = cls.lab.config().replace(str(cls.lab.socket), SOCKET)
        cls.lab.socket = cls.machine.path(SOCKET)

    def setUp(self):
        self.machine.run("rm", "-rf", "/run/systemd/system/sluice.service.d")
        self.machine.run("journalctl", "--rotate", "--vacuum-time=1us")
        self.machine.run("systemctl", "daemon-reload")
        self.machine.write(CONFIG, self.good)

    def tearDown(self):
        self.machine.run("systemctl", "kill", "--signal=KILL", "sluice", check=False)
        self.machine.run("systemctl", "stop", "sluice", check=False)
        self.machine.run("systemctl", "reset-failed", "sluice", check=False)

    def drop_in(self, **settings):
        lines = [f"{key}={value}\n" for key, value in settings.items()]
        self.machine.write("/run/systemd/system/sluice.service.d/test.conf", "[Service]\n" + "".join(lines))
        self.machine.run("systemctl", "daemon-reload")

    def start(self):
        """Comes back when sluiced has said READY=1, or raises."""
        self.machine.run("systemctl", "start", "sluice")
        wait_for("the brokers to be up", lambda: set(self.lab.backend_states().values()) == {"up"})

    def property(self, name):
        return self.machine.unit("sluice", name)[name]

    def process(self):
        """sluiced in our /proc."""
        return self.machine.process(int(self.property("MainPID")))

    def journal(self, *options):
        return self.machine.run("journalctl", "--unit=sluice", "--output=cat", "--no-pager", *options).stdout

    def serve(self, client_id):
        """A real client gets its own words back."""
        topic = f"to/{client_id}"
        out = self.lab.clients.run(["timeout", "10", "mosquitto_rr", "-h", FRONT, "-i", client_id, "-t", topic, "-e",
                                    topic, "-m", "hello", "-W", "5"]).stdout
        self.assertEqual(out.strip(), "hello")

    def setting(self, name):
        return self.lab.sluice_side.run(["sysctl", "-n", name]).stdout.strip()

    def test_root_asks_the_telemetry_socket(self):
        self.start()
        self.serve("telemetry")
        answer = self.machine.run("env", "RUNTIME_DIRECTORY=/run/sluice", "dpdk-telemetry.py", "--file-prefix", "sluice",
                                  input="/sluice/counters\nquit\n").stdout
        self.assertEqual(json.loads(answer)["/sluice/counters"]["connack_accepted"],
                         self.lab.counter("connack_accepted"))
        self.machine.run("systemctl", "stop", "sluice")
        self.assertFalse(self.machine.path("/run/sluice").exists())

    def test_serves_with_the_units_rights_and_no_others(self):
        self.lab.sluice_side.sysctl(net__ipv6__conf__front__disable_ipv6=0)  # what the service has to set itself
        self.start()
        self.serve("rights")
        self.assertEqual(self.property("StatusText"), "balancing")
        owner = self.machine.run("id", "--user", "sluice").stdout.strip()
        group = self.machine.run("id", "--group", "sluice").stdout.strip()
        expected = capabilities_of_the_unit()
        threads = list((self.process() / "task").iterdir())
        self.assertGreater(len(threads), 1)
        for thread in threads:
            fields = status(thread / "status")
            self.assertEqual((fields["Uid"].split(), fields["Gid"].split(), fields["Groups"].split()),
                             ([owner] * 4, [group] * 4, [group]))
            for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
                self.assertEqual(int(fields[name], 16), expected, name)
            self.assertEqual((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"))
        self.assertEqual(self.setting("net.ipv6.conf.front.disable_ipv6"), "1")
        warnings = [line for line in self.journal("--priority=warning").splitlines() if not KNOWN_WARNINGS.search(line)]
        self.assertEqual(warnings, [])
        self.machine.run("systemctl", "stop", "sluice")
        self.assertEqual(self.setting("net.ipv6.conf.front.disable_ipv6"), "0", "it was not put back")
        self.assertFalse(self.machine.path("/run/sluice").exists())

    def test_admin_socket_is_for_the_user_and_the_group(self):
        self.start()
        owner = int(self.machine.run("id", "--user", "sluice").stdout)
        group = int(self.machine.run("id", "--group", "sluice").stdout)
        for path, mode in ((SOCKET, 0o660), ("/run/sluice", 0o750)):
            found = self.machine.path(path).stat()
            self.assertEqual((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)), (owner, group, mode), path)
        member = ["setpriv", "--reuid=65534", "--regid=65534", "--inh-caps=-all", "--bounding-set=-all"]
        ask = ["sluicectl", "show", "info"]
        self.machine.run(*member, "--groups=sluice", *ask)
        self.assertEqual(self.machine.run(*member, "--clear-groups", *ask, check=False).returncode, 1)

    def test_of_devices_only_those_of_cards_can_be_opened(self):
        """What runs as the service gets as far as vfio's driver, and not to memory, disks or tunnels."""
        nodes = {"vfio/vfio": ("c", 10, 196), "mem": ("c", 1, 1), "loop0": ("b", 7, 0), "net/tun": ("c", 10, 200)}
        for name, numbers in nodes.items():
            self.machine.run("mkdir", "-p", os.path.dirname(f"/dev/{name}"))
            self.machine.run("mknod", "-m", "666", f"/dev/{name}", *numbers)
            self.addCleanup(self.machine.run, "rm", f"/dev/{name}")
        self.machine.write("/usr/local/bin/probe", PROBE)
        self.drop_in(Type="oneshot", WatchdogSec=0, ExecStart=f"\nExecStart=/usr/bin/python3 /usr/local/bin/probe "
                     + " ".join(nodes))
        self.machine.run("systemctl", "start", "sluice")
        self.machine.run("journalctl", "--sync")
        answers = dict(line.split(" is ") for line in self.journal().splitlines() if " is " in line)
        self.assertEqual(answers.pop("vfio/vfio") in ("open", "ENODEV", "ENXIO"), True, answers)
        self.assertEqual(answers, dict.fromkeys(("mem", "loop0", "net/tun"), "EPERM"))

    def test_af_xdp_works_with_its_drop_in(self):
        self.machine.write(CONFIG, self.good.replace('interface = "front"', 'device = "net_af_xdp0,iface=front"'))
        self.addCleanup(self.lab.sluice_side.ip, "link", "set", "front", "xdp", "off")
        self.machine.run("systemctl", "start", "--no-block", "sluice")
        wait_for("a failure", lambda: self.property("Result") == "exit-code")
        self.machine.copy(ROOT / "conf/systemd/af_xdp.conf", "/run/systemd/system/sluice.service.d/af_xdp.conf")
        self.machine.run("systemctl", "stop", "sluice")
        self.machine.run("systemctl", "daemon-reload")
        self.start()
        self.serve("xdp")

    def test_a_hung_worker_is_noticed_and_sluiced_started_again(self):
        watchdog = 2
        self.drop_in(WatchdogSec=watchdog, RestartSec="100ms")
        self.start()
        seen = []
        end = time.monotonic() + 1.2 * watchdog
        while time.monotonic() < end:
            fed = int(self.property("WatchdogTimestampMonotonic")) / 1e6
            if fed not in seen:
                seen.append(fed)
        self.assertGreaterEqual(len(seen), 3)
        for earlier, later in zip(seen, seen[1:]):
            self.assertLess(later - earlier, watchdog / 3 + 0.25)
        worker = self.hang_worker()
        wait_for("the end of the process", lambda: os.waitpid(worker, os.WNOHANG | WALL)[0], 2 * watchdog)
        wait_for("the restart", lambda: self.property("NRestarts") == "1")
        wait_for("readiness", lambda: self.property("ActiveState") == "active")
        self.serve("after-restart")
        self.assertIn("Watchdog timeout", self.journal())

    def hang_worker(self):
        """Stops one thread of sluiced, as a debugger does; the others go on. It is ours to wait for then."""
        worker = next(t for t in (self.process() / "task").iterdir() if (t / "comm").read_text().startswith("rte-worker"))
        ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            if ptrace(request, int(worker.name), None, None) != 0:
                raise OSError(ctypes.get_errno(), "ptrace")
        os.waitpid(int(worker.name), WALL)  # the stop; the next thing to wait for is the end
        return int(worker.name)

    def test_reload_refuses_what_is_wrong(self):
        self.start()
        process = self.property("MainPID")
        self.machine.write(CONFIG, self.good.replace("[[port]]", "[[prot]]", 1))
        self.assertNotEqual(self.machine.run("systemctl", "reload", "sluice", check=False).returncode, 0)
        self.assertIn("prot", self.journal())
        self.machine.write(CONFIG, self.good)
        self.machine.run("systemctl", "reload", "sluice")
        self.serve("after-reload")
        self.assertEqual((self.property("MainPID"), self.property("NRestarts")), (process, "0"))

    def test_connection_log_is_written_and_made_anew_by_a_reload(self):
        path = "/var/log/sluice/connections.log"
        self.machine.write(CONFIG, self.good.replace("[admin]\n", f'[admin]\nconnection_log = "{path}"\n'))
        self.addCleanup(self.machine.run, "rm", "-r", "/var/log/sluice")
        self.start()
        log = self.machine.path(path)
        for client_id in ("before", "after"):
            self.serve(client_id)
            wait_for("the line", lambda: f'"{client_id}"' in log.read_text())
            self.machine.run("mv", path, f"{path}.1")
            self.machine.run("systemctl", "reload", "sluice")
            wait_for("a new file", log.exists)

    def test_does_not_start_without_a_configuration(self):
        self.machine.path(CONFIG).unlink()
        self.machine.run("systemctl", "start", "sluice")
        self.assertEqual(self.machine.unit("sluice", "ActiveState", "ConditionResult"),
                         {"ActiveState": "inactive", "ConditionResult": "no"})

    def test_is_not_tried_again_with_a_wrong_configuration(self):
        self.machine.write(CONFIG, self.good.replace("[[port]]", "[[prot]]", 1))
        self.drop_in(RestartSec="10ms")
        self.machine.run("systemctl", "start", "sluice", check=False)
        time.sleep(0.5)
        self.assertEqual(self.machine.unit("sluice", "ActiveState", "ExecMainStatus", "NRestarts"),
                         {"ActiveState": "failed", "ExecMainStatus": "78", "NRestarts": "0"})

    def test_stop_lets_connections_end_and_takes_no_new_ones(self):
        self.start()
        with mqtt_raw.Client(self.lab.clients, FRONT, "stays") as stays, \
                mqtt_raw.Client(self.lab.clients, FRONT, "goes") as goes:
            stays.ping()
            started = time.monotonic()
            self.machine.run("systemctl", "stop", "--no-block", "sluice")
            wait_for("the listener to close", self.refused)
            goes.echo("still/here", b"during the stop")
            stays.ping()
            self.assertEqual(self.property("ActiveState"), "deactivating")
            goes.close()
            self.assertTrue(mqtt_raw.closes(stays.sock), "the client was not told")
            self.assertAlmostEqual(time.monotonic() - started, SHUTDOWN, delta=0.75)
        wait_for("the end", lambda: self.property("ActiveState") == "inactive")
        self.assertIn("Deactivated successfully", self.journal())  # said of exit code 0 alone

    def refused(self):
        try:
            self.lab.clients.connect(FRONT, timeout=1).close()
        except ConnectionRefusedError:
            return True
        return False
