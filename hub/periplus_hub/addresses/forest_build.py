"""From unsorted columns to a counted forest, vectorised: the full rebuild of the overlap register.

Entries are sorted by (first address, length, owner, kind). Then everything an entry overlaps and that sorts behind it
(equals behind it, and all strictly inside) is one contiguous run of positions `(p, end)`. So a pair is counted once,
at its outer entry, and every count is a difference of two ranks: no pair is ever looked at.

    pairs(e)           = end - p - 1
    pairs with class c = rank_c(end) - rank_c(p + 1)

Classes are owners, (domain, kind group) for relations whose severity depends on kinds, and domains for the others.
Pairs that no relation names have the default relation. Pure numpy; one family at a time.
"""

from dataclasses import dataclass
from itertools import repeat
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.model import SEVERITIES, AllocationKind, Relation, Severity
from periplus_hub.addresses.prefixes import IPV4, U64, Prefix
from periplus_hub.addresses.severity import (
    KIND_BITS,
    KIND_MASK,
    KINDS,
    NONE,
    OWN,
    TABLE,
    Counts,
    Relations,
    relation_code,
)

Positions = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]

_LENGTH_BITS: Final = 6
_CODE_BITS_V4: Final = 64 - 32 - _LENGTH_BITS
_DENSE_SHARE: Final = 16
"""Ranks come from a running count when more than 1/16 of all entries ask, else from a binary search."""
_RADIX_LABELS: Final = 1 << 16

KIND_GROUPS: Final = (
    tuple(k for k in KINDS if k in (AllocationKind.POD, AllocationKind.NODE)),
    tuple(k for k in KINDS if k in (AllocationKind.LOADBALANCER, AllocationKind.EXTERNAL)),
    (AllocationKind.SERVICE,),
    (AllocationKind.RESERVED, AllocationKind.PLANNED),
)
"""Kinds that every row of the severity table treats alike."""


def _group_of_kind() -> npt.NDArray[np.int8]:
    groups = np.zeros(KIND_MASK + 1, dtype=np.int8)
    for number, group in enumerate(KIND_GROUPS):
        for kind in group:
            groups[KINDS.index(kind)] = number
    return groups


_GROUP: Final = _group_of_kind()
_SERVICE_GROUP: Final = int(_GROUP[KINDS.index(AllocationKind.SERVICE)])
_FIRST_KIND: Final = np.array([KINDS.index(group[0]) for group in KIND_GROUPS])


@dataclass(frozen=True, slots=True)
class Forest:
    """Distinct prefixes in tree order with their entries, and what is counted at each.

    `starts` has one entry more than there are prefixes; prefix i owns `codes[starts[i]:starts[i+1]]`; `ends[i]` is
    the number of the first prefix behind its subtree; `down[i]` are the pairs of its entries among themselves and
    with everything strictly inside, per severity.
    """

    high: U64
    low: U64
    length: npt.NDArray[np.uint8]
    starts: Positions
    codes: Codes
    ends: Positions
    down: Counts


def build(  # noqa: PLR0917 - columns of one table
    high: U64, low: U64, length: npt.NDArray[np.uint8], codes: Codes, relations: Relations, family: int
) -> Forest:
    """Sort and count the entries of one family; equal (prefix, code) rows count once."""
    high, low, length, codes, fresh = _sorted(high, low, length, codes, family)
    first = np.flatnonzero(fresh)
    starts = np.append(first, len(codes)).astype(np.int64)
    high, low, length = high[first], low[first], length[first]
    ends = subtree_ends(high, low, length)
    entry_ends = np.repeat(starts[ends], np.diff(starts))
    counts = _Counter(codes, entry_ends, relations).count()
    down = np.zeros((len(first), NONE), dtype=np.int64)
    for severity, pairs in enumerate(counts if len(first) else ()):
        down[:, severity] = np.add.reduceat(pairs, first)
    return Forest(high, low, length, starts, codes, ends, down)


def _sorted(
    high: U64, low: U64, length: npt.NDArray[np.uint8], codes: Codes, family: int
) -> tuple[U64, U64, npt.NDArray[np.uint8], Codes, npt.NDArray[np.bool_]]:
    """Columns in tree order without repeated rows, and where a new prefix starts."""
    if family == IPV4 and (not len(codes) or int(codes.max()) < 1 << _CODE_BITS_V4):
        return _sorted_v4(high, length, codes)
    order = np.lexsort((codes, length, low, high))
    high, low, length, codes = high[order], low[order], length[order], codes[order]
    fresh = _changes(high) | _changes(low) | _changes(length)
    keep = fresh | _changes(codes)
    return high[keep], low[keep], length[keep], codes[keep], fresh[keep]


