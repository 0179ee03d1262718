"""A real Prometheus inside a lab, run with the project's own files, and the questions that Grafana would ask it.

It lives in Sluice's namespace, so that it reaches the metrics at an address of the kernel's, and keeps its data in the
lab's folder. The lab ends it.
"""

import contextlib
import http.client
import json
import math
import os
import re
import urllib.parse

from lab import ROOT, wait_for

FILES = ROOT / "conf/prometheus"
DASHBOARD = ROOT / "conf/grafana/sluice.json"
METRICS = "127.0.0.1:9187"  # as in prometheus.yml
ADDRESS = ("127.0.0.1", 9090)


def get(lab, address, path):
    """(status, body) of one GET from inside Sluice's namespace."""
    connection = http.client.HTTPConnection(*address)
    with contextlib.closing(lab.sluice_side.connect(*address)) as connection.sock:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def metrics_page(lab):
    host, port = METRICS.rsplit(":", 1)
    status, page = get(lab, (host, int(port)), "/metrics")
    if status != 200:
        raise RuntimeError(f"/metrics answers {status}: {page}")
    return page


class Prometheus:
    """`scrape`: seconds between two scrapes. `patience`: what alerts' "for" becomes; None: stays as it is."""

    def __init__(self, lab, scrape=0.5, patience=None):
        self._lab = lab
        self.folder = lab.folder / "prometheus"
        self.folder.mkdir()
        config = (FILES / "prometheus.yml").read_text()
        if METRICS not in config:
            raise RuntimeError(f"prometheus.yml does not ask {METRICS}")
        config = re.sub(r"(_interval:) \w+", rf"\1 {round(scrape * 1000)}ms", config)
        (self.folder / "prometheus.yml").write_text(config)
        alerts = (FILES / "alerts.yml").read_text()
        if patience is not None:
            alerts = re.sub(r"(\bfor:) \w+", rf"\1 {round(patience * 1000)}ms", alerts)
        (self.folder / "alerts.yml").write_text(alerts)
        self._process = lab.sluice_side.start(
            ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address={ADDRESS[0]}:{ADDRESS[1]}", "--log.level=warn"],
            lab.folder / "prometheus.log", env={**os.environ, "GOMAXPROCS": "1"})
        wait_for("Prometheus to be ready", self._ready, 30)

    def _ready(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"prometheus ended with {self._process.returncode}\n{self._lab.diagnostics()}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return get(self._lab, ADDRESS, "/-/ready")[0] == 200
        return False

    def ask(self, path, **arguments):
        """What the API answers; an error is one here too."""
        _, body = get(self._lab, ADDRESS, f"/api/v1/{path}?{urllib.parse.urlencode(arguments, doseq=True)}")
        answer = json.loads(body)
        if answer["status"] != "success":
            raise RuntimeError(f"{path} {arguments}: {answer['error']}")
        return answer["data"]

    def query(self, text):
        """[(labels, value)] now."""
        result = self.ask("query", query=text)["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def query_range(self, text, start, end, step):
        """[(labels, [(time, value)])], without what is no number."""
        result = self.ask("query_range", query=text, start=start, end=end, step=step)["result"]
        return [(series["metric"], [(time, float(value)) for time, value in series["values"]
                                    if math.isfinite(float(value))]) for series in result]

    def one(self, text):
        """The value of a query that has one; None without any."""
        values = [value for _, value in self.query(text)]
        return values[0] if len(values) == 1 else None

    def rules(self):
        """Every alert: name -> what the API says of it."""
        return {rule["name"]: rule for group in self.ask("rules")["groups"] for rule in group["rules"]}

    def firing(self):
        """(name, labels) of each alert that fires."""
        return [(alert["labels"]["alertname"], alert["labels"]) for alert in self.ask("alerts")["alerts"]
                if alert["state"] == "firing"]


class Dashboard:
    """The dashboard's queries with its variables filled in as Grafana does. `interval`: what the data source is told to
    be its scrape interval, in seconds; `chosen`: variable -> values, all unless given."""

    def __init__(self, interval, **chosen):
        self.model = json.loads(DASHBOARD.read_text(encoding="utf-8"))
        self._interval = interval
        self._values = {}
        for variable in self.model["templating"]["list"]:
            if variable["type"] == "query":
                values = chosen.get(variable["name"])
                # One value stands for itself, several for any of them; regular expressions' signs are quoted.
                choice = "|".join(re.sub(r"([\\^$.*+?()\[\]{}|])", r"\\\\\1", value) for value in values or [])
                self._values[variable["name"]] = (variable["allValue"] if values is None else
                                                  choice if len(values) == 1 else f"({choice})")

    def panels(self):
        """Those with queries, in order, also from rows that are folded."""
        for panel in self.model["panels"]:
            for inner in [panel, *panel.get("panels", [])]:
                if inner.get("targets"):
                    yield inner

    def fill(self, text, step):
        """A query as it is sent for points that lie so many seconds apart."""
        step = max(step, self._interval)
        rate = max(step + self._interval, 4 * self._interval)
        values = {**self._values, "__rate_interval": f"{rate:g}s", "__interval": f"{step:g}s"}
        # A digit is no variable but a group of label_replace().
        return re.sub(r"\$(?:\{([a-z_]\w*)\}|([a-z_]\w*))", lambda name: values[name[1] or name[2]], text)

    def variables(self):
        """(name, metric or selector, label) of each variable that is asked of Prometheus."""
        for variable in self.model["templating"]["list"]:
            if variable["type"] == "query":
                selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
                yield variable["name"], self.fill(selector, 0), label

    def annotations(self):
        """(name, query) of each."""
        for annotation in self.model["annotations"]["list"]:
            if "expr" in annotation:
                yield annotation["name"], self.fill(annotation["expr"], 0)


def legend(pattern, labels):
    """The name that Grafana gives a series."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda name: labels.get(name[1], ""), pattern)
