"""What pre-flight judges, and its verdicts, as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.model import FederationTarget, NamedClusters

MAX_PLANNED: Final = 50
PLANNED_KINDS: Final = (AllocationKind.POD, AllocationKind.SERVICE, AllocationKind.NODE)
"""What may be said of a cluster that is not built yet."""


class Verdict(StrEnum):
    """What may be said of a rule, a way of joining, or all of them; the worst first."""

    FAIL = "fail"
    UNKNOWN = "unknown"
    """Not all that the rule needs is known, and nothing that is known breaks it."""
    PASS = "pass"  # noqa: S105 - a verdict


VERDICTS: Final = tuple(Verdict)
"""Worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCluster:
    """A cluster that is not built yet. Of kinds that are not given, nothing is known."""

    name: str
    cidrs: Mapping[AllocationKind, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Using:
    """A cluster with what it uses of a range that is in the way."""

    cluster: str
    kinds: tuple[AllocationKind, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeInTheWay:
    """An outermost range in which clusters collide; `using` has the first of its `clusters`, by name."""

    cidr: str
    clusters: int
    using: tuple[Using, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """One rule of one way. `because` says in sentences what breaks it, `lacks` what is not known and how to know it."""

    id: str
    asks: str
    verdict: Verdict
    source: str
    because: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    ranges: tuple[RangeInTheWay, ...] = ()
    range_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WayResult:
    """One way of joining the clusters. `ways_out` are sentences, what costs least first; none where it passes."""

    target: FederationTarget
    verdict: Verdict
    rules: tuple[RuleResult, ...]
    ways_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The verdict on all clusters asked about, as of one moment."""

    clusters: NamedClusters
    not_known_whole: NamedClusters
    ways: tuple[WayResult, ...]


def worst_verdict(verdicts: "list[Verdict]") -> Verdict:
    """A failure outweighs what is not known, which outweighs the rest; nothing asked is nothing broken."""
    return min(verdicts, key=VERDICTS.index, default=Verdict.PASS)
