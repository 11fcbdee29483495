"""The overlap register: which groups there are now, kept exact through single changes.

A group is a maximal prefix with everything inside it, when at least one pair there is an overlap (severity.py). The
register keeps, per distinct prefix, the pairs its entries form among themselves and with what is strictly inside.
Inserting or removing an entry changes that at the prefix and at its ancestors only; a group's pairs are the sum over
its subtree. Pairs are never materialised: a thousand clusters on one default are one group and half a million pairs.

Cost of a change: the tree depth, plus one pass over what is strictly inside the changed prefix. Pure.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from periplus_hub.addresses.chunks import Chunks, Place
from periplus_hub.addresses.forest_build import Codes, build, roots_of
from periplus_hub.addresses.model import AllocationKind, Severity
from periplus_hub.addresses.prefixes import FAMILY_BITS, Prefix, PrefixColumns
from periplus_hub.addresses.severity import KIND_BITS, KINDS, Counts, Relations, worst

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


@dataclass(frozen=True, slots=True)
class GroupStats:
    """A group now. `pairs` are per severity, worst first."""

    root: Prefix
    clusters: int
    members: int
    pairs: tuple[int, ...]
    severity: Severity


class _Group:
    """What is known of a group; members and owners only when somebody asked since they were last unclear."""

    __slots__ = ("clusters", "members", "owners", "pairs")

    def __init__(self, pairs: Counts, members: int | None = None, clusters: int = 0) -> None:
        self.pairs = pairs
        self.members = members
        self.clusters = clusters
        self.owners: dict[int, int] | None = None

    def fill(self, codes: Codes) -> None:
        counts = np.bincount(codes >> KIND_BITS)
        present = np.flatnonzero(counts)
        self.owners = dict(zip(present.tolist(), counts[present].tolist(), strict=True))
        self.members, self.clusters = len(codes), len(self.owners)

    def shift(self, owner: int, by: int) -> None:
        if self.owners is None or self.members is None:
            self.members = None
            return
        self.members += by
        left = self.owners.get(owner, 0) + by
        if left:
            self.owners[owner] = left
        else:
            del self.owners[owner]
        self.clusters = len(self.owners)


class _Family:
    """The register of one family."""

    def __init__(self, chunks: Chunks, groups: dict[Prefix, _Group], relations: Relations) -> None:
        self.chunks = chunks
        self.groups = groups
        self.order = sorted(groups)
        self.relations = relations
        for root, group in groups.items():
            if (group.members or 0) > _EAGER:
                group.fill(self._codes(root))

    def _codes(self, root: Prefix) -> Codes:
        return self.chunks.codes(self.chunks.bound(root.value, root.length), self.chunks.behind(root.value, root.length))

    def stats(self, root: Prefix) -> GroupStats | None:
        group = self.groups.get(root)
        if group is None:
            return None
        if group.members is None:
            group.fill(self._codes(root))
        severity = worst(group.pairs)
        if group.members is None or severity is None:
            return None
        return GroupStats(root, group.clusters, group.members, tuple(group.pairs.tolist()), severity)

    def owners(self, root: Prefix) -> tuple[int, ...]:
        if root not in self.groups:
            return ()
        return tuple(np.unique(self._codes(root) >> KIND_BITS).tolist())

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
        chunk.put(place.index, code)
        chunk.count(place.index, inside)
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
        chunk.pull(place.index, code)
        inside = self.relations.count(code, self._codes(prefix))
        chunk.count(place.index, -inside)
        total = inside + self._count_at(ancestors, code, -1)
        gone = int(chunk.sizes[place.index]) == 0
        if gone:
            self.chunks.discard(place)
        if ancestors:
            return self._shift(Prefix(prefix.family, *ancestors[-1][1:]), entry.owner, -total, -1)
        if not gone:
            return self._shift(prefix, entry.owner, -total, -1)
        return self._split(prefix)

    def _has(self, place: Place, code: int) -> bool:
        own = self.chunks.chunks[place.chunk].own(place.index)
        spot = int(own.searchsorted(np.int32(code)))
        return spot < len(own) and int(own[spot]) == code

    def _count_at(self, ancestors: list[tuple[Place, int, int]], code: int, sign: int) -> Counts:
        """Add (or take away) the pairs that the entry forms with its ancestors, counted at each of them."""
        total = np.zeros(4, dtype=np.int64)
        for place, _, _ in ancestors:
            chunk = self.chunks.chunks[place.chunk]
            pairs = self.relations.count(code, chunk.own(place.index))
            if pairs.any():
                chunk.count(place.index, sign * pairs)
                total += pairs
        return total

    def _shift(self, root: Prefix, owner: int, pairs: Counts, members: int) -> set[Prefix]:
        """A change inside a root that stays."""
        group = self.groups.get(root)
        if group is None:
            if not pairs.any():
                return set()
            self._open(root, pairs)
            return {root}
        group.pairs = group.pairs + pairs
        group.shift(owner, members)
        if not group.pairs.any():
            self._close(root)
        return {root}

    def _swallow(self, root: Prefix, pairs: Counts) -> set[Prefix]:
        """A new root: the groups inside it become one with it."""
        start = bisect_left(self.order, root)
        stop = bisect_left(self.order, Prefix(root.family, root.last + 1, 0))
        swallowed = self.order[start:stop]
        for inner in swallowed:
            pairs = pairs + self.groups.pop(inner).pairs
        del self.order[start:stop]
        if pairs.any():
            self._open(root, pairs)
            return {root, *swallowed}
        return set(swallowed)

    def _split(self, root: Prefix) -> set[Prefix]:
        """A root went: what has pairs inside it stands on its own now."""
        if root not in self.groups:
            return set()
        self._close(root)
        found = self.chunks.roots(
            self.chunks.bound(root.value, root.length), self.chunks.behind(root.value, root.length)
        )
        at = bisect_left(self.order, root)
        self.order[at:at] = [inner.prefix for inner in found]
        self.groups.update((inner.prefix, _Group(*inner[1:])) for inner in found)
        return {root, *(inner.prefix for inner in found)}

    def _open(self, root: Prefix, pairs: Counts) -> None:
        self.groups[root] = _Group(pairs)
        insort(self.order, root)

    def _close(self, root: Prefix) -> None:
        del self.groups[root]
        del self.order[bisect_left(self.order, root)]


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
        groups = {root.prefix: _Group(*root[1:]) for root in roots_of(forest, family)}
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

    def owners(self, root: Prefix) -> tuple[int, ...]:
        """The clusters of a group, by number."""
        return self._families[root.family].owners(root)

    def nbytes(self) -> int:
        """Memory of the columns, without Python's overhead for the groups."""
        return sum(family.chunks.nbytes() for family in self._families.values())
