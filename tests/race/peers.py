"""Who takes part: how each is configured, started, told to reload, and ended."""

import contextlib
import re
import signal
import socket
import subprocess

from lab import BUILD, HEALTH, ask, table, wait_for
from ledger import end, identity
from load import PORT
from measuring import family
from topology import BALANCER_CPU, pinned

CAPACITY = 120_000


class Peer:
    """One balancer in its place. `uses`: how many of the place's brokers its configuration names."""

    name = title = remark = ""
    kernel = True
    only = ()  # the steps that it takes part in; none named: all
    files_per_connection = 0  # of the balancer's process

    def __init__(self, race, place):
        self.place = place
        self.folder = race.folder
        self.file_limit = race.file_limit
        self.namespace = place.namespace
        self.config_file = self.folder / f"{self.name}.conf"
        self.processes = []
        place.connect(self.kernel)

    @property
    def targets(self):
        return [f"{self.place.front}:{PORT}"]

    @property
    def running(self):
        return [p for p in self.processes if p.poll() is None]

    @property
    def family(self):
        """The ids of its processes and of their children."""
        return [pid for process in self.running for pid in family(process.pid)]

    def most_connections(self):
        """How many fit into the files that a process may open."""
        spare = 100  # listeners, probes, epoll, logs
        return (self.file_limit - spare) // self.files_per_connection if self.files_per_connection else CAPACITY

    def start(self, brokers):
        self.brokers = brokers
        self.config_file.write_text(self.config())
        self._run(self.command())
        wait_for(f"{self.name} to be ready", self._ready, 20)

    def stop(self):
        end([p for p in (identity(process.pid) for process in self.running) if p])
        for process in self.processes:
            process.wait()
        self.processes = []

    def log(self):
        file = self.folder / f"{self.name}.log"
        return file.read_text(errors="replace")[-2000:] if file.exists() else ""

    def config(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def reload(self):
        raise NotImplementedError

    def broker_is_back(self):
        """Whether every broker is in use again; None where the balancer tells nobody."""
        raise NotImplementedError

    def missed(self):
        """Frames that were lost before the balancer got them; None where it tells nobody."""

    def answer_everybody(self):
        """From now on also addresses that no cable leads to are answered, by way of the clients' namespace."""
        if self.kernel:
            self.namespace.ip("route", "replace", "default", "via", self.place.clients[0])
            self.namespace.sysctl(net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__front__rp_filter=0,
                                  net__ipv4__tcp_syncookies=1)

    @property
    def _socket(self):
        """Where it listens to its operator."""
        return self.folder / f"{self.name}.sock"

    def _run(self, words):
        process = self.namespace.start(pinned(BALANCER_CPU, words), self.folder / f"{self.name}.log")
        self.processes.append(process)
        return process

    def _ready(self):
        if not self.running:
            raise RuntimeError(f"{self.name} ended: {self.log()}")
        return self._answers()

    def _answers(self):
        with contextlib.suppress(OSError), self.namespace.connect(self.place.front, timeout=1):
            return True
        return False


def said(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()[0]


class Sluice(Peer):
    name = "sluice"
    title = "Sluice"
    kernel = False
    driver = "af_packet"
    remark = ("`maglev` on the client ID, one worker, `idle = \"adaptive\"`, af_packet on both interfaces, ordinary "
              "pages")

    def command(self):
        return [BUILD / "sluiced", "--config", self.config_file]

    def version(self):
        return said(BUILD / "sluiced", "--version")

    def config(self):
        parts = [
            table("[runtime]", {"workers": 1, "idle": "adaptive", "max_connections": CAPACITY, "memory": "pages",
                                "shutdown_timeout": "0s"}),
            table("[[port]]", {"name": "front", "interface": "front", "driver": self.driver,
                                "addresses": [f"{self.place.front}/16"]}),
            table("[[port]]", {"name": "back", "interface": "back", "driver": self.driver,
                                "addresses": [f"{self.place.back}/16"]}),
            table("[admin]", {"socket": str(self._socket), "log": "warning"}),
            table("[[listener]]", {"name": "mqtt", "address": self.targets[0], "pool": "brokers",
                                   "half_open": CAPACITY}),
            table("[[pool]]", {"name": "brokers", "source_addresses": [self.place.sources], "slow_start": "0s"}),
            table("[pool.health]", HEALTH),
        ]
        parts += [table("[[pool.backend]]", {"name": f"broker-{n}", "address": f"{address}:{PORT}"})
                  for n, address in enumerate(self.brokers, 1)]
        return "\n".join(parts)

    def reload(self):
        ask(self._socket, "reload")

    def broker_is_back(self):
        return self._answers()

    def missed(self):
        ports = ask(self._socket, "show ports")["ports"]
        return sum(port["statistics"][name] for port in ports for name in ("rx_missed", "rx_interface_dropped"))

    def _answers(self):
        with contextlib.suppress(OSError, ValueError):
            return {b["state"] for b in ask(self._socket, "show backends")["backends"]} == {"up"}
        return False


class SluiceXdp(Sluice):
    """With AF_XDP on both interfaces instead of packet sockets."""

    name = "sluice-xdp"
    title = "Sluice, AF_XDP"
    only = ("burst",)
    driver = "af_xdp"
    remark = "the same over AF_XDP; the other ends of its cables queue up to 10,000 packets (`tc qdisc ... pfifo`)"

    def __init__(self, race, place):
        super().__init__(race, place)
        for namespace, device in ((race.clients, f"c{place.number}"), (race.brokers, f"b{place.number}")):
            namespace.run(["tc", "qdisc", "replace", "dev", device, "root", "pfifo", "limit", "10000"])


class HAProxy(Peer):
    name = "haproxy"
    title = "HAProxy"
    files_per_connection = 2
    remark = "one thread; the client ID sticks to its broker by a stick table, as its makers show for MQTT"
    content = ""
    placement = """\
    balance leastconn
    stick-table type string len 32 size 200k expire 30m
    stick on req.payload(0,0),mqtt_field_value(connect,client_identifier)"""

    def command(self):
        old = [str(pid) for process in self.running for pid in family(process.pid)]
        takes_over = ["-x", self._socket, "-sf", *old] if old else []
        return ["haproxy", "-db", "-f", self.config_file, *takes_over]

    def version(self):
        return said("haproxy", "-v")

    def config(self):
        servers = "\n".join(f"    server broker-{n} {address}:{PORT}" for n, address in enumerate(self.brokers, 1))
        return f"""\
global
    nbthread 1
    maxconn {self.most_connections()}
    stats socket {self._socket} mode 600 level admin expose-fd listeners

defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout check 500ms
    retries 3
    option redispatch 1

frontend mqtt
    bind {self.targets[0]} backlog 65535
    maxconn {self.most_connections()}
    tcp-request inspect-delay 10s
    tcp-request content reject unless {{ req.payload(0,0),mqtt_is_valid }}
{self.content}    default_backend brokers

backend brokers
{self.placement}
    default-server check inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""

    def reload(self):
        """As systemd does it: a new process takes the listening sockets over, the old one keeps its connections."""
        self._run(self.command())

    def broker_is_back(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(self._socket))
            sock.sendall(b"show servers state\n")
            text = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
        states = re.findall(r"^\d+ brokers \d+ \S+ \S+ (\d)", text, re.MULTILINE)
        return bool(states) and set(states) == {"2"}

    def _answers(self):
        with contextlib.suppress(OSError):
            return self.broker_is_back() and super()._answers()
        return False


class HAProxyHash(HAProxy):
    name = "haproxy-hash"
    title = "HAProxy, hash"
    only = ("broker_death",)
    remark = "one thread; `balance hash` on the client ID with `hash-type consistent` instead of the stick table"
    # By way of a variable: `balance hash req.payload(...)` itself finds nothing in 2.6 and takes the brokers in turn.
    content = "    tcp-request content set-var(sess.id) req.payload(0,0),mqtt_field_value(connect,client_identifier)\n"
    placement = """\
    balance hash var(sess.id)
    hash-type consistent"""


class Nginx(Peer):
    name = "nginx"
    title = "nginx"
    files_per_connection = 2
    remark = ("one worker process; Debian's has no module for MQTT, so clients are placed by their address "
              "(`hash $remote_addr consistent`), not by client ID, and nothing checks that they speak MQTT")

    def command(self):
        return ["nginx", "-c", self.config_file, "-p", self.folder, "-e", "stderr"]

    def version(self):
        return said("nginx", "-v")

    def config(self):
        servers = "\n".join(f"        server {address}:{PORT} max_fails=1 fail_timeout=2s;" for address in self.brokers)
        return f"""\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
user root;
daemon off;
worker_processes 1;
worker_rlimit_nofile {self.file_limit};
pid {self.folder}/nginx.pid;
error_log stderr crit;
events {{
    worker_connections {self.file_limit};
    multi_accept on;
}}
stream {{
    access_log off;
    upstream brokers {{
        hash $remote_addr consistent;
{servers}
    }}
    server {{
        listen {self.targets[0]} backlog=65535;
        proxy_pass brokers;
        proxy_connect_timeout 5s;
        proxy_timeout 1h;
        tcp_nodelay on;
    }}
}}
"""

    def reload(self):
        self.running[0].send_signal(signal.SIGHUP)  # what nginx -s reload sends

    def broker_is_back(self):
        """It tries a broker again once fail_timeout is over."""
        return None


class Direct(Peer):
    name = "direct"
    title = "direct"
    remark = "no balancer: the kernel between clients and brokers forwards packets, clients take the brokers in turn"

    def __init__(self, race, place):
        super().__init__(race, place)
        place.route_through()

    @property
    def targets(self):
        return [f"{address}:{PORT}" for address in self.brokers]

    @property
    def family(self):
        return []

    def start(self, brokers):
        self.brokers = brokers

    def stop(self):
        pass

    def version(self):
        return f"Linux {said('uname', '-r')}"

    def config(self):
        return ""


ALL = {peer.name: peer for peer in (Sluice, SluiceXdp, HAProxy, HAProxyHash, Nginx, Direct)}
