"""What pre-flight judges, and its verdicts, as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.model import FederationTarget, NamedClusters

MAX_PLANNED: Final = 50


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
    """A cluster that is not built yet. Of kinds that are not given, nothing is known but what is reserved for it."""

    name: str
    cidrs: Mapping[AllocationKind, tuple[str, ...]]
    domain_id: UUID | None = None
    """The network domain that it will be in; None where nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Using:
    """A cluster with what it uses of a range that is in the way."""

    cluster: str
    kinds: tuple[AllocationKind, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeOfPeople:
    """A range that people entered or reserved, in their words; `what` is its use, as in "vpc", "reserved for pods"."""

    cidr: str
    what: str
    name: str
    owner: str
    note: str
    network_domain: str
    """Its name; empty for a reservation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeInTheWay:
    """An outermost range in which clusters collide; `using` has the first of its `clusters`, by name.

    With `entered`, they collide with what people entered or reserved, and not with each other.
    """

    cidr: str
    clusters: int
    using: tuple[Using, ...]
    entered: tuple[RangeOfPeople, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """One rule of one way. `because` says in sentences what breaks it, `lacks` what is not known and how to know it.

    `trusts` says what people said that the verdict rests on.
    """

    id: str
    asks: str
    verdict: Verdict
    source: str
    because: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    trusts: tuple[str, ...] = ()
    ranges: tuple[RangeInTheWay, ...] = ()
    range_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A cluster that would have to change a range for a way to be open.

    `instead_of` are the ranges in the way that it has a part in. `cidr` is free for it, apart from those of all other
    moves; None where there is none, and `why` says why, or of what size.
    """

    cluster: str
    kind: AllocationKind
    cidr: str | None
    why: str
    instead_of: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayResult:
    """One way of joining the clusters. `ways_out` are sentences, what costs least first; none where it passes.

    `moves` are the first of `move_count`, the cheapest first.
    """

    target: FederationTarget
    verdict: Verdict
    rules: tuple[RuleResult, ...]
    ways_out: tuple[str, ...]
    moves: tuple[Move, ...]
    move_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The verdict on all clusters asked about, as of one moment; `not_looked_at` is in no verdict."""

    clusters: NamedClusters
    not_known_whole: NamedClusters
    not_looked_at: tuple[str, ...]
    ways: tuple[WayResult, ...]


def worst_verdict(verdicts: "list[Verdict]") -> Verdict:
    """A failure outweighs what is not known, which outweighs the rest; nothing asked is nothing broken."""
    return min(verdicts, key=VERDICTS.index, default=Verdict.PASS)
