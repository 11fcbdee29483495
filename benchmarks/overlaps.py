"""Overlap register: full build and single changes over a million prefixes of a thousand clusters.

The fleet is what fleets look like: half of the clusters keep their installer's defaults (so a thousand clusters share
ranges), the others got their own; every cluster has node blocks, services, node addresses and load balancers; four
clusters share a network domain, some domains are connected. A second change row adds a stray 10.0.0.0/8, which makes
one group out of nearly everything.

The full build ends with every group listed and the severity of every cluster in every group; each allocation's own is
in the register. `change_shares_ms` is what reading that again costs for the groups a change touched; it is done
once per refresh, however many changes it holds.

All times are CPU times of the one thread that works, medians; the wall time of the build is shown beside.
Targets: full build 1 s, one change 1 ms. Run: make bench ROW=overlaps
"""

import argparse
import gc
import random
import statistics
import sys
import time
from collections.abc import Callable
from itertools import chain

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.overlaps.engine.cluster_shares import Shares
from periplus_hub.addresses.overlaps.engine.layers import Entry
from periplus_hub.addresses.overlaps.engine.register import Register
from periplus_hub.addresses.overlaps.engine.severity import Relations
from periplus_hub.addresses.overlaps.engine.uses import Use
from periplus_hub.addresses.overlaps.model import Relation
from periplus_hub.addresses.prefixes.columns import PrefixColumns, columns_from_arrays
from periplus_hub.addresses.prefixes.prefix import KEY_BYTES, Prefix, parse

from benchmarks._row import report

CLUSTERS = 1_000
PER_DOMAIN = 4


