"""Where there is room: the lowest free, aligned range of every size. Pure.

What is used is rounded out to blocks of the smallest range that is ever proposed, so blocks and gaps fit 64 bits in
both families, and everything is a few passes over sorted columns.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np

from periplus_hub.addresses.free.model import FreeRange
from periplus_hub.addresses.prefixes.columns import U64
from periplus_hub.addresses.prefixes.prefix import IPV4, IPV6, Prefix, parse
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes

SPACES: Final = {
    IPV4: tuple(parse(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
    IPV6: (parse("fd00::/8"),),
}
"""RFC 1918, then RFC 6598; RFC 4193 for IPv6."""
_BLOCK: Final = {IPV4: 26, IPV6: 64}
"""Length of the blocks that what is used is rounded out to."""
_SMALLEST: Final = {IPV4: 26, IPV6: 112}
"""Ranges a person plans with; single addresses and small blocks follow from a pool."""
_HALF: Final = 64
_ONE: Final = np.uint64(1)

Size = tuple[int, int]
"""Family and prefix length."""
FreeRanges = Mapping[Size, Prefix | None]
"""The lowest free range of each size; None where the private space is full."""


def free_ranges(used: FamilyPrefixes, family: int) -> dict[Size, Prefix | None]:
    """Of every length from the largest space's to a block's; `used` are sorted, parents before children."""
    blocks = _blocks(used, _BLOCK[family])
    gaps = [_gaps(*blocks, space) for space in SPACES[family]]
    shortest = min(space.length for space in SPACES[family])
    return {(family, length): _first(gaps, length, family) for length in range(shortest, _BLOCK[family] + 1)}


def lowest_free(used: Callable[[int], FamilyPrefixes]) -> FreeRanges:
    """Of both families; `used` answers what is used of one, sorted, parents before children."""
    return {size: free for family in SPACES for size, free in free_ranges(used(family), family).items()}


def _blocks(used: FamilyPrefixes, block: int) -> tuple[U64, U64]:
    """First and last values (their high halves) of the runs of blocks that are in use."""
    hosts = (_ONE << (np.uint64(_HALF) - np.minimum(used.length, block).astype(np.uint64))) - _ONE
    starts, reach = used.high & ~hosts, np.maximum.accumulate(used.high | hosts)
    fresh = np.append(0, np.flatnonzero(starts[1:] > reach[:-1]) + 1)[: len(starts)]
    return starts[fresh], reach[np.append(fresh[1:], len(starts)) - 1] if len(starts) else reach


def _gaps(starts: U64, reach: U64, space: Prefix) -> tuple[U64, U64]:
    """Where nothing is used in a space: first values, and those behind the last."""
    first, last = np.uint64(space.value >> _HALF), np.uint64(space.last >> _HALF)
    near = (starts <= last) & (reach >= first)
    behind = np.append(first, np.clip(reach[near], first, last) + _ONE)
    before = np.append(np.clip(starts[near], first, last + _ONE), last + _ONE)
    free = before > behind
    return behind[free], before[free]


def _first(gaps: Iterable[tuple[U64, U64]], length: int, family: int) -> Prefix | None:
    size = _ONE << np.uint64(_HALF - length)
    for behind, before in gaps:
        aligned = (behind + (size - _ONE)) & ~(size - _ONE)
        fits = np.flatnonzero(aligned + size <= before)
        if len(fits):
            return Prefix(family, int(aligned[fits[0]]) << _HALF, length)
    return None


class FreeSpace:
    """Free ranges by size, as they were last computed; empty when they never were."""

    def __init__(self, ranges: FreeRanges) -> None:
        self._ranges = ranges

    def knows(self, root: Prefix) -> bool:
        """Whether a range of this size is worth proposing, and known."""
        return bool(self._ranges) and root.length <= _SMALLEST[root.family]

    def first(self, family: int, length: int) -> Prefix | None:
        """The lowest free range of this size; None when the private space has none. Smaller ones are cut of a block."""
        found = self._ranges.get((family, min(length, _BLOCK[family])))
        return None if found is None else found._replace(length=length)


def space_of(free: Prefix) -> Prefix:
    """The private space a free range is in."""
    return next(space for space in SPACES[free.family] if space.covers(free))


def suggestions(root: Prefix, space: FreeSpace) -> tuple[FreeRange, ...]:
    """The first free range of the same size in private space."""
    if not space.knows(root):
        return ()
    found = space.first(root.family, root.length)
    if found is None:
        return (FreeRange(cidr=None, within=", ".join(map(str, SPACES[root.family]))),)
    return (FreeRange(cidr=str(found), within=str(space_of(found))),)
