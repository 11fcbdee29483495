"""What an allocation is, as the rules of overlaps see it: its kind, with what else decides whom it is in the way of.

A use is a kind with traits:

| trait | of | means |
|--|--|--|
| routed, masqueraded, neither | pod, service | whether it is reached from outside its cluster; neither is unknown |
| masqueraded | node | nobody outside its cluster reaches it by this address; nobody knows that before it is said |
| seen | pod | addresses in use and no range, so nothing that may still be handed out |
| shared | pod, node | two nodes of one cluster hold the same, or one what lies in the other's |
| managed | service | the provider gives this range to every cluster |
| pool | loadbalancer | what a controller may hand out, not an address that it did |
| network, subnet | entered | people said that clusters of its network domain live in it |

Pure. Rows of one cluster in columns; nobody's rows are looked at one by one but those of nodes that share.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.ipam.model import AllocationKind, Reach
from periplus_hub.addresses.prefixes.columns import PrefixColumns
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, Prefix, parse
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes, subtree_ends
from periplus_hub.addresses.ranges.model import NETWORKS, RangeUse

KINDS: Final = tuple(AllocationKind)
REACHES: Final = (Reach.UNKNOWN, Reach.ROUTED, Reach.MASQUERADED)
"""Positions are what `Traits.reach` holds."""
_NAME: Final = "/"
_TWO: Final = 2
_HALF: Final = 64


class Use(StrEnum):
    """A kind and its traits, divided by a slash."""

    POD = "pod"
    POD_ROUTED = "pod/routed"
    POD_MASQUERADED = "pod/masqueraded"
    POD_SHARED = "pod/shared"
    POD_SHARED_ROUTED = "pod/shared-routed"
    POD_SHARED_MASQUERADED = "pod/shared-masqueraded"
    POD_SEEN = "pod/seen"
    POD_SEEN_ROUTED = "pod/seen-routed"
    POD_SEEN_MASQUERADED = "pod/seen-masqueraded"
    NODE = "node"
    NODE_MASQUERADED = "node/masqueraded"
    NODE_SHARED = "node/shared"
    NODE_SHARED_MASQUERADED = "node/shared-masqueraded"
    SERVICE = "service"
    SERVICE_ROUTED = "service/routed"
    SERVICE_MANAGED = "service/managed"
    LOADBALANCER = "loadbalancer"
    LOADBALANCER_POOL = "loadbalancer/pool"
    EXTERNAL = "external"
    RESERVED = "reserved"
    PLANNED = "planned"
    ENTERED = "entered"
    ENTERED_NETWORK = "entered/network"
    ENTERED_SUBNET = "entered/subnet"


USES: Final = tuple(Use)
USE_BITS: Final = 5
USE_MASK: Final = (1 << USE_BITS) - 1

KIND_OF: Final[Mapping[Use, AllocationKind]] = MappingProxyType(
    {use: AllocationKind(use.value.partition(_NAME)[0]) for use in USES}
)
SHARED: Final = frozenset(
    {Use.POD_SHARED, Use.POD_SHARED_ROUTED, Use.POD_SHARED_MASQUERADED, Use.NODE_SHARED, Use.NODE_SHARED_MASQUERADED}
)
"""Two nodes of one cluster hold it."""
PODS: Final = frozenset(use for use in USES if KIND_OF[use] is AllocationKind.POD)
PODS_SEEN: Final = frozenset({Use.POD_SEEN, Use.POD_SEEN_ROUTED, Use.POD_SEEN_MASQUERADED})
PODS_HIDDEN: Final = frozenset({Use.POD_MASQUERADED, Use.POD_SHARED_MASQUERADED, Use.POD_SEEN_MASQUERADED})
"""Nobody outside their cluster sees these pods' addresses."""
PODS_OF_UNKNOWN_REACH: Final = frozenset({Use.POD, Use.POD_SHARED, Use.POD_SEEN})
NODES: Final = frozenset(use for use in USES if KIND_OF[use] is AllocationKind.NODE)
NODES_HIDDEN: Final = frozenset({Use.NODE_MASQUERADED, Use.NODE_SHARED_MASQUERADED})
"""Nobody outside their cluster reaches these nodes by their addresses."""
SERVICES: Final = frozenset(use for use in USES if KIND_OF[use] is AllocationKind.SERVICE)
ENTERED: Final = frozenset({Use.ENTERED, Use.ENTERED_NETWORK, Use.ENTERED_SUBNET})
"""No cluster's: ranges that people entered."""
USE_OF_RANGE: Final[Mapping[RangeUse, Use]] = MappingProxyType(
    {
        **dict.fromkeys(NETWORKS, Use.ENTERED_NETWORK),
        RangeUse.SUBNET: Use.ENTERED_SUBNET,
        RangeUse.PLANNED_POD: Use.PLANNED,
        RangeUse.PLANNED_SERVICE: Use.PLANNED,
        RangeUse.PLANNED_NODE: Use.PLANNED,
        RangeUse.RESERVED: Use.RESERVED,
        **dict.fromkeys(
            (RangeUse.OFFICE, RangeUse.VPN, RangeUse.PARTNER, RangeUse.DOCKER, RangeUse.OTHER), Use.ENTERED
        ),
    }
)
MANAGED_RANGES: Final = (parse("34.118.224.0/20"),)
"""GKE's own range for services, of every cluster made with its defaults since 1.29."""

