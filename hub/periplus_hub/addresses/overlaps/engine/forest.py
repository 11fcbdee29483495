"""From unsorted columns to a counted forest, vectorised: the full rebuild of the overlap register.

Pure numpy; one family at a time. The counting is in pair_counts.py.
"""

from dataclasses import dataclass
from itertools import repeat
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.overlaps.engine.pair_counts import Codes, PairCounts, Positions, count_pairs
from periplus_hub.addresses.overlaps.engine.severity import NO_OVERLAP, Relations
from periplus_hub.addresses.overlaps.engine.uses import USE_BITS
from periplus_hub.addresses.overlaps.model import SEVERITIES, Severity
from periplus_hub.addresses.prefixes.columns import U64
from periplus_hub.addresses.prefixes.prefix import IPV4, Prefix
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes, subtree_ends

_LENGTH_BITS: Final = 6
_CODE_BITS_V4: Final = 64 - 32 - _LENGTH_BITS
_OWNER_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class Forest:
    """Distinct prefixes in tree order with their entries, and the pairs each entry takes part in.

    `starts` has one entry more than there are prefixes; prefix i owns `codes[starts[i]:starts[i+1]]`; `ends[i]` is
    the number of the first prefix behind its subtree.
    """

    high: U64
    low: U64
    length: npt.NDArray[np.uint8]
    starts: Positions
    codes: Codes
    ends: Positions
    pair_counts: PairCounts


_NO_HALVES: Final = np.zeros(0, dtype=np.uint64)
EMPTY: Final = Forest(
    _NO_HALVES,
    _NO_HALVES,
    np.zeros(0, dtype=np.uint8),
    np.zeros(1, dtype=np.int64),
    np.zeros(0, dtype=np.int32),
    np.zeros(0, dtype=np.int64),
    np.zeros((0, NO_OVERLAP), dtype=np.int32),
)
"""Without a prefix."""


def build(  # noqa: PLR0917 - columns of one table
    high: U64, low: U64, length: npt.NDArray[np.uint8], codes: Codes, relations: Relations, family: int
) -> Forest:
    """Sort and count the entries of one family."""
    high, low, length, codes, fresh = _sorted(high, low, length, codes, family)
    first = np.flatnonzero(fresh)
    starts = np.append(first, len(codes)).astype(np.int64)
    high, low, length = high[first], low[first], length[first]
    prefixes = FamilyPrefixes(high, low, length)
    ends = subtree_ends(prefixes, prefixes)
    entry_ends = np.repeat(starts[ends], np.diff(starts))
    pair_counts = count_pairs(codes, entry_ends, relations)
    return Forest(high, low, length, starts, codes, ends, pair_counts)


def _sorted(
    high: U64, low: U64, length: npt.NDArray[np.uint8], codes: Codes, family: int
) -> tuple[U64, U64, npt.NDArray[np.uint8], Codes, npt.NDArray[np.bool_]]:
    """Columns in tree order, and where a new prefix starts."""
    if family == IPV4 and (not len(codes) or int(codes.max()) < 1 << _CODE_BITS_V4):
        return _sorted_v4(high, length, codes)
    order = np.lexsort((codes, length, low, high))
    high, low, length, codes = high[order], low[order], length[order], codes[order]
    fresh = _changes(high) | _changes(low) | _changes(length)
    return high, low, length, codes, fresh


def _sorted_v4(
    high: U64, length: npt.NDArray[np.uint8], codes: Codes
) -> tuple[U64, U64, npt.NDArray[np.uint8], Codes, npt.NDArray[np.bool_]]:
    """A whole IPv4 entry packs into 64 bits (address 32, length 6, code 26), so one sort of numbers does it.

    Length 32 fits six bits; a code of 26 bits is two million clusters.
    """
    packed = high | (length.astype(np.uint64) << np.uint64(_CODE_BITS_V4)) | codes.astype(np.uint64)
    packed.sort()
    prefix = packed >> np.uint64(_CODE_BITS_V4)
    out_codes = (packed & np.uint64((1 << _CODE_BITS_V4) - 1)).astype(np.int32)
    out_length = (prefix & np.uint64((1 << _LENGTH_BITS) - 1)).astype(np.uint8)
    out_high = packed >> np.uint64(32) << np.uint64(32)
    return out_high, np.zeros(len(packed), dtype=np.uint64), out_length, out_codes, _changes(prefix)


