"""Why an address is resolved as it is, as values. Pure."""

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from periplus_hub.flows.model import FlowEnd


class RankOutcome(Enum):
    """What became of one lookup."""

    DECIDED = "decided"
    AMBIGUOUS = "ambiguous"
    OUTRANKED = "outranked"
    NOBODY = "nobody"
    NOT_CONNECTED = "not_connected"
    NOT_PUBLIC = "not_public"


class HolderReason(Enum):
    """Why what has an address is the answer, or is not."""

    DECIDED = "decided"
    OUTRANKED = "outranked"
    OTHER_TIME = "other_time"
    OTHER_CLUSTER = "other_cluster"
    BEHIND_NAT = "behind_nat"
    NOT_CONNECTED = "not_connected"
    NOT_MEMBER = "not_member"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSaid:
    """One lookup, in the order in which they are tried."""

    rule: str
    outcome: RankOutcome
    owners: tuple[FlowEnd, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Something that had the address in the hour, and what that means where somebody stands."""

    end: FlowEnd
    layer: str
    """pod, internalip or externalip of a node, clusterip, or published."""
    since_us: int
    until_us: int | None
    rule: str | None
    """The first lookup that sees it; None where none does."""
    reason: HolderReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressView:
    """Whose an address is, from where somebody stands."""

    viewer: UUID | None
    """None is any cluster of the domain that does not have the address itself."""
    domain_id: UUID
    owner: FlowEnd
    rule: str
    candidates: tuple[FlowEnd, ...]
    ranks: tuple[RankSaid, ...]
    holders: tuple[Holder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressExplanation:
    """Of one minute."""

    at_s: int
    views: tuple[AddressView, ...]
