"""Which rows of clusters lie in or around some ranges. Pure.

Ranges that people enter are few beside what clusters use: each is looked up in the sorted rows.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.overlaps.engine.uses import USES
from periplus_hub.addresses.prefixes.prefix import ADDRESS_BITS, FAMILY_BITS, IPV4, IPV6, Prefix
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes, subtree_ends, subtree_starts

Positions = npt.NDArray[np.int64]
Chosen = npt.NDArray[np.bool_]
Family = tuple[int, FamilyPrefixes]
"""Where the rows of a family start among all, and their prefixes in order, parents first."""


class Touching(NamedTuple):
    """Distinct triples, in columns: a range's position, an owner, and what it uses there (a position in USES)."""

    range: Positions
    owner: Positions
    use: Positions

    def take(self, chosen: Chosen) -> "Touching":
        """Some of them."""
        return Touching(self.range[chosen], self.owner[chosen], self.use[chosen])


_SINGLE: Final = {IPV4: 64, IPV6: ADDRESS_BITS}
"""A length at which nothing but one address is meant, and IPv4 still needs one half only."""
_NONE: Final = np.zeros(0, dtype=np.int64)


def touching(
    families: Sequence[Family], owner: Positions, use: npt.NDArray[np.uint8], ranges: Sequence[Prefix]
) -> Touching:
    """The families are those of FAMILY_BITS, in order."""
    found: dict[Prefix, Positions] = {}
    for family, (start, keys) in zip(FAMILY_BITS, families, strict=True):
        asked = sorted({each for each in ranges if each.family == family})
        for prefix, rows in _rows_of(keys, asked):
            at = start + rows
            found[prefix] = np.unique(owner[at] * len(USES) + use[at])
    pairs = [found[each] for each in ranges]
    codes = np.concatenate([_NONE, *pairs])
    number = np.repeat(np.arange(len(ranges), dtype=np.int64), [len(each) for each in pairs])
    return Touching(number, codes // len(USES), codes % len(USES))


def _rows_of(keys: FamilyPrefixes, asked: Sequence[Prefix]) -> Iterator[tuple[Prefix, Positions]]:
    """Rows of one family that touch each range."""
    if not asked:
        return
    own = FamilyPrefixes.of_prefixes(asked)
    starts, ends = subtree_starts(keys, own), subtree_ends(keys, own)
    wider = _wider(keys, asked)
    for number, prefix in enumerate(asked):
        inside = np.arange(int(starts[number]), int(ends[number]))
        yield prefix, np.union1d(inside, wider[number])


def _wider(keys: FamilyPrefixes, asked: Sequence[Prefix]) -> list[Positions]:
    """Rows that are wider than each range and around it, length by length of those that there are."""
    found: list[list[Positions]] = [[] for _ in asked]
    for length in np.unique(keys.length).tolist():
        inner = [number for number, each in enumerate(asked) if each.length > length]
        first = FamilyPrefixes.of_prefixes([_cut(asked[number], length) for number in inner])
        single = first._replace(length=np.full(len(inner), _SINGLE[asked[0].family], dtype=np.uint8))
        # Rows that start at one address follow each other, the widest first.
        starts, ends = subtree_starts(keys, first), subtree_ends(keys, single)
        for number, start, end in zip(inner, starts.tolist(), ends.tolist(), strict=True):
            low, high = np.searchsorted(keys.length[start:end], [length, length + 1])
            found[number].append(np.arange(start + int(low), start + int(high)))
    return [np.concatenate([_NONE, *each]) for each in found]


def _cut(prefix: Prefix, length: int) -> Prefix:
    return Prefix(prefix.family, prefix.value >> (ADDRESS_BITS - length) << (ADDRESS_BITS - length), length)