def _changes(column: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    changed = np.ones(len(column), dtype=np.bool_)
    changed[1:] = column[1:] != column[:-1]
    return changed


class GroupStats(NamedTuple):
    """A range where clusters meet, with everything inside it. `pairs` are per severity, worst first."""

    root: Prefix
    clusters: int
    members: int
    pairs: tuple[int, ...]
    severity: Severity


class Trees(NamedTuple):
    """The maximal prefixes (tops) with everything inside each.

    Entries of tree i are `[first[i], last[i])`; those at its top come first and end at `behind[i]`.
    """

    tops: Positions
    first: Positions
    behind: Positions
    last: Positions

    def take(self, chosen: Positions) -> "Trees":
        """Some of them."""
        return Trees(*(column[chosen] for column in self))


def trees(forest: Forest) -> Trees:
    """All trees, in order."""
    count = len(forest.length)
    is_top = np.ones(count, dtype=np.bool_)
    # A prefix lies in no other one where every subtree that began before it has ended.
    is_top[1:] = np.arange(1, count) >= np.maximum.accumulate(forest.ends)[:-1]
    tops = np.flatnonzero(is_top)
    return Trees(tops, forest.starts[tops], forest.starts[tops + 1], forest.starts[forest.ends[tops]])


def entries_of_others(codes: Codes, of: Trees) -> Positions:
    """The entries inside these trees whose owner has none at the top, in order."""
    of = of.take(np.flatnonzero(of.behind < of.last))
    inner, tops = runs(of.behind, of.last), runs(of.first, of.behind)
    owners = codes >> USE_BITS
    # Tree and owner in one number, so that one lookup answers for all trees.
    numbers = np.arange(len(of.tops)) * (int(owners.max(initial=0)) + 1)
    owned = np.repeat(numbers, of.behind - of.first) + owners[tops]
    asked = np.repeat(numbers, of.last - of.behind) + owners[inner]
    return inner[~np.isin(asked, owned)]


def forest_of(forest: Forest, rows: Positions, relations: Relations, family: int) -> Forest:
    """These entries alone, counted among each other."""
    of = np.searchsorted(forest.starts, rows, side="right") - 1
    return build(forest.high[of], forest.low[of], forest.length[of], forest.codes[rows], relations, family)


def groups_of(forest: Forest, family: int) -> list[GroupStats]:
    """The trees that have pairs, in order."""
    every = trees(forest)
    if not len(every.tops):
        return []
    sides = [
        np.add.reduceat(forest.pair_counts[:, severity], every.first, dtype=np.int64) for severity in range(NO_OVERLAP)
    ]
    pairs = np.stack(sides, axis=1) // 2  # each pair was counted at both of its sides
    hot = np.flatnonzero(pairs.any(axis=1))
    of, pairs = every.take(hot), pairs[hot]
    values = [
        high << 64 | low for high, low in zip(forest.high[of.tops].tolist(), forest.low[of.tops].tolist(), strict=True)
    ]
    prefixes = map(Prefix, repeat(family), values, forest.length[of.tops].tolist())
    clusters = _distinct_owners(forest.codes, of.first, of.last)
    severities = [SEVERITIES[code] for code in np.argmax(pairs > 0, axis=1).tolist()]
    sizes = (of.last - of.first).tolist()
    return list(map(GroupStats, prefixes, clusters, sizes, map(tuple, pairs.tolist()), severities))


def _distinct_owners(codes: Codes, first: Positions, last: Positions) -> list[int]:
    """How many owners each of the disjoint, ordered runs [first, last) of codes has."""
    sizes = last - first
    owned = np.repeat(np.arange(len(sizes)), sizes) << _OWNER_BITS | (codes[runs(first, last)] >> USE_BITS)
    owned.sort()
    distinct: list[int] = np.bincount(owned[_changes(owned)] >> _OWNER_BITS, minlength=len(sizes)).tolist()
    return distinct


def runs(first: Positions, last: Positions) -> Positions:
    """The positions of the runs [first, last), one run after the other."""
    sizes = last - first
    found: Positions = np.arange(int(sizes.sum())) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    return found
