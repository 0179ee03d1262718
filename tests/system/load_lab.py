"""The load generator face to face with real brokers and clients, no Sluice between: two namespaces and two cables.

    generator (10.2.0.100 .. .103) --eth0---------eth0-- (10.2.0.2) brokers     kernel at both ends
    generator (no address)         --load0--------eth1-- (10.3.0.1) brokers     sluice-load's own TCP at one end
"""

import json
import pathlib
import tempfile

from lab import BUILD, Broker
from ledger import Installation
from netns import Namespace

KERNEL_SOURCES = "10.2.0.100-10.2.0.103"
PORT_SOURCES = "10.3.0.10-10.3.0.13"
GATEWAY = "10.3.0.1"
BROKER = "10.2.0.2"


class LoadLab(Installation):
    """Option: `mosquitto`, whether there is one at 10.2.0.2."""

    def __init__(self, mosquitto=True):
        self._mosquitto = mosquitto

    def _build(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-load-"))
        self._ledger.add("folders", str(self.folder))
        self.folder.chmod(0o755)  # for mosquitto, which gives up root
        prefix = f"sluice-{self._ledger.name}"
        self.generator = Namespace(self._ledger, f"{prefix}-generator")
        self.brokers = Namespace(self._ledger, f"{prefix}-brokers")
        # An interface of sluice-load carries no address of the kernel's, not even a link-local one.
        self.generator.sysctl(net__ipv6__conf__all__disable_ipv6=1, net__ipv6__conf__default__disable_ipv6=1)
        self.generator.cable("eth0", self.brokers, "eth0")
        self.generator.cable("load0", self.brokers, "eth1")
        for device in ("eth0", "eth1"):
            self.brokers.switch_offloads_off(device)
        self.generator.switch_offloads_off("eth0")
        self.generator.run(["ethtool", "-K", "load0", "gro", "off", "lro", "off"], check=False)
        for n in range(100, 104):
            self.generator.ip("address", "add", f"10.2.0.{n}/24", "dev", "eth0")
        self.brokers.ip("address", "add", f"{GATEWAY}/24", "dev", "eth1")
        if self._mosquitto:
            self.broker = Broker(self.brokers, self.folder, 1)  # adds its address
            self.broker.start()
        else:
            self.brokers.ip("address", "add", f"{BROKER}/24", "dev", "eth0")

    def load(self, scenario, *words, port=False, timeout=120):
        """sluice-load in the generator's namespace, to its end; its results."""
        results = self.folder / "results.json"
        network = (["--interface", "load0", "-s", PORT_SOURCES, "--gateway", GATEWAY] if port
                   else ["-s", KERNEL_SOURCES])
        self.generator.run([BUILD / "sluice-load", scenario, "-q", "-t", f"{BROKER}:1883", *network, "--json", results,
                            *words], timeout=timeout)
        return json.loads(results.read_text())
