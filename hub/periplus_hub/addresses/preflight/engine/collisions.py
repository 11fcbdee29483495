"""The ranges in which clusters use what a rule wants apart, over all clusters at once. Pure.

Rows of all clusters are sorted by address, parents first, so what lies in a row is a run behind it. How many rows of
others are in a run is a difference of running sums, less that of the row's own cluster; nobody looks at pairs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.cluster_columns import NO_ALLOCATIONS, ClusterColumns
from periplus_hub.addresses.overlaps.engine.federations import Apart, Side, may_be
from periplus_hub.addresses.overlaps.engine.uses import USE_BITS, USES, Use, kinds_of
from periplus_hub.addresses.prefixes.columns import PrefixColumns
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, IPV4, Prefix
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes, subtree_ends
from periplus_hub.addresses.preflight.engine.touching import Chosen, Positions, Touching, touching

MOST_RANGES: Final = 20
_HALF: Final = np.uint64(32)
_LENGTH_BITS: Final = np.uint64(6)


class Collided(NamedTuple):
    """An outermost range in which owners collide, and what each of them uses there that does; owners in order."""

    prefix: Prefix
    owners: tuple[tuple[int, tuple[AllocationKind, ...]], ...]


@dataclass(frozen=True, slots=True)
class Collisions:
    """Some of the ranges of a rule, those of most owners first, and how many there are."""

    ranges: tuple[Collided, ...] = ()
    total: int = 0


NO_COLLISIONS: Final = Collisions()


class _Rows(NamedTuple):
    """Of all owners, in any order."""

    prefixes: PrefixColumns
    use: npt.NDArray[np.uint8]
    owner: Positions

    def take(self, rows: Chosen | Positions) -> "_Rows":
        return _Rows(self.prefixes.take(rows), self.use[rows], self.owner[rows])


class AllRows:
    """The rows of clusters, sorted once; owners are positions in `columns`.

    What lies in a row of the same cluster and use is left out: it collides with nobody but where that one does, which
    is further out.
    """

    def __init__(self, columns: Sequence[ClusterColumns]) -> None:
        rows = _outermost(_all(columns))
        prefixes = rows.prefixes
        order = np.lexsort((rows.owner, rows.use, prefixes.length, prefixes.low, prefixes.high, prefixes.family))
        self.family, self.use, self.owner = prefixes.family[order], rows.use[order], rows.owner[order]
        self.keys = FamilyPrefixes(prefixes.high[order], prefixes.low[order], prefixes.length[order])
        self._present = np.bincount(self.use, minlength=len(USES)) > 0
        self._ends = np.concatenate([start + subtree_ends(keys, keys) for start, keys in self._families()])
        self._by_owner = np.argsort(self.owner, kind="stable")
        self._rank = np.empty(len(order), dtype=np.int64)
        self._rank[self._by_owner] = np.arange(len(order))
        width = len(order) + 1
        places = self.owner[self._by_owner] * width + self._by_owner
        # Owner and place in one number: where a row's run ends among the rows of its own cluster, for all rows at once.
        self._own_ends = np.searchsorted(places, self.owner * width + self._ends)

    def _families(self) -> Iterator[tuple[int, FamilyPrefixes]]:
        for family in FAMILY_BITS:
            start, stop = np.searchsorted(self.family, [family, family + 1])
            high, low, length = self.keys
            yield int(start), FamilyPrefixes(high[start:stop], low[start:stop], length[start:stop])

    def surely(self, rule: Apart) -> Collisions:
        """Where the rule is broken."""
        return self._told(_surely, rule)

    def perhaps(self, rule: Apart) -> Collisions:
        """Where it is broken, or would be if what is perhaps there is."""
        return self._told(_perhaps, rule)

    def is_sure(self, rule: Apart) -> bool:
        """Whether nothing that is there is only perhaps on a side of the rule."""
        doubtful = [_perhaps(side) & ~_surely(side) & self._present for side in (rule.one, rule.other)]
        return not any(bool(each.any()) for each in doubtful)

    def inside(self, prefix: Prefix) -> Collisions:
        """Every owner's own rows that touch a range, each owner's as a range in the way."""
        length = np.minimum(self.keys.length, prefix.length).astype(np.uint64)
        shift = np.uint64(64) - length
        same = (self.family == prefix.family) & ((self.keys.high >> shift) == (np.uint64(prefix.value >> 64) >> shift))
        return self._ranges(same)

    def touching(self, ranges: Sequence[Prefix]) -> Touching:
        """What of whom lies in or around each of these ranges."""
        return touching(list(self._families()), self.owner, self.use, ranges)

    def _told(self, uses: "Callable[[Side], Chosen]", rule: Apart) -> Collisions:
        one, other = (uses(side)[self.use] for side in (rule.one, rule.other))
        hit = np.zeros(len(self.use), dtype=np.bool_)
        pairs = ((one, other),) if rule.one == rule.other else ((one, other), (other, one))
        for outer, inner in pairs:
            # Both ends of each pair: the wider one has the other behind it, the narrower one has it around.
            hit |= outer & (self._behind(inner) > 0)
            hit |= inner & (self._around(outer) > 0)
        return self._ranges(hit)

    def _behind(self, chosen: Chosen) -> Positions:
        """How many chosen rows of others lie in each row's run."""
        of_all = np.append(0, np.cumsum(chosen))
        of_own = np.append(0, np.cumsum(chosen[self._by_owner]))
        positions = np.arange(len(chosen))
        found: Positions = of_all[self._ends] - of_all[positions + 1]
        found -= of_own[self._own_ends] - of_own[self._rank + 1]
        return found

    def _around(self, chosen: Chosen) -> Positions:
        """In how many chosen rows of others each row lies."""
        rows = np.flatnonzero(chosen)
        of_all = self._covered(rows + 1, self._ends[rows])
        of_own = self._covered(self._rank[rows] + 1, self._own_ends[rows])
        return of_all - of_own[self._rank]

    def _covered(self, starts: Positions, stops: Positions) -> Positions:
        """How many of these runs each position is in."""
        size = len(self.use) + 1
        steps = np.bincount(starts, minlength=size) - np.bincount(stops, minlength=size)
        return np.cumsum(steps)[: len(self.use)].astype(np.int64)

    def _ranges(self, hit: Chosen) -> Collisions:
        """The outermost of the rows that are hit, with what is hit in them."""
        rows = np.flatnonzero(hit)
        if not len(rows):
            return NO_COLLISIONS
        ends = self._ends[rows]
        is_top = np.append(True, rows[1:] >= np.maximum.accumulate(ends)[:-1])
        top = np.cumsum(is_top) - 1
        total = int(top[-1]) + 1
        width = int(self.owner.max()) + 1
        owners = np.bincount(np.unique(top * width + self.owner[rows]) // width, minlength=total)
        tops = rows[is_top]
        # Stable, so that of as many clusters those by address come first: the same question has the same answer.
        most = np.argsort(-owners, kind="stable")[:MOST_RANGES].tolist()
        starts = np.append(np.flatnonzero(is_top), len(rows))
        ranges = tuple(self._range(int(tops[at]), rows[starts[at] : starts[at + 1]]) for at in most)
        return Collisions(ranges, total)

    def _range(self, top: int, rows: Positions) -> Collided:
        pairs = np.unique(self.owner[rows] * len(USES) + self.use[rows]).tolist()
        uses: dict[int, list[Use]] = {}
        for pair in pairs:
            uses.setdefault(pair // len(USES), []).append(USES[pair % len(USES)])
        high, low, length = (int(column[top]) for column in self.keys)
        prefix = Prefix(int(self.family[top]), high << 64 | low, length)
        return Collided(prefix, tuple((owner, kinds_of(found)) for owner, found in uses.items()))


def _surely(side: Side) -> Chosen:
    return np.array([use in side.surely for use in USES], dtype=np.bool_)


def _perhaps(side: Side) -> Chosen:
    return np.array([may_be(use, side) for use in USES], dtype=np.bool_)


def _all(columns: Sequence[ClusterColumns]) -> _Rows:
    parts = [NO_ALLOCATIONS, *columns]
    prefixes = PrefixColumns(
        np.concatenate([each.prefixes.family for each in parts]),
        np.concatenate([each.prefixes.high for each in parts]),
        np.concatenate([each.prefixes.low for each in parts]),
        np.concatenate([each.prefixes.length for each in parts]),
    )
    owner = np.repeat(np.arange(len(columns), dtype=np.int64), [len(each.use) for each in columns])
    return _Rows(prefixes, np.concatenate([each.use for each in parts]), owner)


def _outermost(rows: _Rows) -> _Rows:
    """Without IPv4 rows that lie in one of the same owner and use: of many clusters, most are blocks of nodes.

    Owner, use, address and length make one number, by which they are sorted. IPv6 addresses are too long for that.
    """
    prefixes, short = rows.prefixes, np.flatnonzero(rows.prefixes.family == IPV4)
    length = prefixes.length[short].astype(np.uint64)
    group = (rows.owner[short].astype(np.uint64) << np.uint64(USE_BITS)) | rows.use[short]
    first = (group << _HALF) | (prefixes.high[short] >> _HALF)
    order = np.argsort((first << _LENGTH_BITS) | length, kind="stable")
    first, length = first[order], length[order]
    last = first | ((np.uint64(1) << (_HALF - length)) - np.uint64(1))
    inside = np.zeros(len(order), dtype=np.bool_)
    inside[1:] = first[1:] <= np.maximum.accumulate(last)[:-1]
    kept = np.ones(len(rows.use), dtype=np.bool_)
    kept[short[order[inside]]] = False
    return rows.take(kept)
