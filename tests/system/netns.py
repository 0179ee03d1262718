"""A network namespace of a lab: addresses, programs and sockets inside it, and loss on its link."""

import contextlib
import ctypes
import os
import re
import socket
import subprocess

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    def __init__(self, ledger, name):
        self.name = name
        self._ledger = ledger
        ledger.add("namespaces", name)
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        subprocess.run(["ip", "-n", self.name, *words], check=True)

    def sysctl(self, **settings):
        """Two underscores stand for a dot."""
        words = [f"{name.replace('__', '.')}={value}" for name, value in settings.items()]
        self.run(["sysctl", "-qw", *words])

    def cable(self, device, peer, peer_device):
        """A veth between the two namespaces, both ends up."""
        self.ip("link", "add", device, "type", "veth", "peer", "name", peer_device, "netns", peer.name)
        self.ip("link", "set", device, "up")
        peer.ip("link", "set", peer_device, "up")

    def switch_offloads_off(self, device):
        """A veth passes on unfinished checksums and merged segments, unless it is told not to."""
        self.run(["ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off", "gro", "off"])

    def command(self, words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def run(self, words, timeout=60, check=True, **options):
        """Runs to the end; a failure shows what the program said."""
        options.setdefault("text", True)
        done = subprocess.run(self.command(words), capture_output=True, timeout=timeout, check=False, **options)
        if check and done.returncode != 0:
            raise RuntimeError(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start(self, words, output, **options):
        """Starts a program that the lab ends at its own end, if it still runs then. `output` is a file."""
        with open(output, "ab") as log:
            process = subprocess.Popen(self.command(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, **options)
        self._ledger.add("processes", process.pid)
        return process

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is inside for the body. A socket made there stays there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _setns(there)
            yield
        finally:
            _setns(home)
            os.close(there)
            os.close(home)

    def connect(self, address, port=1883, source=None, timeout=20, receive_buffer=None):
        """A TCP connection from inside, small writes sent at once."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.entered():
            sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source:
                sock.bind((source, 0))
            sock.connect((address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def listen(self, address, port=1883):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.entered():
            return socket.create_server((address, port), family=family, backlog=64)

    @contextlib.contextmanager
    def counting(self, match, device="eth0"):
        """Counts the frames that arrive and match, in nft's words, while the body runs. Gives a function that tells."""
        self.run(["nft", "-f", "-"], input=f"""table netdev counting {{
            chain in {{ type filter hook ingress device "{device}" priority 0; {match} counter; }}
        }}""")

        def count():
            listing = self.run(["nft", "list", "table", "netdev", "counting"]).stdout
            return int(re.search(r"counter packets (\d+)", listing)[1])

        try:
            yield count
        finally:
            self.run(["nft", "delete", "table", "netdev", "counting"])

    @contextlib.contextmanager
    def loss(self, percent, device="eth0"):
        """Loses that share of the packets each way while the body runs, and sees to it that some were lost each way.

        A drop in an output hook would be reported to the sending TCP, which then merely waits: no loss at all. So the
        packets to be lost on the way out are sent into a cable that ends nowhere. And the kernel's TCP passes many
        segments as one through the hook, which would lose all of them or none: connections made meanwhile send them
        one by one.
        """
        self.ip("link", "add", "sink", "type", "veth", "peer", "name", "nowhere")
        self.ip("link", "set", "sink", "up")
        self.ip("link", "set", "nowhere", "up")
        self.ip("link", "set", device, "gso_max_segs", "1")
        pick = f"numgen random mod 1000 < {round(percent * 10)} counter"
        rules = f"""table netdev loss {{
            chain in {{ type filter hook ingress device "{device}" priority 0; {pick} drop; }}
            chain out {{ type filter hook egress device "{device}" priority 0; {pick} fwd to "sink"; }}
        }}"""
        self.run(["nft", "-f", "-"], input=rules)
        try:
            yield
            lost = re.findall(r"counter packets (\d+)", self.run(["nft", "list", "table", "netdev", "loss"]).stdout)
            if len(lost) != 2 or "0" in lost:
                raise AssertionError(f"packets lost each way: {lost}")
        finally:
            self.run(["nft", "delete", "table", "netdev", "loss"])
            self.ip("link", "set", device, "gso_max_segs", "65535")
            self.ip("link", "delete", "sink")
