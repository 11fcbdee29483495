"""Calico's objects of address management, as small as they can be kept.

An IPAMBlock says of each of its addresses who has it; thousands of blocks come to hundreds of megabytes of that. A
block is reduced the moment it is decoded, to a few bits for each address and one text of all who have one.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.objects import Kept
from periplus_spoke.conversion.packed import packed, packed_line, unpacked

_NEVER: Final = frozenset(("", "Never"))
_HOST: Final = "host:"
_FOR_WINDOWS: Final = "windows-reserved-ipam-handle"
_TUNNEL: Final = "TunnelAddress"
_SECOND: Final = len("2026-03-01 10:00:00")
_SAME: Final = "="
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


class _Owner(Kept):
    """Who has an address: a pod, or a node for one of its tunnels."""

    pod: str | None = None
    namespace: str | None = None
    node: str | None = None
    type: str | None = None
    timestamp: str | None = None
    vmi: str | None = field(name="vmi-name", default=None)


class _Attribute(Kept):
    """Why an address is not free."""

    handle: str | None = field(name="handle_id", default=None)
    secondary: _Owner | None = None
    released_at: str | None = None


class Holder(NamedTuple):
    """Who has one address of a block."""

    ordinal: int
    pod: str
    """`namespace/name`; empty where it is the node itself."""
    node: str
    since: str
    """ISO 8601 in UTC without a zone; empty for long ago."""


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
    withheld: int = 0
    """Of the taken, the ones that nobody can have: Windows needs the ends of a block."""
    lent: int = 0
    """Of the taken, the ones that are in use on another node than the block's."""
    held_by: str = ""
    """All `holders`, packed."""

    def __post_init__(self) -> None:
        self.size = -1 if self.allocations is None else len(self.allocations)
        self.free = -1 if self.unallocated is None else len(self.unallocated)
        self.taken = self.cooling = self.withheld = self.lent = 0
        attributes, lines, node = self.attributes or [], list[str](), self.node
        for ordinal, index in enumerate(self.allocations or ()):
            if index is not None:
                self.taken |= 1 << ordinal
                if 0 <= index < len(attributes):
                    self._take(ordinal, attributes[index], node, lines)
        self.held_by = packed(lines)
        self.allocations = self.unallocated = self.attributes = None

    def _take(self, ordinal: int, attribute: _Attribute, node: str, lines: list[str]) -> None:
        owner = attribute.secondary
        if attribute.released_at:
            self.cooling |= 1 << ordinal
        elif (attribute.handle or "").lower() == _FOR_WINDOWS:
            self.withheld |= 1 << ordinal
        elif owner:
            is_own = (owner.node or "") == node
            if node and owner.node and not is_own:
                self.lent |= 1 << ordinal
            lines.append(_line(ordinal, owner, _SAME if is_own else owner.node or ""))

    def holders(self) -> Iterator[Holder]:
        """Pods and nodes that have an address; no virtual machines, which keep theirs while they have no pod."""
        own = self.node
        for ordinal, pod, node, since in unpacked(self.held_by):
            yield Holder(int(ordinal), pod, own if node == _SAME else node, since)

    @property
    def node(self) -> str:
        """The node that it belongs to; empty for a block of load balancers, and for one that lost its node."""
        return (self.affinity or "").removeprefix(_HOST) if (self.affinity or "").startswith(_HOST) else ""


def _line(ordinal: int, owner: _Owner, node: str) -> str:
    """Nothing where there is nobody to look for."""
    is_pod = bool(owner.pod and owner.namespace and not owner.vmi)
    if not is_pod and not (owner.node and (owner.type or "").endswith(_TUNNEL)):
        return ""
    pod = f"{owner.namespace}/{owner.pod}" if is_pod else ""
    return packed_line(str(ordinal), pod, node, (owner.timestamp or "")[:_SECOND].replace(" ", "T"))


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


class IPAMConfigSpec(Kept):
    """Of Calico's settings of address management."""

    strict_affinity: bool | None = None


class IPAMConfig(Kept):
    """The settings; the kind has another name in each API group."""

    spec: IPAMConfigSpec = field(default_factory=IPAMConfigSpec)


class BGPPeer(Kept):
    """A router that is told the routes to pods; that there is one is all that matters."""


def is_set(flag: Flag) -> bool:
    """Whether it is true, however it is written."""
    return flag is True or (isinstance(flag, str) and flag.lower() == "true")
