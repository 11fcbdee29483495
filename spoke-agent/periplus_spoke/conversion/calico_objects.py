"""Calico's objects of address management, as small as they can be kept.

An IPAMBlock says of each of its addresses who has it; thousands of blocks come to hundreds of megabytes of that. A
block is reduced the moment it is decoded, to one bit for each address.
"""

from typing import Final

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.objects import Kept

_NEVER: Final = frozenset(("", "Never"))
_HOST: Final = "host:"
Flag = bool | str | None
"""A boolean that some versions write as text."""


class PoolSpec(Kept):
    """Of an IPPool."""

    cidr: str = ""
    disabled: bool | None = None
    nat_outgoing: bool | None = None
    ipip_mode: str | None = None
    vxlan_mode: str | None = None
    disable_bgp_export: bool | None = field(name="disableBGPExport", default=None)
    allowed_uses: list[str] | None = None

    @property
    def is_encapsulated(self) -> bool:
        """Whether packets between nodes travel inside others, always or between subnets."""
        return not {self.ipip_mode or "", self.vxlan_mode or ""} <= _NEVER


class IPPool(Named):
    """A range that Calico carves blocks out of."""

    spec: PoolSpec = field(default_factory=PoolSpec)


class _Attribute(Kept):
    """Who has an address."""

    released_at: str | None = None


class BlockSpec(Kept):
    """Of an IPAMBlock. The lists are gone once it is decoded."""

    cidr: str = ""
    affinity: str | None = None
    deleted: Flag = None
    allocations: list[int | None] | None = None
    unallocated: list[int] | None = None
    attributes: list[_Attribute] | None = None
    size: int = -1
    """How many addresses `allocations` speaks of; -1 where it is missing."""
    free: int = -1
    """How many addresses `unallocated` names; -1 where it is missing."""
    taken: int = 0
    """A bit for each address, the lowest for the first: set where it is not free."""
    cooling: int = 0
    """Of those, the ones that were released and wait before they are handed out again."""

    def __post_init__(self) -> None:
        self.size = -1 if self.allocations is None else len(self.allocations)
        self.free = -1 if self.unallocated is None else len(self.unallocated)
        self.taken = self.cooling = 0
        attributes = self.attributes or []
        for ordinal, index in enumerate(self.allocations or ()):
            if index is not None:
                self.taken |= 1 << ordinal
                if 0 <= index < len(attributes) and attributes[index].released_at:
                    self.cooling |= 1 << ordinal
        self.allocations = self.unallocated = self.attributes = None

    @property
    def node(self) -> str:
        """The node that it belongs to; empty for a block of load balancers, and for one that lost its node."""
        return (self.affinity or "").removeprefix(_HOST) if (self.affinity or "").startswith(_HOST) else ""


class IPAMBlock(Kept):
    """A few addresses that one node hands out to its pods."""

    spec: BlockSpec = field(default_factory=BlockSpec)


class AffinitySpec(Kept):
    """Of a BlockAffinity; `deleted` is a text in one API group and a boolean in the other."""

    cidr: str = ""
    node: str = ""
    type: str | None = None
    deleted: Flag = None


class BlockAffinity(Kept):
    """That a block belongs to a node."""

    spec: AffinitySpec = field(default_factory=AffinitySpec)


class ReservationSpec(Kept):
    """Of an IPReservation."""

    reserved_cidrs: list[str] | None = field(name="reservedCIDRs", default=None)


class IPReservation(Named):
    """Addresses that Calico does not hand out, except those that are already."""

    spec: ReservationSpec = field(default_factory=ReservationSpec)


class BGPPeer(Kept):
    """A router that is told the routes to pods; that there is one is all that matters."""


def is_set(flag: Flag) -> bool:
    """Whether it is true, however it is written."""
    return flag is True or (isinstance(flag, str) and flag.lower() == "true")
