"""What changed in who talks to whom, as values: what detectors look at. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.dependencies.model import QUIET_S, Coverage, EdgeEnd, EdgeLevel, EdgeSide
from periplus_hub.flows.model import DAY_S, HOUR_S

KNOWN_S: Final = 3 * DAY_S
"""A peer is new only to an end that was seen for so long before."""
RHYTHM_S: Final = 14 * DAY_S
"""How far before its last sight the rhythm of a pair is looked for."""
MISSED_S: Final = 7 * DAY_S
"""For so long after its last sight a pair is missed, and then forgotten."""
SIDES_S: Final = 6 * HOUR_S
"""In so much time before this hour both sides of a pair should have been told."""
BASELINE_S: Final = 7 * DAY_S
"""How far back a pair's own usual is looked for."""
RECENT_HOURS: Final = 6
"""A measure that was not taken in so many hours, this one included, is not known now."""
LEAST_ATTEMPTS: Final = 20
"""Connections of an hour below which a share of them says nothing."""
LEAST_SAMPLES: Final = 30
"""Round trips of an hour below which their mean says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPair:
    """Two ends that were not seen together before, each of which was known for KNOWN_S then."""

    level: EdgeLevel
    src: EdgeEnd
    dst: EdgeEnd
    reported_by: frozenset[EdgeSide]
    first_seen: datetime
    ports: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietPair:
    """Two ends that were seen together for a while, and are not now."""

    src: EdgeEnd
    dst: EdgeEnd
    reported_by: frozenset[EdgeSide]
    last_seen: datetime
    hours: tuple[int, ...]
    """In which it was active, of RHYTHM_S before its last sight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LopsidedClusters:
    """Of the pairs between two clusters, those that one side alone reported."""

    src: UUID
    dst: UUID
    pairs: int
    only_client: int
    only_server: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HourOfPair:
    """Sums of an hour."""

    hour: int
    attempts: int
    failures: int
    rtt_us: int
    rtt_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairHours:
    """The hours of a pair, oldest first."""

    src: EdgeEnd
    dst: EdgeEnd
    hours: tuple[HourOfPair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What the inventory has of a workload. Of one that is not there and would be known, `replicas` is None."""

    replicas: int | None
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One look at the edges of a tenant. Of each sort those that matter most, and how many there are more."""

    at: datetime
    coverage: Coverage
    told_hours: Mapping[UUID, frozenset[int]] = field(default_factory=dict)
    """By cluster, the hours that every node of it told."""
    new: Sequence[NewPair] = ()
    new_more: int = 0
    quiet: Sequence[QuietPair] = ()
    quiet_more: int = 0
    lopsided: Sequence[LopsidedClusters] = ()
    hours: Sequence[PairHours] = ()
    hours_more: int = 0
    workloads: Mapping[tuple[UUID, str, str, str], Workload] = field(default_factory=dict)
    """Of the ends of quiet pairs: by cluster, namespace, kind and name."""


def telling(pair: NewPair | QuietPair) -> list[UUID]:
    """The clusters that reported what passed between the two."""
    sides = [(EdgeSide.CLIENT, pair.src.registration_id), (EdgeSide.SERVER, pair.dst.registration_id)]
    return [cluster for side, cluster in sides if side in pair.reported_by and cluster is not None]


def is_silent(pair: QuietPair, coverage: Coverage) -> bool:
    """Whether all who would tell of it told of later times, and every node of theirs still does."""
    told = {each.registration_id: each for each in coverage.clusters}
    tellers = [told[each] for each in telling(pair) if each in told]
    until = max((each.told_until or 0 for each in tellers), default=0)
    is_known = len(tellers) == len(telling(pair)) and all(each.is_whole for each in tellers)
    return is_known and until - pair.last_seen.timestamp() > QUIET_S
