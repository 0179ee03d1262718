"""The Debian package that tools/package makes: installed, used, upgraded, removed and purged on a machine of its own
(machine.py), as dpkg and systemd do it. Each test begins and ends without the package."""

import subprocess

import mqtt_raw
from lab import FRONT, ROOT, wait_for
from labtest import LabTest
from machine import Machine

CONFIG = "/etc/sluice/sluice.toml"
EXAMPLES = "/usr/share/doc/sluice/examples"
# dpkg's and man's own, and the accounts' files, in which the user stays (doc/service.md).
NOT_THE_PACKAGES = ("/var/lib/dpkg/", "/var/cache/", "/var/log/dpkg.log", "/etc/passwd", "/etc/group", "/etc/shadow",
                    "/etc/gshadow", "/etc/.pwd.lock")


class PackageTest(LabTest):
    lab_options = {"brokers": 1, "start_sluiced": False}

    @classmethod
    def setUpClass(cls):
        made = subprocess.run([ROOT / "tools/package"], capture_output=True, text=True, timeout=300, check=False)
        if made.returncode != 0:
            raise RuntimeError(f"tools/package ended with {made.returncode}:\n{made.stdout}{made.stderr}")
        cls.package = made.stdout.split()[-1]
        super().setUpClass()
        cls.machine = cls.enterClassContext(Machine(cls.lab.ledger, cls.lab.folder, cls.lab.sluice_side))
        cls.config = cls.lab.config().replace(str(cls.lab.socket), "/run/sluice/admin.sock")
        cls.machine.copy(cls.package, "/tmp/sluice.deb")

    def install(self):
        return self.machine.run("dpkg", "--install", "/tmp/sluice.deb").stdout

    def left(self):
        return [line for line in self.machine.differences() if not line.split(" ", 1)[1].startswith(NOT_THE_PACKAGES)]

    def state(self):
        return self.machine.unit("sluice", "LoadState", "UnitFileState", "ActiveState")

    def test_lintian_has_nothing_to_say(self):
        done = subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning", "--tag-display-limit=0", self.package],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_nothing_stays_of_what_came(self):
        self.install()
        version = self.machine.run("dpkg-query", "--show", "--showformat=${Version}", "sluice").stdout
        self.assertEqual(self.machine.run("sluiced", "--version").stdout.strip(), f"sluiced {version.rsplit('-')[0]}")
        self.assertIn("show", self.machine.run("sluicectl", "--help").stdout)
        for example in self.machine.run("sh", "-c", f"ls {EXAMPLES}/*.toml").stdout.split():
            self.machine.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sluiced", "--config", example,
                             "--check-config")
        self.machine.run("promtool", "check", "config", f"{EXAMPLES}/prometheus/prometheus.yml")
        self.machine.run("test", "-s", f"{EXAMPLES}/grafana/sluice.json")
        for page in (ROOT / "doc").glob("*.md"):
            if page.name != "benchmarks.md":  # for those who work on it
                self.machine.run("sh", "-c", f"ls /usr/share/doc/sluice/{page.name}*")
        decisions = {page.name for page in (ROOT / "doc/decisions").glob("*.md")}
        installed = self.machine.run("ls", "/usr/share/doc/sluice/decisions").stdout.split()
        self.assertEqual({page.removesuffix(".gz") for page in installed}, decisions)
        for picture in (ROOT / "doc/images").iterdir():
            self.machine.run("test", "-s", f"/usr/share/doc/sluice/images/{picture.name}")
        account = self.machine.run("getent", "passwd", "sluice").stdout.strip().split(":")
        self.assertEqual(account[6], "/usr/sbin/nologin")
        for page in self.machine.run("sh", "-c", "dpkg --listfiles sluice | grep /man/.*gz").stdout.split():
            self.assertIn("Sluice", self.machine.run("man", "--local-file", page).stdout, page)
        # Enabled for when there is a configuration; until then a start does nothing.
        self.assertEqual(self.state(), {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "inactive"})
        self.machine.run("systemctl", "start", "sluice")
        self.assertEqual(self.state()["ActiveState"], "inactive")
        self.install()  # an upgrade to the same version
        self.assertEqual(self.state()["UnitFileState"], "enabled")
        self.machine.run("dpkg", "--purge", "sluice")
        self.assertNotEqual(self.machine.run("dpkg-query", "--show", "sluice", check=False).returncode, 0)
        self.machine.run("getent", "passwd", "sluice")
        self.assertEqual(self.left(), [])

    def test_serves_through_an_upgrade_and_leaves_the_operators_files(self):
        self.install()
        self.machine.write(CONFIG, self.config)
        self.machine.run("systemctl", "start", "sluice")
        with mqtt_raw.Client(self.lab.clients, FRONT, "upgraded") as client:
            client.ping()
            process = self.machine.unit("sluice", "MainPID")
            self.install()
            client.ping()
            self.assertEqual(self.machine.unit("sluice", "MainPID"), process)
            self.machine.run("dpkg", "--remove", "sluice")
            self.assertTrue(mqtt_raw.closes(client.sock), "removed, and still serving")
        wait_for("the service to be gone", lambda: self.state()["ActiveState"] == "inactive")
        self.machine.run("dpkg", "--purge", "sluice")
        self.assertEqual(self.machine.path(CONFIG).read_text(), self.config)
        self.assertEqual(self.left(), ["new /etc/sluice", f"new {CONFIG}"])
        self.machine.run("rm", "-r", "/etc/sluice")
