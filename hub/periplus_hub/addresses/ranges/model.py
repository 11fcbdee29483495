"""Ranges that people enter: VPCs, offices, partners, clusters that are not built yet. Pure: time is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

MAX_LIFETIME: Final = timedelta(days=3_660)
"""Ten years: what is meant to stay longer has no end."""
MAX_NAME: Final = 100
MAX_OWNER: Final = 100
MAX_NOTE: Final = 1_000
WIDEST: Final = {4: 8, 6: 16}
"""As for what clusters report: no one organisation was ever given more."""


class RangeUse(StrEnum):
    """What a range is for."""

    VPC = "vpc"
    SUBNET = "subnet"
    OFFICE = "office"
    VPN = "vpn"
    ON_PREMISES = "on-premises"
    PARTNER = "partner"
    DOCKER = "docker"
    PLANNED_POD = "planned-pod"
    PLANNED_SERVICE = "planned-service"
    PLANNED_NODE = "planned-node"
    RESERVED = "reserved"
    OTHER = "other"


NETWORKS: Final = (RangeUse.VPC, RangeUse.ON_PREMISES)
"""Networks that clusters of the same network domain live in: their nodes, and pods that have addresses of it."""


class RangeSource(StrEnum):
    """How the hub came to know a range."""

    ENTERED = "entered"
    CSV = "csv"
    NETBOX = "netbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A range as somebody wants it; `cidr` as it is stored."""

    domain_id: UUID
    cidr: str
    use: RangeUse
    name: str = ""
    owner: str = ""
    note: str = ""
    expires_at: datetime | None = None

    @property
    def place(self) -> tuple[UUID, str]:
        """A network domain has a range once."""
        return self.domain_id, self.cidr


@dataclass(frozen=True, slots=True, kw_only=True)
class EnteredRange(Wish):
    """A range in force, or one that ended. `origin` is the address of the NetBox it is from, else empty."""

    id: UUID
    source: RangeSource
    origin: str
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    ended_at: datetime | None = None
    ended_by: str | None = None


@dataclass(frozen=True, slots=True)
class RangeFilter:
    """Which ranges to list; what is empty or None does not narrow."""

    domain_ids: tuple[UUID, ...] = ()
    uses: tuple[RangeUse, ...] = ()
    within: str | None = None
    ended: bool = False
    """Also those that ended."""
    at: datetime | None = None
    """Only those that counted at this time, whether they ended since or not."""