def relations() -> Relations:
    """250 domains of four clusters; every tenth is connected to its neighbour."""
    domains = [owner // PER_DOMAIN for owner in range(CLUSTERS)]
    modes = (Relation.FLAT, Relation.NAT, Relation.PLANNED)
    connections = {(d, d + 1): modes[d // 10 % 3] for d in range(0, CLUSTERS // PER_DOMAIN - 1, 10)}
    return Relations(domains, connections)


def fleet(prefixes: int, seed: int = 7) -> list[Entry]:
    """About `prefixes` distinct allocations."""
    rng = random.Random(seed)
    each = prefixes // CLUSTERS
    entries: set[Entry] = set()
    for owner in range(CLUSTERS):
        base = 0x0AF40000 if owner % 2 else 0x0A000000 | owner << 14
        entries.add(_v4(base, 16 if owner % 2 else 18, owner, Use.POD))
        entries.add(_v4(0x0A600000, 16, owner, Use.SERVICE))
        while len(entries) < (owner + 1) * each:
            draw = rng.random()
            if draw < 0.6:
                entries.add(_v4(base | rng.randrange(1 << 12) << 4, 28, owner, Use.POD))
            elif draw < 0.9:
                entries.add(_v4(0xAC100000 | rng.randrange(1 << 20), 32, owner, Use.NODE))
            else:
                entries.add(_v4(0xC0A80000 | rng.randrange(1 << 16), 32, owner, Use.LOADBALANCER))
    return list(entries)


def _v4(address: int, length: int, owner: int, use: Use) -> Entry:
    return Entry(Prefix(4, address >> (32 - length) << (128 - length), length), owner, use)


def _seconds(work: Callable[[], object]) -> float:
    """CPU seconds: the register is one thread of arithmetic, and other processes must not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def _build(columns: PrefixColumns, codes: npt.NDArray[np.int32]) -> tuple[float, float]:
    """Wall and CPU seconds of a full build with every group listed, and every cluster's severity in each."""
    wall = time.perf_counter()
    cpu = _seconds(lambda: _everything(Register(columns, codes, relations())))
    return time.perf_counter() - wall, cpu


def _everything(register: Register) -> Shares:
    return register.shares([group.root for group in register.groups()])


def change_ms(register: Register, entries: list[Entry], count: int = 400) -> tuple[list[float], list[float]]:
    """Milliseconds of removing and inserting again, with the touched groups, and of reading their clusters' severities.

    The hub reads the second once per refresh, however many changes it took in.
    """
    taken = random.Random(3).sample(entries, count)
    changes, shares = [], []
    for entry in taken:
        for act in (register.remove, register.insert):
            roots: list[Prefix] = []
            changes.append(_seconds(lambda a=act, e=entry, r=roots: r.extend(filter(register.group, a(e)))) * 1000)  # type: ignore[misc] # loop values bound as defaults
            shares.append(_seconds(lambda r=roots: register.shares(r)) * 1000)  # type: ignore[misc] # as above
    return changes, shares


def change_set_ms(register: Register, entries: list[Entry], count: int = 50) -> list[float]:
    """A node leaves its cluster and another comes: two allocations go, two come."""
    rng = random.Random(5)
    nodes = [e for e in entries if e.use is Use.NODE]
    blocks = [e for e in entries if e.use is Use.POD and e.prefix.length == 28]
    times = []
    for _ in range(count):
        gone = [rng.choice(nodes), rng.choice(blocks)]
        come = [_v4(0xAC100000 | rng.randrange(1 << 20), 32, gone[0].owner, Use.NODE), gone[1]]
        times.append(_seconds(lambda g=gone, c=come: register.change(g, c)) * 1000)  # type: ignore[misc] # loop values bound as defaults
    return times


def main() -> int:
    """Run and report."""
    options = argparse.ArgumentParser()
    options.add_argument("--prefixes", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    entries = fleet(arguments.prefixes)
    columns = _columns(_keys(entries))
    codes = np.array([e.code for e in entries], dtype=np.int32)
    gc.freeze()  # the load is a few million Python objects that a hub does not have
    builds = [_build(columns, codes) for _ in range(arguments.rounds)]
    register = Register(columns, codes, relations())
    size, groups = register.nbytes(), sum(1 for _ in register.groups())
    (changes, shares), sets = change_ms(register, entries), change_set_ms(register, entries)
    stray = Entry(parse("10.0.0.0/8"), 0, Use.PLANNED)
    stray_ms = statistics.median(
        _seconds(lambda: register.insert(stray)) * 1000
        if not i % 2
        else _seconds(lambda: register.remove(stray)) * 1000
        for i in range(6)
    )
    register.insert(stray)
    register.group(stray.prefix)
    under_stray, stray_shares = change_ms(register, [e for e in entries if stray.prefix.covers(e.prefix)], 100)
    measured = {
        "prefixes": float(len(entries)),
        "distinct_prefixes": float(len({e.prefix for e in entries})),
        "groups": float(groups),
        "parse_stored_keys_s": _parse_s(entries),
        "full_build_s": statistics.median(cpu for _, cpu in builds),
        "full_build_wall_s": statistics.median(wall for wall, _ in builds),
        "change_ms": statistics.median(changes),
        "change_p99_ms": statistics.quantiles(changes, n=100)[98],
        "change_shares_ms": statistics.median(shares),
        "change_shares_p99_ms": statistics.quantiles(shares, n=100)[98],
        "change_set_ms": statistics.median(sets),
        "change_under_stray_ms": statistics.median(under_stray),
        "shares_under_stray_ms": statistics.median(stray_shares),
        "stray_10_slash_8_ms": stray_ms,
        "register_mib": size / 2**20,
    }
    rounded = {name: round(value, 3) for name, value in measured.items()}
    return 0 if report("overlaps", rounded, {"full_build_s": 1.0, "change_ms": 1.0}) else 1


def _keys(entries: list[Entry]) -> bytes:
    """As the database answers them."""
    return b"".join(chain.from_iterable(entry.prefix.keys() for entry in entries))


def _columns(keys: bytes) -> PrefixColumns:
    both = np.frombuffer(keys, dtype=np.uint8).reshape(-1, 2, KEY_BYTES)
    return columns_from_arrays(both[:, 0], both[:, 1])


def _parse_s(entries: list[Entry]) -> float:
    keys = _keys(entries)
    return _seconds(lambda: _columns(keys))


if __name__ == "__main__":
    sys.exit(main())
