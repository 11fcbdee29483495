"""Entries of conntrack per second, from the kernel's bytes to rows of a window, and memory with 200,000 of them.

A process of its own reads a table of 200,000 connections, half of IPv4 and half of IPv6, as the kernel writes it, three
times. Before the second reading something passed on every connection, which is the dearest there is; before the third
on none, which is what most connections of a busy node do between two readings. Target: at least 50,000 entries a second
when all changed.

Run: make bench ROW=conntrack
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import psutil

from periplus_spoke.conversion.conntrack.connections import Connections
from periplus_spoke.conversion.conntrack.local_networks import LocalNetworks
from periplus_spoke.conversion.conntrack.messages import Decoder, Entries
from periplus_spoke.conversion.conntrack.window import NodeWindow

from benchmarks._row import report
from tests.support.conntrack_bytes import Connection

CONNECTIONS: Final = 200_000
READ_BYTES: Final = 32 * 1024
SECOND_NS: Final = 1_000_000_000
MIB: Final = 1024 * 1024
TARGETS: Final = {"min_entries_per_s": 50_000.0}
V4: Final = Connection(status=0x18E, counters=(1, 2, 3, 4))
V6: Final = replace(V4, src="fd00::1", dst="fd96::1", end="fd01::1")


def table(counted: int) -> Iterator[bytes]:
    """The whole table as one dump reads it; every connection has passed `counted` packets."""
    buffer = bytearray()
    for number in range(CONNECTIONS):
        buffer += _message(V6 if number % 2 else V4, number, counted)
        if len(buffer) > READ_BYTES - 512:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


def _message(kind: Connection, number: int, counted: int) -> bytes:
    third, fourth = divmod(number % 60_000, 250)
    made = replace(
        kind,
        src=f"fd00::{number % 5_000:x}" if kind is V6 else f"10.1.{third % 20}.{fourth + 1}",
        src_port=number % 60_000 + 1_024,
        end_port=8_000 + number % 50,
        id=number,
        counters=(counted, counted * 900 + number, counted, counted * 300),
    )
    return made.message()


def read() -> dict[str, float]:
    """In the process that is measured."""
    decoder, connections = Decoder(), Connections(1_000_000)
    networks = LocalNetworks([(0xFFFF << 32, 96), (0xFD << 120, 8)])
    told: dict[str, float] = {}
    before = psutil.Process().memory_info().rss
    for name, counted in (("first", 1), ("changed", 2), ("unchanged", 2)):
        window, taken_s = NodeWindow(networks, 10_000), 0.0
        for buffer in table(counted):
            began = time.process_time()
            entries = Entries()
            decoder.decode(memoryview(buffer), entries)
            connections.read(entries, window)
            taken_s += time.process_time() - began
        began = time.process_time()
        connections.end_dump(time.time_ns(), is_whole=True)
        window.whole().sections(0, 60)
        taken_s += time.process_time() - began
        told[name] = CONNECTIONS / taken_s
    told["rss_mib"] = (psutil.Process().memory_info().rss - before) / MIB
    return told


def main(arguments: list[str]) -> int:
    """Without arguments the benchmark; with them what it measures."""
    if arguments:
        print(json.dumps(read()))
        return 0
    command = [sys.executable, "-m", "benchmarks.conntrack", "read"]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(3)]
    best = {name: max(run[name] for run in runs) for name in runs[0]}
    measured = {
        "min_entries_per_s": round(best["changed"]),
        "unchanged_entries_per_s": round(best["unchanged"]),
        "first_entries_per_s": round(best["first"]),
        "table_mib": round(best["rss_mib"], 1),
    }
    return int(not report("conntrack", measured, TARGETS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
