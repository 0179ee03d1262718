#!/usr/bin/python3
"""Makes doc/images/dashboard.svg and dashboard-latencies.svg: the dashboard over two minutes in which clients come and
talk, some are refused, one broker is emptied for maintenance and another one is killed and comes back.

    tests/system/dashboard_image.py [FOLDER]

Needs root, as the system tests do, and what tools/build made. Prometheus is asked what Grafana would ask it, and the
answers are drawn as Grafana draws them (dashboard_svg.py).
"""

import contextlib
import itertools
import pathlib
import random
import sys
import threading
import time

import mqtt_raw
from dashboard_svg import draw
from lab import CLIENTS, FRONT, ROOT, Lab, end_on_signals, wait_for
from prometheus import METRICS, Dashboard, Prometheus, legend
from swarm import Swarm

SECONDS = 120
INTERVAL = 2.5  # seconds between two points
PICTURES = {"dashboard": ("Overview", "Brokers"), "dashboard-latencies": ("CONNACK", "Latencies")}  # rows of each


class Visitors:
    """Clients that come, stay for a few seconds and go; some have the wrong password, some say something else."""

    def __init__(self, lab, a_second):
        self._lab = lab
        self._pause = 1 / a_second
        self._dice = random.Random(1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _run(self):
        present = []
        for n in itertools.count():
            if self._ended.wait(self._dice.uniform(0.2, 1.8) * self._pause):
                break
            with contextlib.suppress(OSError):
                sock = self._lab.clients.connect(FRONT, source=self._dice.choice(CLIENTS), timeout=2)
                present.append((time.monotonic() + self._dice.uniform(1, 8), sock))
                sock.sendall(self._first_words(n))
            for entry in [entry for entry in present if entry[0] < time.monotonic()]:
                present.remove(entry)
                self._leave(entry[1])
        for _, sock in present:
            sock.close()

    @staticmethod
    def _leave(sock):
        """In order: what was said has been read, else the kernel would send a reset."""
        with contextlib.suppress(OSError), sock:
            sock.recv(100)
            sock.sendall(mqtt_raw.DISCONNECT)

    def _first_words(self, n):
        kind = self._dice.random()
        if kind < 0.02:
            return mqtt_raw.PINGREQ
        if kind < 0.05:
            return b""  # gone before its CONNECT, or silent for too long
        version = self._dice.choice((3, 4, 4, 4, 5, 5))
        word = "barred" if kind < 0.08 else "visitor"
        return mqtt_raw.connect(f"{word}-{n}", version, self._dice.choice((0, 30, 60, 60, 300, 1200)),
                                username="intruder" if 0.08 < kind < 0.16 else None)


def configuration(lab):
    """One pool is enough for a picture."""
    sections = lab.config().partition('[[pool]]\nname = "brokers6"')[0].split("\n\n")
    sections = [section for section in sections if '"mqtt6"' not in section]
    return "\n\n".join([*sections, '[[route]]\nclient_id_prefix = "barred"\nrefuse = "not_authorized"\n'])


def wait_until(when):
    time.sleep(max(0, when - time.time()))


def happenings(lab, swarm, start):
    """The two minutes."""
    wait_until(start + 35)
    lab.admin("maintenance broker-3")
    wait_until(start + 60)
    lab.admin("ready broker-3")
    wait_until(start + 75)
    lab.broker("broker-2").stop()
    wait_until(start + 95)
    lab.broker("broker-2").start()
    wait_until(start + SECONDS)
    swarm.wait_all_up()


def series_of(prometheus, dashboard, panel, start, end):
    found = []
    for target in panel.get("targets", []):
        answer = prometheus.query_range(dashboard.fill(target["expr"], INTERVAL), start, end, INTERVAL)
        found += [(legend(target["legendFormat"], labels), points) for labels, points in answer]
    return found


def pictures(prometheus, start, end):
    """Name -> SVG."""
    dashboard = Dashboard(INTERVAL)
    row, rows = None, {}
    for panel in dashboard.model["panels"]:
        row = panel["title"] if panel["type"] == "row" else row
        rows.setdefault(row, []).append(panel)
    return {name: draw(f"Sluice's dashboard in Grafana: {', '.join(titles)}",
                       [(panel, series_of(prometheus, dashboard, panel, start, end))
                        for title in titles for panel in rows[title]], start, end, INTERVAL)
            for name, titles in PICTURES.items()}


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "doc/images")
    end_on_signals()
    with Lab(brokers=4, workers=2, start_brokers=False, start_sluiced=False, admin={"metrics": METRICS},
             listener={"connect_timeout": "5s"}, pool={"drain_rate": 10, "slow_start": "10s"}) as lab:
        for broker in lab.brokers:
            broker.know_password("operator", "secret")
            broker.start()
        lab.start_sluiced()
        lab.reload(configuration(lab))
        wait_for("the other pool to be gone", lambda: list(lab.backend_states().values()) == ["up"] * 4)
        prometheus = Prometheus(lab, 1)
        with Visitors(lab, 12):
            time.sleep(4 * INTERVAL)  # over which the first rates look back
            start = time.time() // INTERVAL * INTERVAL
            with Swarm(lab, 400, talk=0.5, back=3.0, rate=20) as swarm:
                happenings(lab, swarm, start)
                made = pictures(prometheus, start, start + SECONDS)
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in made.items():
        path = folder / f"{name}.svg"
        path.write_text(picture, encoding="utf-8")
        print(f"written: {path}, {len(picture) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
