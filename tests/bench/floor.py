#!/usr/bin/env python3
"""What DPDK's own forwarder costs on this machine: floor.py [SECONDS]

dpdk-testpmd on one core swaps MAC addresses, IP addresses and ports (--forward-mode=5tswap) of 64-byte packets between two
software ports. It looks nothing up and changes no number, so no balancer can cost less. A line for each kind of port:

  null   packets come from a fresh buffer and end in the pool: the price of buffers is in it; they are not IP, so that only
         MAC addresses are swapped
  ring   the same few UDP packets go round and round: everything is swapped, nothing but the swap and the rings is in it
"""

import os
import re
import subprocess
import sys
import tempfile
import time

PORTS = {
    "null": ["--vdev=net_null0,size=64,copy=0", "--vdev=net_null1,size=64,copy=0"],
    "ring": ["--vdev=net_ring0", "--vdev=net_ring1"],
}


def free_hugepages():
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(re.search(r"HugePages_Free:\s+(\d+)", file.read())[1])


def testpmd(ports, folder):
    """A command line that leaves nothing behind but what is in the folder."""
    memory = ["--in-memory"] if free_hugepages() >= 128 else ["--no-huge", "--no-shconf"]
    # The main core only waits for commands; the other forwards.
    cores = sorted(os.sched_getaffinity(0))[:2]
    return ["dpdk-testpmd", f"--lcores=0@{cores[0]},1@{cores[-1]}", "--iova-mode=va", *memory, "-m", "256", "--no-pci",
            "--no-telemetry", f"--file-prefix=sluice-floor-{os.path.basename(folder)}", *ports, "--", "--interactive",
            "--forward-mode=5tswap", "--nb-cores=1", "--txpkts=64", "--burst=32", "--total-num-mbufs=8192",
            "--record-core-cycles"]


def measure(ports, seconds):
    """(packets a second, cycles a packet) of the forwarding core."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(testpmd(ports, folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, env={**os.environ, "RUNTIME_DIRECTORY": folder})
        try:
            for command, wait in [("start tx_first 2", 0.5), ("show port stats all", seconds),
                                  ("show port stats all", 0), ("show fwd stats all", 0), ("stop", 0.2), ("quit", 0)]:
                process.stdin.write(command + "\n")
                process.stdin.flush()
                time.sleep(wait)
            output = process.communicate(timeout=30)[0]
        finally:
            process.kill()
            process.wait()
    # Rates are since the time before that testpmd was asked, so the last two are the ones of both ports.
    rates = [int(r) for r in re.findall(r"Rx-pps:\s+(\d+)", output)]
    cycles = re.findall(r"CPU cycles/packet=([0-9.]+)", output)
    if process.returncode != 0 or len(rates) != 4 or not cycles or 0 in rates[2:]:
        sys.exit(f"{output}\ndpdk-testpmd gave no rates (exit code {process.returncode})")
    return sum(rates[2:]), float(cycles[0])


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    for name, ports in PORTS.items():
        rate, cycles = measure(ports, seconds)
        print(f"{'worker/floor/' + name:<42} {1e9 / rate:>6.3g} ns  {rate / 1e6:>16.3g} M/s  {cycles:>6.0f} cycles  "
              "a packet that dpdk-testpmd 5tswap forwards", flush=True)


if __name__ == "__main__":
    main()
