"""The overlap register: which groups there are now, kept exact through single changes.

A group is a maximal prefix with everything inside it, when at least one pair there is an overlap (severity.py). The
register keeps, per distinct prefix, the pairs its entries form among themselves and with what is strictly inside.
Inserting or removing an entry changes that at the prefix and at its ancestors only; a group's pairs are the sum over
its subtree. Pairs are never materialised: a thousand clusters on one default are one group and half a million pairs.

Cost of a change: the tree depth, plus one pass over what is strictly inside the changed prefix. Pure.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from periplus_hub.addresses.chunks import Chunks, Place
from periplus_hub.addresses.forest_build import Codes, GroupStats, build, groups_of
from periplus_hub.addresses.model import AllocationKind, Severity
from periplus_hub.addresses.prefixes import FAMILY_BITS, Prefix, PrefixColumns
from periplus_hub.addresses.severity import KIND_BITS, KIND_MASK, KINDS, NONE, Counts, Relations, worst

_EAGER: Final = 16_384
"""Groups larger than this get their owners counted at the build, so that the first change is quick too."""


class Entry(NamedTuple):
    """One allocation: a prefix, its cluster's number and its kind."""

    prefix: Prefix
    owner: int
    kind: AllocationKind

    @property
    def code(self) -> int:
        """Owner and kind in one integer."""
        return self.owner << KIND_BITS | KINDS.index(self.kind)


class Content(NamedTuple):
    """A group's clusters by number, and the kinds of its allocations."""

    owners: tuple[int, ...]
    kinds: frozenset[AllocationKind]


