"""Pre-flight: every way of joining a thousand clusters, of 150 and of 1,000 ranges each.

The fleet is what fleets look like: half of the clusters keep their installer's pod range, all have the same range for
services; a third of each cluster's ranges are blocks of its nodes, the others addresses of nodes. People entered a VPC
for every tenth cluster. Reading them from the database is not in it.

All times are CPU times of the one thread that works, medians. Targets: 1,000 x 150 1 s, 1,000 x 1,000 2 s. Run: make
bench ROW=preflight
"""

import statistics
import sys
import time
from collections.abc import Iterator
from typing import Final

from periplus_hub.addresses.overlaps.engine.uses import Use
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.preflight.engine.judge import answer, judge
from periplus_hub.addresses.preflight.engine.question import Question
from periplus_hub.addresses.preflight.engine.ways_out import NO_PLACES
from periplus_hub.addresses.ranges.model import RangeUse

from benchmarks._row import report
from tests.support.preflight_cases import DOMAINS, EU, cluster, entered

CLUSTERS: Final = 1_000
ROUNDS: Final = 3


def ranges(number: int, count: int) -> Iterator[tuple[Use, str]]:
    """About so many of one cluster."""
    pods = 244 if number % 2 else 16 + number // 5
    yield Use.POD_ROUTED, f"10.{pods}.0.0/16"
    yield Use.SERVICE, "10.96.0.0/16"
    for at in range(count // 3):
        yield Use.POD_ROUTED, f"10.{pods}.{at % 256}.{at // 256 * 64}/26"
    for at in range(count - count // 3):
        yield Use.NODE, f"172.{16 + number // 64}.{number % 64 * 4 + at // 256}.{at % 256}/32"


def fleet(count: int) -> Question:
    """A thousand clusters."""
    parties = [cluster(f"cluster-{number:04}", ranges(number, count)) for number in range(CLUSTERS)]
    vpcs = [
        entered(f"172.{16 + number // 64}.{number % 64 * 4}.0/22", RangeUse.VPC, EU)
        for number in range(0, CLUSTERS, 10)
    ]
    return Question(parties=parties, spoken_for=vpcs, domain_names=DOMAINS)


def judge_s(asked: Question) -> float:
    """Median seconds of all verdicts with their ways out."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        answer(judge(asked), list(FederationTarget), NO_PLACES)
        times.append(time.process_time() - began)
    return round(statistics.median(times), 2)


def main() -> int:
    """Run and report."""
    measured = {f"judge_{count}_s": judge_s(fleet(count)) for count in (150, 1_000)}
    return 0 if report("preflight", measured, {"judge_150_s": 1.0, "judge_1000_s": 2.0}) else 1


if __name__ == "__main__":
    sys.exit(main())
