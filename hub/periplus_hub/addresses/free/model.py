"""Proposals and reservations of free ranges as values. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from periplus_hub.addresses.ipam.model import AllocationKind

MAX_RESERVATION: Final = timedelta(days=731)
"""What nobody built within two years is no plan any more."""
MAX_CLUSTERS: Final = 500
"""Of one plan."""
MAX_COUNT: Final = 10_000_000
"""Of the nodes, pods or services of one cluster."""
MAX_GROWTH: Final = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeReservation:
    """A range that somebody means to use: taken until `expires_at`, or until it was released.

    `cluster_name` is a text: the cluster need not be there yet.
    """

    id: UUID
    cidr: str
    kind: AllocationKind
    cluster_name: str
    reason: str
    reserved_by: str
    created_at: datetime
    expires_at: datetime
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeProposal:
    """A free range for one use of a cluster; `cidr` None when there is none, and `why` says of what size or why.

    `reservation_id` is the cluster's own reservation, where that is what is proposed.
    """

    cluster_name: str
    registration_id: UUID | None
    """None for a cluster that is not there yet."""
    kind: AllocationKind
    family: int
    cidr: str | None
    why: str
    reservation_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAsk:
    """Whom to plan for, and what they are said to get; None is what the cluster has."""

    clusters: tuple[UUID, ...] = ()
    new_clusters: tuple[str, ...] = ()
    nodes: int | None = None
    pods: int | None = None
    services: int | None = None
    growth: Decimal = Decimal(2)
    kinds: tuple[AllocationKind, ...] = ()
    """Empty is all that ranges are proposed for."""
    domain_id: UUID | None = None
    """Where the clusters will be that are not there yet."""