def _sum(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


class _Family:
    """The register of one family.

    Members and clusters of a group are counted when somebody asks, and kept exact from then on (`counts`: allocations
    per owner); until then the group is `unclear`.
    """

    def __init__(self, chunks: Chunks, groups: dict[Prefix, GroupStats], relations: Relations) -> None:
        self.chunks = chunks
        self.groups = groups
        self.order = sorted(groups)
        self.relations = relations
        self.counts: dict[Prefix, dict[int, int]] = {}
        self.unclear: set[Prefix] = set()
        for root, group in groups.items():
            if group.members > _EAGER:
                self._clear(root)

    def _codes(self, root: Prefix) -> Codes:
        return self.chunks.codes(
            self.chunks.bound(root.value, root.length), self.chunks.behind(root.value, root.length)
        )

    def _clear(self, root: Prefix) -> None:
        codes = self._codes(root)
        counts = np.bincount(codes >> KIND_BITS)
        present = np.flatnonzero(counts)
        self.counts[root] = dict(zip(present.tolist(), counts[present].tolist(), strict=True))
        self.groups[root] = self.groups[root]._replace(clusters=len(present), members=len(codes))
        self.unclear.discard(root)

    def stats(self, root: Prefix) -> GroupStats | None:
        if root in self.unclear:
            self._clear(root)
        return self.groups.get(root)

    def content(self, root: Prefix) -> Content:
        codes = self._codes(root) if root in self.groups else np.zeros(0, dtype=np.int32)
        kinds = np.unique(codes & KIND_MASK).tolist()
        return Content(tuple(np.unique(codes >> KIND_BITS).tolist()), frozenset(KINDS[kind] for kind in kinds))

    def insert(self, entry: Entry) -> set[Prefix]:
        """Returns the roots whose group changed, appeared or vanished."""
        prefix, code = entry.prefix, entry.code
        place = self.chunks.bound(prefix.value, prefix.length)
        known = self.chunks.holds(place, prefix.value, prefix.length)
        if known and self._has(place, code):
            return set()
        ancestors = self.chunks.ancestors(prefix.value, prefix.length)
        inside = self.relations.count(code, self._codes(prefix))
        total = inside + self._count_at(ancestors, code, 1)
        if not known:
            place = self.chunks.add(place, prefix.value, prefix.length)
        chunk = self.chunks.chunks[place.chunk]
        chunk.put(place.at, code)
        chunk.count(place.at, inside)
        self.chunks.balance(place.chunk)
        if ancestors:
            return self._shift(Prefix(prefix.family, *ancestors[-1][1:]), entry.owner, total, 1)
        if known:
            return self._shift(prefix, entry.owner, total, 1)
        return self._swallow(prefix, total)

    def remove(self, entry: Entry) -> set[Prefix]:
        """Returns the roots whose group changed, appeared or vanished."""
        prefix, code = entry.prefix, entry.code
        place = self.chunks.bound(prefix.value, prefix.length)
        if not self.chunks.holds(place, prefix.value, prefix.length) or not self._has(place, code):
            return set()
        ancestors = self.chunks.ancestors(prefix.value, prefix.length)
        chunk = self.chunks.chunks[place.chunk]
        chunk.pull(place.at, code)
        inside = self.relations.count(code, self._codes(prefix))
        chunk.count(place.at, -inside)
        total = inside + self._count_at(ancestors, code, -1)
        gone = int(chunk.sizes[place.at]) == 0
        if gone:
            self.chunks.discard(place)
        if ancestors:
            return self._shift(Prefix(prefix.family, *ancestors[-1][1:]), entry.owner, -total, -1)
        if not gone:
            return self._shift(prefix, entry.owner, -total, -1)
        return self._split(prefix)

    def _has(self, place: Place, code: int) -> bool:
        own = self.chunks.chunks[place.chunk].own(place.at)
        spot = int(own.searchsorted(np.int32(code)))
        return spot < len(own) and int(own[spot]) == code

    def _count_at(self, ancestors: list[tuple[Place, int, int]], code: int, sign: int) -> Counts:
        """Add (or take away) the pairs that the entry forms with its ancestors, counted at each of them."""
        total = np.zeros(NONE, dtype=np.int64)
        for place, _, _ in ancestors:
            chunk = self.chunks.chunks[place.chunk]
            pairs = self.relations.count(code, chunk.own(place.at))
            if pairs.any():
                chunk.count(place.at, sign * pairs)
                total += pairs
        return total

    def _shift(self, root: Prefix, owner: int, pairs: Counts, members: int) -> set[Prefix]:
        """A change inside a root that stays."""
        group = self.groups.get(root)
        if group is None:
            if not pairs.any():
                return set()
            self._open(root, tuple(pairs.tolist()))
            return {root}
        total = _sum(group.pairs, pairs.tolist())
        severity = worst(total)
        if severity is None:
            self._close(root)
            return {root}
        counts = self.counts.get(root)
        if counts is None:
            self.unclear.add(root)
        else:
            counts[owner] = counts.get(owner, 0) + members
            if not counts[owner]:
                del counts[owner]
            group = group._replace(clusters=len(counts), members=group.members + members)
        self.groups[root] = group._replace(pairs=total, severity=severity)
        return {root}

    def _swallow(self, root: Prefix, pairs: Counts) -> set[Prefix]:
        """A new root: the groups inside it become one with it."""
        start = bisect_left(self.order, root)
        stop = bisect_left(self.order, Prefix(root.family, root.last + 1, 0))
        swallowed = self.order[start:stop]
        total = tuple(pairs.tolist())
        for inner in swallowed:
            total = _sum(total, self.groups[inner].pairs)
            self._forget(inner)
        del self.order[start:stop]
        if any(total):
            self._open(root, total)
            return {root, *swallowed}
        return set()

    def _split(self, root: Prefix) -> set[Prefix]:
        """A root went: what has pairs inside it stands on its own now."""
        if root not in self.groups:
            return set()
        self._close(root)
        found = self.chunks.groups(
            self.chunks.bound(root.value, root.length), self.chunks.behind(root.value, root.length)
        )
        at = bisect_left(self.order, root)
        self.order[at:at] = [inner.root for inner in found]
        self.groups.update((inner.root, inner) for inner in found)
        return {root, *(inner.root for inner in found)}

    def _open(self, root: Prefix, pairs: tuple[int, ...]) -> None:
        self.groups[root] = GroupStats(root, 0, 0, pairs, worst(pairs) or Severity.INTENDED)
        self.unclear.add(root)
        insort(self.order, root)

    def _close(self, root: Prefix) -> None:
        self._forget(root)
        del self.order[bisect_left(self.order, root)]

    def _forget(self, root: Prefix) -> None:
        del self.groups[root]
        self.counts.pop(root, None)
        self.unclear.discard(root)


class Register:
    """All overlap groups of one tenant, both families."""

    def __init__(self, columns: PrefixColumns, codes: Codes, relations: Relations) -> None:
        """Full build; `codes` are `owner << 3 | kind` per row of `columns`."""
        self.relations = relations
        self._families = {family: self._build(columns, codes, family) for family in FAMILY_BITS}

    def _build(self, columns: PrefixColumns, codes: Codes, family: int) -> _Family:
        rows = columns.family == family
        part, part_codes = (columns, codes) if rows.all() else (columns.take(rows), codes[rows])
        forest = build(part.high, part.low, part.length, part_codes, self.relations, family)
        groups = {group.root: group for group in groups_of(forest, family)}
        return _Family(Chunks(forest, family), groups, self.relations)

    def insert(self, entry: Entry) -> set[Prefix]:
        """Add one allocation; returns the roots to look at again. Known entries change nothing."""
        return self._families[entry.prefix.family].insert(entry)

    def remove(self, entry: Entry) -> set[Prefix]:
        """Take one allocation out; returns the roots to look at again. Unknown entries change nothing."""
        return self._families[entry.prefix.family].remove(entry)

    def change(self, gone: Iterable[Entry], come: Iterable[Entry]) -> set[Prefix]:
        """A cluster's change set."""
        roots: set[Prefix] = set()
        for entry in gone:
            roots |= self.remove(entry)
        for entry in come:
            roots |= self.insert(entry)
        return roots

    def group(self, root: Prefix) -> GroupStats | None:
        """The group rooted at exactly `root`, or None."""
        return self._families[root.family].stats(root)

    def groups(self) -> Iterator[GroupStats]:
        """Every group, by family and address."""
        for family in self._families.values():
            for root in list(family.order):
                stats = family.stats(root)
                if stats is not None:
                    yield stats

    def content(self, root: Prefix) -> Content:
        """What is inside a group; nothing when there is none at `root`."""
        return self._families[root.family].content(root)

    def nbytes(self) -> int:
        """Memory of the columns, without Python's overhead for the groups."""
        return sum(family.chunks.nbytes() for family in self._families.values())
