"""Path classes, prices and billing legs, as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Final
from uuid import UUID

EVERYWHERE: Final = "*"
"""A region of a price that holds in all of them."""


class PathClass(Enum):
    """How a byte travelled, as bills see it."""

    SAME_NODE = "same-node"
    SAME_ZONE = "same-zone"
    CROSS_ZONE = "cross-zone"
    CROSS_REGION = "cross-region"
    SAME_REGION_PUBLIC = "same-region-public"
    INTERNET_EGRESS = "internet-egress"
    INTERNET_VIA_NAT = "internet-via-nat"
    TRANSIT_GATEWAY = "transit-gateway"
    PEERING = "peering"
    PRIVATE_LINK = "private-link"
    LOAD_BALANCER = "load-balancer"
    VPN = "vpn"
    INTER_CLOUD = "inter-cloud"
    UNKNOWN = "unknown"


class Via(Enum):
    """What traffic passes on its way, as people say or a source tells."""

    NAT = "nat"
    TRANSIT_GATEWAY = "transit-gateway"
    PEERING = "peering"
    PRIVATE_LINK = "private-link"
    LOAD_BALANCER = "load-balancer"
    VPN = "vpn"


class Where(Enum):
    """What kind of place an end of traffic is in."""

    CLUSTER = "cluster"
    INTERNET = "internet"
    UNKNOWN = "unknown"


class Meter(Enum):
    """Whose meter counts a byte: the end that sent it or got it, or that opened or accepted its connection."""

    SENDER = "sender"
    RECEIVER = "receiver"
    INITIATOR = "initiator"
    ACCEPTOR = "acceptor"


class Policy(Enum):
    """Who is to pay for a leg."""

    ENDPOINT_OWNER = "endpoint-owner"
    INITIATOR_PAYS = "initiator-pays"
    SENDER_PAYS = "sender-pays"


class TierMode(Enum):
    """At which price of a tiered one the bytes of a part of the month are."""

    AVERAGE = "average"
    """All bytes of the month have the same share of each tier."""
    MARGINAL = "marginal"
    """Bytes fill the tiers in the order of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an end is. An empty text is not known."""

    where: Where = Where.CLUSTER
    cluster: UUID | None = None
    provider: str = ""
    account: str = ""
    region: str = ""
    zone: str = ""
    """As the nodes of its cluster name it; of AWS a zone's name means another zone in another account."""
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What passes between two ends: `initiator` opened the connection. Both ways are of one path class."""

    initiator: Place
    acceptor: Place
    via: Via | None = None
    by_public_address: bool = False


@dataclass(frozen=True, slots=True)
class Tier:
    """A part of the quantity of a month, and what a unit of it costs. `quantity` None is all that is left."""

    quantity: Decimal | None
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A row of a price book: what is charged for a byte of some path classes at a meter."""

    sku: str
    provider: str
    path_classes: frozenset[PathClass]
    meter: Meter
    regions: frozenset[str]
    """Of the end whose meter it is; `*` is every region."""
    peers: frozenset[str]
    """Regions of the other end."""
    unit: str
    """As the price list writes it."""
    unit_bytes: int
    tiers: tuple[Tier, ...]
    """In order, the last without an end."""
    free_pool: str | None = None
    valid_from: date
    valid_until: date | None = None
    """The first day on which it does not hold."""
    source: str
    is_verified: bool
    book: str
    """The name and version of the book."""
    line: int
    """Where it stands in its file."""

    def is_valid(self, day: date) -> bool:
        """Whether it holds on this day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreePool:
    """A quantity a month that costs nothing, of all SKUs that name it together."""

    name: str
    quantity: Decimal
    unit_bytes: int
    scope: str
    """`payer` or `account`: among whom it is shared."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPrice:
    """What a resource costs for each hour that it is there, whatever passes."""

    sku: str
    provider: str
    resource: str
    """nat-gateway, transit-gateway-attachment, private-link-endpoint-zone, public-ipv4, load-balancer, vpn, ..."""
    regions: frozenset[str]
    price: Decimal
    valid_from: date
    valid_until: date | None = None
    source: str
    is_verified: bool
    book: str
    line: int

    def is_valid(self, day: date) -> bool:
        """Whether it holds on this day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """The prices of one file."""

    name: str
    provider: str
    version: str
    currency: str
    prices: tuple[Price, ...]
    fixed: tuple[FixedPrice, ...] = ()
    free_pools: Mapping[str, FreePool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LegRule:
    """One billing leg that a byte between two places causes."""

    is_sent_by_initiator: bool
    """Of which direction's bytes."""
    is_metered_at_initiator: bool
    price: Price


class CostGrouping(Enum):
    """What costs are added up by."""

    TEAM = "team"
    CLUSTER = "cluster"
    NAMESPACE = "namespace"
    WORKLOAD = "workload"
    CLUSTER_PAIR = "cluster-pair"
    SERVICE_PAIR = "service-pair"
    PATH_CLASS = "path-class"
    REGION_PAIR = "region-pair"


UNALLOCATED: Final = "unallocated"
"""Who pays is known, and no team is written there."""
AMBIGUOUS: Final = "ambiguous"
"""Several may be the one who pays."""
NOBODY_KNOWN: Final = "unknown"
"""Nobody is known whose it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """Bytes of one path class in one tier of a price: quantity times unit price is the cost, exactly."""

    path_class: PathClass
    price: Price
    tier: int
    """From 1 in the order of the price's tiers; 0 is what a free pool pays."""
    bytes: int
    quantity: Decimal
    unit_price: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpricedBytes:
    """Bytes whose cost is not known, of one path class, and why."""

    path_class: PathClass
    provider: str
    """The one whose books have no price; empty where the path class is not known."""
    why: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCosts:
    """What one group pays. Where bytes are unpriced, or part of them is not measured, it is at least so much."""

    key: tuple[str, ...]
    """Texts that name the group, as its grouping has them; a cluster by its id."""
    cost: Decimal
    lines: tuple[CostLine, ...]
    unpriced: tuple[UnpricedBytes, ...]
    is_part_unmeasured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """All groups, the dearest first; they add up to the total exactly."""

    total: Decimal
    currency: str
    groups: tuple[GroupCosts, ...]
    books: tuple[str, ...]
    """The names and versions of those that any line is priced by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlace:
    """What is known of where a cluster is."""

    provider: str = ""
    account: str = ""
    region: str = ""
    """Where all of its nodes are; empty where they are in several."""