_PLAIN: Final = {
    (AllocationKind.POD, False): (Use.POD, Use.POD_ROUTED, Use.POD_MASQUERADED),
    (AllocationKind.POD, True): (Use.POD_SEEN, Use.POD_SEEN_ROUTED, Use.POD_SEEN_MASQUERADED),
    (AllocationKind.NODE, False): (Use.NODE, Use.NODE, Use.NODE_MASQUERADED),
    (AllocationKind.NODE, True): (Use.NODE, Use.NODE, Use.NODE_MASQUERADED),
    # Nobody reaches a ClusterIP from outside unless it is routed, so masqueraded and unknown are the same for a
    # service.
    (AllocationKind.SERVICE, False): (Use.SERVICE, Use.SERVICE_ROUTED, Use.SERVICE),
    (AllocationKind.SERVICE, True): (Use.SERVICE, Use.SERVICE_ROUTED, Use.SERVICE),
    (AllocationKind.LOADBALANCER, False): (Use.LOADBALANCER_POOL,) * len(REACHES),
}
"""By kind and whether it is only seen, for each reach; what is not named is its kind."""
_SHARED_OF: Final = {
    Use.POD: Use.POD_SHARED,
    Use.POD_ROUTED: Use.POD_SHARED_ROUTED,
    Use.POD_MASQUERADED: Use.POD_SHARED_MASQUERADED,
    Use.NODE: Use.NODE_SHARED,
    Use.NODE_MASQUERADED: Use.NODE_SHARED_MASQUERADED,
}


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of the rows of one cluster beside their prefixes."""

    kind: npt.NDArray[np.uint8]
    """Positions in KINDS."""
    seen: npt.NDArray[np.bool_]
    reach: npt.NDArray[np.uint8]
    """Positions in REACHES."""
    node: npt.NDArray[np.int64]
    """A number for the node that holds it; 0 for none."""


def kinds_of(uses: Iterable[Use]) -> tuple[AllocationKind, ...]:
    """The kinds there are among uses, each once."""
    found = {KIND_OF[use] for use in uses}
    return tuple(kind for kind in KINDS if kind in found)


def uses_of_bits(bits: int) -> tuple[Use, ...]:
    """The uses whose bits are set: bit i stands for USES[i]."""
    return tuple(use for number, use in enumerate(USES) if bits >> number & 1)


def _plain() -> npt.NDArray[np.uint8]:
    found = np.zeros((len(KINDS), 2, len(REACHES)), dtype=np.uint8)
    for number, kind in enumerate(KINDS):
        for seen in (False, True):
            uses = _PLAIN.get((kind, seen), (Use(kind.value),) * len(REACHES))
            found[number, int(seen)] = [USES.index(use) for use in uses]
    return found


def _shared() -> npt.NDArray[np.uint8]:
    return np.array([USES.index(_SHARED_OF.get(use, use)) for use in USES], dtype=np.uint8)


_PLAIN_TABLE: Final = _plain()
_SHARED_TABLE: Final = _shared()


def uses_of_rows(prefixes: PrefixColumns, traits: Traits) -> npt.NDArray[np.uint8]:
    """Positions in USES, row by row; all rows are one cluster's."""
    uses = _PLAIN_TABLE[traits.kind, traits.seen.astype(np.uint8), traits.reach]
    for managed in MANAGED_RANGES:
        inside = (uses == USES.index(Use.SERVICE)) & _inside(prefixes, managed)
        uses[inside] = USES.index(Use.SERVICE_MANAGED)
    can_be_shared = (traits.node != 0) & (_SHARED_TABLE[uses] != uses)
    for kind in (AllocationKind.POD, AllocationKind.NODE):
        for family in FAMILY_BITS:
            of_both = can_be_shared & (traits.kind == KINDS.index(kind)) & (prefixes.family == family)
            rows = np.flatnonzero(of_both)
            if len(rows) < _TWO:
                continue
            # Pods and nodes apart: a node's address inside the pod range is a fault of its own, and not held twice.
            shared = rows[_held_twice(prefixes.take(rows), traits.node[rows])]
            uses[shared] = _SHARED_TABLE[uses[shared]]
    return uses


