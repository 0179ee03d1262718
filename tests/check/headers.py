#!/usr/bin/env python3
"""Each public header compiles on its own, under the project's own warnings.

    tests/check/headers.py [ROOT]

A header that works only after another one was included breaks the first file that includes it alone.
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]


def dpdk_flags():
    """What pkg-config says for DPDK, with its headers as system headers: they do not pass the warnings above."""
    words = subprocess.run(["pkg-config", "--cflags", "libdpdk"], capture_output=True, text=True, check=True).stdout
    return ["-DALLOW_EXPERIMENTAL_API"] + [w.replace("-I", "-isystem", 1) for w in words.split()]


def compile_alone(include, header, flags):
    command = ["g++", *FLAGS, *flags, f"-I{include}", "-include", str(header.relative_to(include)), "-x", "c++", "-"]
    return subprocess.run(command, input="", capture_output=True, text=True, check=False)


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    include = root / "include"
    headers = sorted(include.rglob("*.h"))
    flags = dpdk_flags()
    broken = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, result in zip(headers, pool.map(lambda h: compile_alone(include, h, flags), headers)):
            if result.returncode != 0:
                broken += 1
                print(f"{header} does not compile on its own:\n{result.stderr}")
    print(f"{len(headers)} public headers, {broken} broken")
    return 1 if broken or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
