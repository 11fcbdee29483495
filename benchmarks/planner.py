"""Free ranges: pods, services and nodes of 500 clusters placed into 100,000 allocations.

The allocations are small blocks scattered over 10.0.0.0/8, so that there are tens of thousands of gaps. `exhausted_s`
is the same where private space is nearly full and many find no room.

All times are CPU times of the one thread that works, medians. Targets: a plan 1 s. Run: make bench ROW=planner
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from periplus_hub.addresses.free.engine.planner import PlannedCluster, Taken, propose
from periplus_hub.addresses.free.engine.sizing import KINDS, Demand, Holding
from periplus_hub.addresses.free.model import RangeProposal
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import IPV4, IPV6, Prefix, parse
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes

from benchmarks._row import report

CLUSTERS: Final = 500
ALLOCATIONS: Final = 100_000
ROUNDS: Final = 5


def clusters(rng: random.Random) -> list[PlannedCluster]:
    """From one node to two hundred; every fourth uses both families."""
    found = []
    for number in range(CLUSTERS):
        nodes = int(2 ** rng.uniform(0, 7.6))
        families = (IPV4, IPV6) if number % 4 == 0 else (IPV4,)
        holds = {(kind, family): Holding() for kind in KINDS for family in families}
        if number % 3:
            holds[AllocationKind.POD, IPV4] = Holding(addresses=nodes * 64, node_block=26)
        demand = Demand(nodes=nodes, pods=nodes * 30, services=nodes * 12, holds=holds)
        found.append(PlannedCluster(name=f"cluster-{number}", registration_id=None, demand=demand))
    return found


def taken(rng: random.Random, *full: str) -> Taken:
    """Small blocks scattered over the ranges of 400 older clusters, in 10.0.0.0/8."""
    blocks = [
        Prefix(IPV4, (10 << 24 | rng.randrange(400) * 5 % 1_024 << 14 | rng.randrange(1 << 10) << 4) << 96, 28)
        for _ in range(ALLOCATIONS - len(full))
    ]
    return Taken(prefixes={IPV4: FamilyPrefixes.of_prefixes([*blocks, *map(parse, full)])})


def _median_s(work: Callable[[], Sequence[RangeProposal]]) -> tuple[float, int]:
    """Seconds, and how many ranges were found."""
    times, found = [], 0
    for _ in range(ROUNDS):
        began = time.process_time()
        proposals = work()
        times.append(time.process_time() - began)
        found = sum(each.cidr is not None for each in proposals)
    return statistics.median(times), found


def main() -> int:
    """Run and report."""
    rng = random.Random(11)
    fleet, scattered = clusters(rng), taken(rng)
    nearly_full = taken(
        rng, "10.32.0.0/11", "10.64.0.0/10", "10.128.0.0/9", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"
    )
    plan_s, found = _median_s(lambda: propose(fleet, KINDS, Decimal(2), scattered, b"fleet"))
    exhausted_s, left = _median_s(lambda: propose(fleet, KINDS, Decimal(2), nearly_full, b"fleet"))
    measured = {
        "clusters": float(CLUSTERS),
        "allocations": float(ALLOCATIONS),
        "min_found": float(found),
        "plan_s": round(plan_s, 3),
        "exhausted_found": float(left),
        "exhausted_s": round(exhausted_s, 3),
    }
    return 0 if report("planner", measured, {"plan_s": 1.0, "exhausted_s": 1.0, "min_found": 1_875}) else 1


if __name__ == "__main__":
    sys.exit(main())