def _inside(prefixes: PrefixColumns, around: Prefix) -> npt.NDArray[np.bool_]:
    """Which lie in a range of at most 64 bits."""
    high, length = np.uint64(around.value >> 64), np.uint64(64 - around.length)
    same: npt.NDArray[np.bool_] = (prefixes.high >> length) == (high >> length)
    same &= (prefixes.family == around.family) & (prefixes.length >= around.length)
    return same


def _held_twice(prefixes: PrefixColumns, node: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Which rows of one family overlap one of another node."""
    order = np.lexsort((node, prefixes.length, prefixes.low, prefixes.high))
    sorted_rows = FamilyPrefixes(prefixes.high[order], prefixes.low[order], prefixes.length[order])
    if not _any_in_another(sorted_rows):
        return order[:0]
    ends, holder = subtree_ends(sorted_rows, sorted_rows), node[order]
    positions = np.arange(len(order))
    is_top = np.ones(len(order), dtype=np.bool_)
    is_top[1:] = positions[1:] >= np.maximum.accumulate(ends)[:-1]
    tops = np.flatnonzero(is_top)
    # A tree held by one node alone has no row that counts, and nearly all are: only the others are walked.
    mixed = np.minimum.reduceat(holder, tops) != np.maximum.reduceat(holder, tops)
    found: set[int] = set()
    for top in tops[mixed].tolist():
        found |= _overlapping(range(top, int(ends[top])), ends, holder)
    return order[sorted(found)]


def _any_in_another(rows: FamilyPrefixes) -> bool:
    """Of rows in order: what has another in it has the next one in it."""
    length = rows.length[:-1].astype(np.int64)
    beyond = np.clip(_HALF - length, 0, _HALF - 1).astype(np.uint64)
    same = (rows.high[:-1] ^ rows.high[1:]) >> beyond == 0
    beyond = np.clip(2 * _HALF - length, 0, _HALF - 1).astype(np.uint64)
    same &= (length <= _HALF) | ((rows.low[:-1] ^ rows.low[1:]) >> beyond == 0)
    return bool(same.any())


def _overlapping(tree: range, ends: npt.NDArray[np.int64], holder: npt.NDArray[np.int64]) -> set[int]:
    """Of a tree in order, those that are in or around one of another node. Trees of several nodes are faults: few.

    Where two nodes are around, whatever lies further in is in one of another node's, whoever holds it.
    """
    around: list[int] = []
    found: set[int] = set()
    two_around_until = tree.start
    for at in tree:
        if at < two_around_until:
            found.add(at)
            continue
        while around and ends[around[-1]] <= at:
            around.pop()
        if any(holder[outer] != holder[at] for outer in around):
            found.update(around, [at])
            two_around_until = int(ends[at])
        else:
            around.append(at)
    return found
