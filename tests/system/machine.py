"""A machine to install things on: this one once more, as an overlay in memory, with systemd as its first process.

What is written there goes to the memory and nothing of it stays; this machine's own files are beneath and are never
touched. It has processes, mounts, users and cgroups of its own, and the network namespace that it is given. Of the
kernel's settings only the network's can be written, of devices there are those that programs take for granted. Nothing
is started by systemd but the journal and what a test starts. It takes a machine with cgroup2, and with /usr and /var on
the file system of its root.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import time

from ledger import identity

TARGET = """
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service
"""

# Run in new namespaces with the folder and the target's unit; becomes systemd.
SETUP = r"""
set -eu
mount -t tmpfs -o mode=755 machine "$1"
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
cd root
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,rw proc/sys/net
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
mkdir -m 755 dev/shm dev/pts
ln -s pts/ptmx dev/ptmx
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mknod -m 600 dev/console c 5 1
ln -s /proc/self/fd dev/fd
mkdir -p run/systemd/system
printf '%s' "$2" >run/systemd/system/machine.target
# Nothing of this machine's is to run there, and packages are installed there as a whole and with their services.
rm -rf usr/sbin/policy-rc.d etc/dpkg/dpkg.cfg.d lib/systemd/system/*.wants etc/systemd/system/*.wants \
    lib/systemd/system-generators etc/systemd/system-generators
rm -f lib/systemd/system/systemd-journald-audit.socket
: >etc/fstab
hostname machine
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=test \
    chroot . /lib/systemd/systemd --unit=machine.target --show-status=no --log-target=journal
"""


class Machine:
    """Lives to the end of the context. `namespace` is a Namespace of a lab, `ledger` and `folder` are the lab's."""

    def __init__(self, ledger, folder, namespace):
        self._ledger = ledger
        self._folder = pathlib.Path(folder) / "machine"
        self._namespace = namespace
        self._init = None
        self._journal = None

    def __enter__(self):
        self._folder.mkdir()
        self._cgroup = cgroup_root() / f"sluice-{self._ledger.name}"
        self._ledger.add("cgroups", str(self._cgroup))
        self._cgroup.mkdir()
        apart = ["unshare", "--mount", "--propagation", "private", "--cgroup", "--pid", "--ipc", "--uts", "--fork",
                 "--kill-child", "sh", "-c", SETUP, "machine", self._folder, TARGET]
        words = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(self._cgroup),
                 *self._namespace.command(apart)]
        self._log = self._folder.with_suffix(".log")
        with open(self._log, "wb") as log:
            self._outer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           start_new_session=True)
        self._ledger.add("processes", self._outer.pid)
        try:
            self._wait()
            self._at_first = self._differences()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Everything in it ends with its first process."""
        if self._init is not None and identity(self._init[0]) == self._init:
            os.kill(self._init[0], signal.SIGKILL)
        else:
            self._outer.kill()
        self._outer.wait()
        if self._journal is not None:
            self._journal.wait()

    def _wait(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._outer.poll() is None:
            children = pathlib.Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
            if children and pathlib.Path(f"/proc/{children[0]}/comm").read_text() == "systemd\n":
                self._init = identity(int(children[0]))
                state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return self._follow_journal()
            time.sleep(0.05)
        raise RuntimeError(f"no machine: {self._log.read_text(errors='replace')}")

    def _follow_journal(self):
        with open(self._folder.with_name("journal.log"), "wb") as log:
            self._journal = subprocess.Popen([*self._enter(), "journalctl", "--follow", "--lines=all", "--output=cat"],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _enter(self):
        return ["env", "-i", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "nsenter",
                f"--target={self._init[0]}", "--all", "--root", "--wd"]

    # In it

    def run(self, *words, check=True, timeout=60, **options):
        """Runs as root in it, to the end."""
        options.setdefault("text", True)
        done = subprocess.run([*self._enter(), *map(str, words)], capture_output=True, timeout=timeout, check=False,
                              **options)
        if check and done.returncode != 0:
            raise RuntimeError(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def path(self, path):
        """A file in it, for us outside."""
        return pathlib.Path(f"/proc/{self._init[0]}/root{path}")

    def process(self, pid):
        """The folder in our /proc of a process of the machine, which knows it as `pid`."""
        namespace = os.readlink(f"/proc/{self._init[0]}/ns/pid")
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                inside = status(folder / "status")["NSpid"].split()[-1]
                if os.readlink(folder / "ns/pid") == namespace and inside == str(pid):
                    return folder
        raise LookupError(f"no process {pid} in the machine")

    def copy(self, source, path):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, self.path(path))

    def write(self, path, text):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def unit(self, name, *properties):
        """What systemd says of a unit."""
        lines = self.run("systemctl", "show", name, *(f"--property={p}" for p in properties)).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines)

    # What is different there

    def differences(self):
        """What was made, changed or removed since the start: lines such as "new /etc/sluice". Not in /run and /tmp."""
        return sorted(self._differences() - self._at_first)

    def _differences(self):
        # The upper directory is outside of the machine's root, but in its mount namespace.
        upper = self._folder / "upper"
        script = ["nsenter", f"--target={self._init[0]}", "--mount", "/usr/bin/python3", __file__, upper]
        done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=True)
        return set(done.stdout.splitlines())


def status(path):
    """/proc/PID/status as name -> text."""
    return dict(line.split(":\t", 1) for line in path.read_text().splitlines())


def cgroup_root():
    """Where the second version of cgroups is mounted."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, path, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(path)
    raise RuntimeError("no cgroup2 is mounted on this machine")


def difference(above, below):
    """How an entry of an overlay's upper directory differs from what is beneath, or None."""
    upper = above.lstat()
    try:
        lower = below.lstat()
    except FileNotFoundError:
        lower = None
    if stat.S_ISCHR(upper.st_mode) and upper.st_rdev == 0:
        return "removed" if lower else None
    if lower is None:
        return "new"
    if (upper.st_mode, upper.st_uid, upper.st_gid) != (lower.st_mode, lower.st_uid, lower.st_gid):
        return "changed"
    if stat.S_ISREG(upper.st_mode) and above.read_bytes() != below.read_bytes():
        return "changed"
    if stat.S_ISLNK(upper.st_mode) and os.readlink(above) != os.readlink(below):
        return "changed"
    return None


def print_differences(upper):
    for folder, folders, files in os.walk(upper):
        for name in folders + files:
            above = pathlib.Path(folder, name)
            path = pathlib.Path("/") / above.relative_to(upper)
            what = difference(above, path)
            if what:
                print(what, path)


if __name__ == "__main__":
    import sys
    print_differences(pathlib.Path(sys.argv[1]))