def _sorted_v4(
    high: U64, length: npt.NDArray[np.uint8], codes: Codes
) -> tuple[U64, U64, npt.NDArray[np.uint8], Codes, npt.NDArray[np.bool_]]:
    """A whole IPv4 entry packs into 64 bits (address 32, length 6, code 26), so one sort of numbers does it.

    Length 32 fits six bits; a code of 26 bits is 8 million clusters.
    """
    packed = high | (length.astype(np.uint64) << np.uint64(_CODE_BITS_V4)) | codes.astype(np.uint64)
    packed.sort()
    packed = packed[_changes(packed)]
    prefix = packed >> np.uint64(_CODE_BITS_V4)
    out_codes = (packed & np.uint64((1 << _CODE_BITS_V4) - 1)).astype(np.int32)
    out_length = (prefix & np.uint64((1 << _LENGTH_BITS) - 1)).astype(np.uint8)
    out_high = packed >> np.uint64(32) << np.uint64(32)
    return out_high, np.zeros(len(packed), dtype=np.uint64), out_length, out_codes, _changes(prefix)


def _changes(column: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    changed = np.ones(len(column), dtype=np.bool_)
    changed[1:] = column[1:] != column[:-1]
    return changed


def subtree_ends(high: U64, low: U64, length: npt.NDArray[np.uint8]) -> Positions:
    """For sorted distinct prefixes, the position behind each one's last descendant."""
    outer = np.minimum(length, 64).astype(np.uint64)
    high_hosts = np.where(outer == 0, np.uint64(2**64 - 1), _ones(np.uint64(64) - outer))
    inner = (np.maximum(length, 64) - 64).astype(np.uint64)
    low_hosts = _ones(np.uint64(64) - inner)
    if not low.any() and (not len(length) or int(length.max()) <= 64):  # noqa: PLR2004 (half the width)
        return np.searchsorted(high, high | high_hosts, side="right").astype(np.int64)
    return np.searchsorted(_texts(high, low), _texts(high | high_hosts, low | low_hosts), side="right").astype(np.int64)


def _ones(bits: U64) -> U64:
    """2^bits - 1; numpy shifts by the full width are undefined, so 64 is its own case."""
    full = bits == np.uint64(64)
    shifted = (np.uint64(1) << np.where(full, np.uint64(0), bits)) - np.uint64(1)
    return np.where(full, np.uint64(2**64 - 1), shifted)


def _texts(high: U64, low: U64) -> npt.NDArray[np.bytes_]:
    """Both halves as 16 bytes whose byte order is number order, because numpy has no 128-bit integer."""
    return np.stack((high, low), axis=1).astype(">u8").view("S16").reshape(-1)


class GroupStats(NamedTuple):
    """A maximal prefix with everything inside it. `pairs` are per severity, worst first."""

    root: Prefix
    clusters: int
    members: int
    pairs: tuple[int, ...]
    severity: Severity


def groups_of(forest: Forest, family: int) -> list[GroupStats]:
    """The roots that have pairs below them, in order."""
    count = len(forest.length)
    if not count:
        return []
    is_root = np.ones(count, dtype=np.bool_)
    is_root[1:] = np.arange(1, count) >= np.maximum.accumulate(forest.ends)[:-1]
    roots = np.flatnonzero(is_root)
    pairs = np.add.reduceat(forest.down, roots, axis=0)
    hot = pairs.any(axis=1)
    roots, pairs = roots[hot], pairs[hot]
    first, last = forest.starts[roots], forest.starts[forest.ends[roots]]
    values = [
        high << 64 | low for high, low in zip(forest.high[roots].tolist(), forest.low[roots].tolist(), strict=True)
    ]
    prefixes = map(Prefix, repeat(family), values, forest.length[roots].tolist())
    clusters = _distinct_owners(forest.codes, first, last)
    severities = [SEVERITIES[code] for code in np.argmax(pairs > 0, axis=1).tolist()]
    return list(map(GroupStats, prefixes, clusters, (last - first).tolist(), map(tuple, pairs.tolist()), severities))


def _distinct_owners(codes: Codes, first: Positions, last: Positions) -> list[int]:
    """How many owners each of the disjoint, ordered runs [first, last) of codes has."""
    sizes = last - first
    runs = np.repeat(np.arange(len(sizes)), sizes)
    positions = np.arange(len(runs)) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    owned = runs << 32 | (codes[positions] >> KIND_BITS)
    owned.sort()
    distinct: list[int] = np.bincount(owned[_changes(owned)] >> 32, minlength=len(sizes)).tolist()
    return distinct


class _Counter:
    """Pairs per severity and entry, shape (4, entries)."""

    def __init__(self, codes: Codes, ends: Positions, relations: Relations) -> None:
        self.owners = codes >> KIND_BITS
        self.groups = _GROUP[codes & KIND_MASK]
        self.ends = ends
        self.relations = relations
        self.domains = relations.domains[self.owners] if len(codes) else np.zeros(0, dtype=np.int64)
        self.counts: Counts = np.zeros((NONE, len(codes)), dtype=np.int64)
        self.rest = ends - np.arange(len(codes)) - 1
        """Pairs not given to any relation yet."""
        self.outer = self.rest > 0
        """Entries that have pairs at all: the others, most of them, need no counting."""

    def count(self) -> Counts:
        shared = self._shared_domains()
        for positions in _split(self.owners, len(self.relations.domains)):
            if len(positions):
                self._own(positions, shared=bool(shared[self.domains[positions[0]]]))
        self._across()
        default = self.relations.default
        severities = TABLE[default][_FIRST_KIND][:, _FIRST_KIND]
        self.counts[int(severities[0, 0])] += self.rest
        return self.counts

    def _shared_domains(self) -> npt.NDArray[np.bool_]:
        """Domains that more than one cluster lives in."""
        domains = self.relations.domains
        return np.bincount(domains, minlength=1) > 1 if len(domains) else np.zeros(1, dtype=np.bool_)

    def _own(self, positions: Positions, *, shared: bool) -> None:
        """Take out a cluster's pairs with itself; keep those that clash.

        In a shared domain `_across` counts the cluster's own pairs as if they were another's: give them back.
        """
        rows = np.flatnonzero(self.outer[positions])
        outer = positions[rows]
        own = np.searchsorted(positions, self.ends[outer]) - rows - 1
        self.rest[outer] -= own
        outer = outer[own > 0]
        groups = self.groups[positions]
        if not len(outer) or not (shared or (groups == _SERVICE_GROUP).any()):
            return
        for group in range(len(KIND_GROUPS)):
            targets = positions[groups == group]
            if len(targets):
                inside = self._ranks(targets, outer)
                self._give(outer, group, inside, OWN)
                if shared:
                    self.rest[outer] += inside
                    self._give(outer, group, -inside, relation_code(Relation.SAME))

    def _across(self) -> None:
        """Give the pairs of every named relation between domains to their severities."""
        by_domain = _split(self.domains, int(self.relations.domains.max(initial=0)) + 1)
        for domain in np.flatnonzero(self._shared_domains()).tolist():
            self._pairs(by_domain[domain], by_domain[domain], relation_code(Relation.SAME))
        for domain, others in self.relations.connected.items():
            for other, code in others.items():
                if max(domain, other) < len(by_domain):
                    self._pairs(by_domain[domain], by_domain[other], code)

    def _pairs(self, positions: Positions, targets: Positions, code: int) -> None:
        """The pairs whose outer entry is one of `positions` and whose inner is one of `targets`."""
        outer = positions[self.outer[positions]]
        if not len(outer) or not len(targets):
            return
        outer = outer[self._ranks(targets, outer) > 0]
        target_groups = self.groups[targets]
        for group in range(len(KIND_GROUPS)):
            chosen = targets[target_groups == group]
            if len(chosen) and len(outer):
                inside = self._ranks(chosen, outer)
                self.rest[outer] -= inside
                self._give(outer, group, inside, code)

    def _ranks(self, targets: Positions, positions: Positions) -> Positions:
        """How many of the sorted `targets` lie in each position's run."""
        if len(positions) * _DENSE_SHARE < len(self.ends):
            return np.searchsorted(targets, self.ends[positions]) - np.searchsorted(targets, positions + 1)
        running = np.zeros(len(self.ends) + 1, dtype=np.int64)
        running[targets + 1] = 1
        np.cumsum(running, out=running)
        return running[self.ends[positions]] - running[positions + 1]

    def _give(self, positions: Positions, target: int, pairs: Positions, code: int) -> None:
        """Book pairs of a relation; at most two severities per target group, so at most two passes."""
        by_group = TABLE[code][_FIRST_KIND, _FIRST_KIND[target]]
        severities = by_group[self.groups[positions]]
        for severity in set(by_group.tolist()) - {NONE}:
            chosen = severities == severity
            self.counts[severity][positions[chosen]] += pairs[chosen]


def _split(labels: npt.NDArray[np.integer], count: int) -> list[Positions]:
    """Positions per label, each in order. Sixteen bits sort by radix, several times quicker."""
    small = labels.astype(np.uint16) if count <= _RADIX_LABELS else labels
    order = np.argsort(small, kind="stable").astype(np.int64)
    bounds = np.cumsum(np.bincount(labels, minlength=count))[:-1]
    return np.split(order, bounds)
