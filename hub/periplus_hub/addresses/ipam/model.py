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
class LeakingPool:
    """A pool with leaked addresses, or of which that is not known any more, by days back from its last sample.

    Of a day it is the fewest that were leaked at any hour that counts: what comes and goes is no leak.
    """

    registration_id: UUID
    provider: str
    name: str
    family: int
    scope: str
    capacity: int | None
    is_told: bool
    """Whether its last sample says how many are leaked."""
    hours: int
    """Of the last day, of how many it is known."""
    fewest: int | None
    """In the last day."""
    fewest_before: int | None
    """In that of the days before in which they were the most."""
    fewest_first: int | None
    """In the first of them."""
    days: int | None
    """How many days before the last one the first is."""

    @property
    def key(self) -> str:
        """Its own, whatever its name is."""
        return f"{self.registration_id}/{self.family}/{self.provider}/{self.name}"

    @property
    def growth(self) -> int | None:
        """How many more there are than in the first day; 0 where some day before had as many. None for unknown."""
        if not self.is_told or self.hours < _HOURS_OF_A_DAY or self.fewest is None or self.fewest_before is None:
            return None
        return self.fewest - (self.fewest_first or 0) if self.fewest > self.fewest_before else 0


_HOURS_OF_A_DAY: Final = 12
"""In fewer, nothing may have come and gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakingPools:
    """Those that grow most first; of the others only the number is known."""

    pools: Sequence[LeakingPool]
    unlisted: int = 0


MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCheck:
    """How what an allocator tells of one cluster agrees with itself and with the pods; names are the first of them."""

    blocks_outside: tuple[str, ...] = ()
    """Claims that lie in no pool of their allocator: CIDRs."""
    pods_outside: int = 0
    """Pods with an address that lies in no range of the cluster."""
    networks_outside: tuple[str, ...] = ()
    """Around their addresses."""
    namespaces_outside: tuple[str, ...] = ()
    short_pools: tuple[str, ...] = ()
    """Pools of whose addresses pods have more than the allocator says are in use."""


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
