"""Allocations and pools as values, and the small rules about them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID


class AllocationKind(StrEnum):
    """What a CIDR is used for."""

    POD = "pod"
    NODE = "node"
    SERVICE = "service"
    LOADBALANCER = "loadbalancer"
    EXTERNAL = "external"
    RESERVED = "reserved"
    PLANNED = "planned"
    ENTERED = "entered"
    """No cluster's: a range that people entered in a network domain."""


class Quality(StrEnum):
    """How it is known. What a later spoke may say is UNKNOWN."""

    EXACT = "exact"
    DERIVED = "derived"
    NOMINAL = "nominal"
    SEEN = "seen"
    UNKNOWN = "unknown"


class Reach(StrEnum):
    """Whether addresses are reached from outside their cluster as they are, or leave it behind its nodes' addresses."""

    ROUTED = "routed"
    MASQUERADED = "masqueraded"
    UNKNOWN = "unknown"


class PoolScope(StrEnum):
    """What a pool hands addresses out for. What a later spoke may say is UNKNOWN."""

    CLUSTER = "cluster"
    NODE = "node"
    NAMESPACE = "namespace"
    LB = "lb"
    SERVICE = "service"
    EXTERNAL = "external"
    UNKNOWN = "unknown"


class PoolFill(StrEnum):
    """How much of a pool is taken."""

    AMPLE = "ample"
    NEAR_EXHAUSTION = "near-exhaustion"
    """`NEARLY_ALL_PPM` and more."""
    UNKNOWN = "unknown"


class PoolLimit(StrEnum):
    """What there is nothing of first."""

    ADDRESSES = "addresses"
    BLOCKS = "blocks"
    """Nothing free is as large as the blocks that nodes take."""
    PODS = "pods"
    """A node takes no more pods."""
    UNKNOWN = "unknown"


class PoolUseBy(StrEnum):
    """Whose use of addresses is told."""

    NODE = "node"
    NAMESPACE = "namespace"
    TEAM = "team"


FULL_PPM: Final = 1_000_000
NEARLY_ALL_PPM: Final = 900_000
SOON_HOURS: Final = 7 * 24
"""A pool that is full sooner, at its own speed, wants looking at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortPool:
    """A pool that wants looking at."""

    registration_id: UUID
    provider: str
    name: str
    family: int
    scope: str
    taken_ppm: int | None
    limited_by: PoolLimit
    capacity: str | None
    is_contradictory: bool
    hours_left: int | None = None
    """Until nothing is free, as fast as in the days before; None where it does not fill or that is unknown."""
    history_hours: int | None = None
    """How long ago the sample is that this rests on; None where there is none that is a day old or more."""

    @property
    def key(self) -> str:
        """Its own, whatever its name is."""
        return f"{self.registration_id}/{self.family}/{self.provider}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortPools:
    """The fullest of them; of the others only the number is known."""

    pools: Sequence[ShortPool]
    unlisted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFilter:
    """Conjunction of what is given; an empty tuple means any. What is unknown is not at least full."""

    registration_ids: tuple[UUID, ...] = ()
    scopes: tuple[PoolScope, ...] = ()
    providers: tuple[str, ...] = ()
    fills: tuple[PoolFill, ...] = ()
    least_taken_ppm: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationFilter:
    """Conjunction of what is given; an empty tuple means any. `within` keeps what lies inside or around this CIDR."""

    registration_ids: tuple[UUID, ...] = ()
    kinds: tuple[AllocationKind, ...] = ()
    family: int | None = None
    within: str | None = None
