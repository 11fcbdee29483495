"""Every overlapping pair of two clusters, counted whole and listed in pages, without a list of all. Pure.

Entries of both are sorted by address, parents first. What an entry overlaps behind it is one run, so its pairs of each
use are differences of running counts; a page looks only at the runs it shows.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.severity import NO_OVERLAP, SEVERITY_TABLE, relation_code
from periplus_hub.addresses.overlaps.engine.uses import USES, Use
from periplus_hub.addresses.overlaps.model import SEVERITIES, Relation, Severity
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, Prefix
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes, subtree_ends, subtree_starts

Positions = npt.NDArray[np.int64]
EntryKey = tuple[bytes, int, int, int, int]
"""`first_key`, length, side, use and node: the order of entries."""
PairKey = tuple[int, EntryKey, EntryKey]
"""Severity, outer entry, inner entry: the order of pairs."""

_INTENDED: Final = SEVERITIES.index(Severity.INTENDED)


class End(NamedTuple):
    """One side of a pair."""

    prefix: Prefix
    use: Use
    node: int
    """See `ClusterColumns`."""


class Pair(NamedTuple):
    """Two allocations that overlap; `cidr` is the smaller range, `severity` without the acceptance."""

    a: End
    b: End
    cidr: Prefix
    severity: Severity
    accepted: bool
    key: PairKey


class PairView:
    """The overlaps of two clusters; what is of a group with one of the accepted roots is intended."""

    def __init__(
        self, sides: tuple[ClusterColumns, ClusterColumns], relation: Relation, accepted: Collection[Prefix]
    ) -> None:
        self.relation = relation
        self._table = SEVERITY_TABLE[relation_code(relation)]
        self._sort(sides)
        self._accepted = self._of_groups(accepted)
        self._counts = self._counted()
        self.counts: Mapping[Severity, int] = dict(zip(SEVERITIES, self._counts.sum(axis=1).tolist(), strict=True))

    def _sort(self, sides: tuple[ClusterColumns, ClusterColumns]) -> None:
        parts = [each.prefixes for each in sides]
        family, high, low, length = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("family", "high", "low", "length")
        )
        side = np.repeat(np.array([0, 1], dtype=np.int8), [len(each.use) for each in sides])
        use = np.concatenate([each.use for each in sides])
        node = np.concatenate([each.node for each in sides])
        order = np.lexsort((node, use, side, length, low, high, family))
        self._family, self._side, self._use, self._node = family[order], side[order], use[order], node[order]
        self._keys = FamilyPrefixes(high[order], low[order], length[order])
        self._ends = np.concatenate([start + subtree_ends(keys, keys) for _, start, keys in self._families()])

    def _families(self) -> Iterator[tuple[int, int, FamilyPrefixes]]:
        """Each family's first position and entries."""
        for family in FAMILY_BITS:
            start, stop = np.searchsorted(self._family, [family, family + 1])
            high, low, length = self._keys
            yield family, int(start), FamilyPrefixes(high[start:stop], low[start:stop], length[start:stop])

    def _of_groups(self, roots: Collection[Prefix]) -> npt.NDArray[np.bool_]:
        """Which entries have their pairs in one of these groups.

        Two clusters meet at the wider of their outermost ranges: among the entries of both that is the widest around a
        pair.
        """
        held = np.zeros(len(self._use), dtype=np.bool_)
        behind = np.append(0, np.maximum.accumulate(self._ends))
        for family, start, keys in self._families():
            of = FamilyPrefixes.of_prefixes([root for root in roots if root.family == family and len(keys.length)])
            found = np.minimum(subtree_starts(keys, of), len(keys.length) - 1)
            same = keys.take(found).equal(of)
            for at in (start + found[same]).tolist():
                # A root inside another entry of these two is not where they meet: their pairs belong to the group
                # further out.
                held[at : self._ends[at]] = at >= behind[at]
        return held

    def _counted(self) -> Positions:
        """Pairs with what stands behind each entry, by severity: shape (4, entries)."""
        counts = np.zeros((NO_OVERLAP + 1, len(self._use)), dtype=np.int64)
        for side in (0, 1):
            mine = np.flatnonzero(self._side != side)
            for use in np.unique(self._use[self._side == side]).tolist():
                running = np.append(0, np.cumsum((self._side == side) & (self._use == use)))
                pairs = running[self._ends[mine]] - running[mine + 1]
                severity = self._table[self._use[mine], use]
                # What is no overlap stays none: an acceptance makes nothing of it.
                severity = np.where(self._accepted[mine] & (severity != NO_OVERLAP), _INTENDED, severity)
                counts[severity, mine] += pairs
        return counts[:NO_OVERLAP]

    def page(self, first: int, after: PairKey | None, severities: Collection[Severity]) -> tuple[list[Pair], bool]:
        """`first` pairs behind the key, whether its own is still there or not, and whether there are more."""
        found: list[Pair] = []
        for number, severity in enumerate(SEVERITIES):
            if (severities and severity not in severities) or (after is not None and number < after[0]):
                continue
            last_shown = after if after is not None and number == after[0] else None
            for outer, inner in self._behind(number, last_shown):
                if len(found) == first:
                    return found, True
                found.append(self._pair(number, outer, inner))
        return found, False

    def _behind(self, severity: int, last_shown: PairKey | None) -> Iterator[tuple[int, int]]:
        """Positions of the pairs of one severity, in order."""
        busy = np.flatnonzero(self._counts[severity])
        start = 0
        if last_shown is not None:
            at = bisect_left(range(len(self._use)), last_shown[1], key=self._key)
            start = int(np.searchsorted(busy, at))
        for outer in busy[start:].tolist():
            inner = self._matches(outer, severity)
            if last_shown is not None and self._key(outer) == last_shown[1]:
                inner = inner[bisect_right(inner, last_shown[2], key=self._key) :]
            for each in inner.tolist():
                yield outer, each

    def _matches(self, outer: int, severity: int) -> Positions:
        run = slice(outer + 1, int(self._ends[outer]))
        chosen = self._side[run] != self._side[outer]
        found = self._table[self._use[outer], self._use[run]]
        chosen &= found != NO_OVERLAP if self._accepted[outer] else found == severity
        return np.flatnonzero(chosen) + run.start

    def _key(self, at: int) -> EntryKey:
        key, length = self._prefix(at).keys()[0], int(self._keys.length[at])
        return key, length, int(self._side[at]), int(self._use[at]), int(self._node[at])

    def _prefix(self, at: int) -> Prefix:
        high, low, length = (int(column[at]) for column in self._keys)
        return Prefix(int(self._family[at]), high << 64 | low, length)

    def _pair(self, severity: int, outer: int, inner: int) -> Pair:
        ends = [End(self._prefix(at), USES[int(self._use[at])], int(self._node[at])) for at in (outer, inner)]
        a, b = ends if self._side[outer] == 0 else reversed(ends)
        plain = SEVERITIES[int(self._table[self._use[outer], self._use[inner]])]
        key = (severity, self._key(outer), self._key(inner))
        return Pair(a, b, ends[1].prefix, plain, bool(self._accepted[outer]), key)
