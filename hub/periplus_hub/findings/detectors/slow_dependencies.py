"""Paths between clusters on which round trips take longer than is usual for the pairs that use them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.dependencies.engine.baseline import LEAST_HOURS, Baseline
from periplus_hub.dependencies.engine.usual import Judged, judged, off_or_near
from periplus_hub.dependencies.engine.watched import LEAST_SAMPLES, RECENT_HOURS, HourOfPair, PairHours, Watched
from periplus_hub.dependencies.model import EdgeEnd
from periplus_hub.findings.bands import power_of_two
from periplus_hub.findings.facts import REGISTRATIONS, WATCHED, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.findings.named_ends import at_most, concerned, end_name, for_evidence, listed
from periplus_hub.flows.model_kinds import EXTERNAL

_FLOOR_US: Final = 5_000
"""Milliseconds that hardly anybody feels are not told, however unusual they are."""
_RULE: Final = (
    f"mean round trip of the newest of the last {RECENT_HOURS} hours with {LEAST_SAMPLES} samples: more than twice the "
    f"median of the pair's own hours of seven days before, and above it by 3.5 robust standard deviations and by "
    f"{_FLOOR_US // 1_000} ms; at least {LEAST_HOURS} such hours"
)


class SlowDependencies:
    """One finding for each path: a cluster, two clusters, or a cluster and what is outside."""

    name = "slow-dependencies"
    needs = (REGISTRATIONS, WATCHED)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """A pair whose usual is not known yet is not judged."""
        del now
        watched = facts[WATCHED]
        if watched is None:
            return None
        names = {each.id: each.name for each in facts[REGISTRATIONS]}
        return at_most(list(_drafts(watched, names)), "slow paths", more=watched.hours_more)


def _drafts(watched: Watched, names: Mapping[UUID, str]) -> Iterator[FindingDraft | Undecided]:
    slow, near = off_or_near(judged(watched.hours, int(watched.at.timestamp()), _mean_us, _floor_us), _path)
    yield from (Undecided(each, is_unknown=False) for each in near)
    yield from (_draft(path, found, names) for path, found in slow.items())


def _mean_us(hour: HourOfPair) -> int | None:
    return None if hour.rtt_count < LEAST_SAMPLES else hour.rtt_us // hour.rtt_count


def _floor_us(usual: Baseline) -> int:
    return max(usual.median, _FLOOR_US)


def _path(pair: PairHours) -> str:
    return ">".join(
        EXTERNAL if end.registration_id is None else str(end.registration_id) for end in (pair.src, pair.dst)
    )


def _draft(path: str, found: list[Judged], names: Mapping[UUID, str]) -> FindingDraft:
    worst = max(found, key=lambda each: each.value)
    pairs = {f"{end_name(each.pair.src, names)} → {end_name(each.pair.dst, names)}" for each in found}
    registration_id, registration_ids = concerned(end for each in found for end in (each.pair.src, each.pair.dst))
    source, target = (_cluster(end, names) for end in (worst.pair.src, worst.pair.dst))
    where = f"within {source}" if source == target else f"between {source} and {target}"
    times = max(2, power_of_two(worst.value // max(worst.usual.median, 1)))
    return FindingDraft(
        fingerprint=path,
        severity=FindingSeverity.WARNING,
        title=f"Round trips {where} take longer than usual",
        why=f"At least {times} times as long as is usual for {listed(pairs)}.",
        what_to_do="Look at what changed on the way: links, gateways and tunnels between the clusters, where pods run "
        "now, and nodes that are short of CPU.",
        evidence={
            "pairs": for_evidence(pairs),
            "times_usual_at_least": times,
            "usual_us": power_of_two(worst.usual.median),
            "usual_spread_us": power_of_two(worst.usual.spread),
            "rule": _RULE,
        },
        registration_id=registration_id,
        registration_ids=registration_ids,
    )


def _cluster(end: EdgeEnd, names: Mapping[UUID, str]) -> str:
    if end.registration_id is None:
        return "outside"
    return names.get(end.registration_id, "a revoked cluster")
