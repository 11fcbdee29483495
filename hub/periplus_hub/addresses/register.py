"""The overlap register: which groups there are now, and whom each one hurts how much, exact through single changes.

A group is a maximal prefix with everything inside it, when at least one pair there is an overlap (severity.py). The
register keeps, per allocation, how many pairs of each severity it takes part in: its own severity is the worst that
has one, a cluster's is the worst of its allocations, a group's is the worst of all. Inserting or removing an
allocation changes that for what it overlaps only. Pairs are never materialised: a thousand clusters on one default are
one group and half a million pairs.

Cost of a change: the tree depth, plus one pass over what is equal to the changed prefix or inside it. Pure.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.chunks import Chunks, Entries, Place, join_entries
from periplus_hub.addresses.forest_build import GroupStats, build, groups_of, runs
from periplus_hub.addresses.forest_count import Codes, Touched
from periplus_hub.addresses.keys import KeyColumns, subtree_ends, subtree_starts
from periplus_hub.addresses.model import AllocationKind, Severity
from periplus_hub.addresses.prefixes import FAMILY_BITS, Prefix, PrefixColumns
from periplus_hub.addresses.severity import KIND_BITS, KINDS, NONE, Relations, worst, worst_codes
from periplus_hub.addresses.shares import Shares, shares_of

_EAGER: Final = 16_384
"""Groups larger than this get their owners counted at the build, so that the first change is quick too."""

_FEW: Final = 256
"""Up to here groups are looked up one by one; for more it is quicker to go through everything once."""


class Entry(NamedTuple):
    """One allocation: a prefix, its cluster's number and its kind."""

    prefix: Prefix
    owner: int
    kind: AllocationKind

    @property
    def code(self) -> int:
        """Owner and kind in one integer."""
        return self.owner << KIND_BITS | KINDS.index(self.kind)


class Members(NamedTuple):
    """Everything inside a group in tree order, one row per allocation.

    `codes` are `owner << 3 | kind`; `severities` are positions in `model.SEVERITIES`, or `severity.NONE` for what
    overlaps nobody.
    """

    family: int
    prefixes: KeyColumns
    codes: Codes
    severities: npt.NDArray[np.int8]


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

    def _span(self, root: Prefix) -> tuple[Place, Place]:
        return self.chunks.bound(root.value, root.length), self.chunks.behind(root.value, root.length)

    def _clear(self, root: Prefix) -> None:
        codes = self.chunks.entries(*self._span(root)).codes
        counts = np.bincount(codes >> KIND_BITS)
        present = np.flatnonzero(counts)
        self.counts[root] = dict(zip(present.tolist(), counts[present].tolist(), strict=True))
        self.groups[root] = self.groups[root]._replace(clusters=len(present), members=len(codes))
        self.unclear.discard(root)

    def stats(self, root: Prefix) -> GroupStats | None:
        if root in self.unclear:
            self._clear(root)
        return self.groups.get(root)

    def inside(self, roots: Sequence[Prefix]) -> tuple[Entries, npt.NDArray[np.int64]]:
        """The entries of maximal prefixes, one after the other, and how many each has."""
        if len(roots) <= _FEW:
            parts = [self.chunks.entries(*self._span(root)) for root in roots]
            return join_entries(parts), np.array([len(part.codes) for part in parts], dtype=np.int64)
        everything = self.chunks.everything()
        prefixes, sizes = self.chunks.columns(*everything)
        starts, entries = np.append(0, np.cumsum(sizes)), self.chunks.entries(*everything)
        of = KeyColumns.of_prefixes(roots)
        first, last = starts[subtree_starts(prefixes, of)], starts[subtree_ends(prefixes, of)]
        rows = runs(first, last)
        return Entries(entries.codes[rows], entries.touched[rows]), last - first

    def members(self, root: Prefix) -> Members:
        span = self._span(root)
        prefixes, sizes = self.chunks.columns(*span)
        entries = self.chunks.entries(*span)
        return Members(root.family, prefixes.repeat(sizes), entries.codes, worst_codes(entries.touched))

    def insert(self, entry: Entry) -> set[Prefix]:
        """Returns the roots whose group changed, appeared or vanished."""
        prefix, code = entry.prefix, entry.code
        place = self.chunks.bound(prefix.value, prefix.length)
        known = self.chunks.holds(place, prefix.value, prefix.length)
        if known and self._has(place, code):
            return set()
        ancestors = self.chunks.ancestors(prefix.value, prefix.length)
        total = self._touch(prefix, ancestors, code, 1)
        if not known:
            place = self.chunks.add(place, prefix.value, prefix.length)
        self.chunks.chunks[place.chunk].put(place.at, code, total)
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
        total = self._touch(prefix, ancestors, code, -1)
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

    def _touch(self, prefix: Prefix, ancestors: list[tuple[Place, int, int]], code: int, step: int) -> Touched:
        """Tell everything that the entry overlaps that it has a pair more or less; returns the entry's own pairs."""
        severities = self.relations.severities(code)
        total = np.zeros(NONE, dtype=np.int32)
        for chunk, first, last in self.chunks.spans(*self._span(prefix)):
            total += chunk.touch(first, last, severities, step)
        for place, _, _ in ancestors:
            total += self.chunks.chunks[place.chunk].touch(place.at, place.at + 1, severities, step)
        return total

    def _shift(self, root: Prefix, owner: int, pairs: Touched, members: int) -> set[Prefix]:
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

    def _swallow(self, root: Prefix, pairs: Touched) -> set[Prefix]:
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
        found = self.chunks.groups(*self._span(root))
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

    def shares(self, roots: Sequence[Prefix]) -> Shares:
        """What every cluster has in every one of these groups; nothing where there is none. `group` counts `roots`."""
        order = sorted(range(len(roots)), key=lambda at: roots[at].family)
        parts = [
            family.inside([roots[at] for at in order if roots[at].family == number])
            for number, family in self._families.items()
        ]
        entries = join_entries([part for part, _ in parts])
        found = shares_of(entries.codes, entries.touched, np.concatenate([sizes for _, sizes in parts]))
        return found if order == sorted(order) else found.renumbered(order)

    def members(self, root: Prefix) -> Members:
        """Everything inside the maximal prefix `root`, with the severity of each."""
        return self._families[root.family].members(root)

    def prefixes(self, family: int) -> KeyColumns:
        """Every distinct prefix of a family, parents before children."""
        chunks = self._families[family].chunks
        return chunks.columns(*chunks.everything())[0]

    def nbytes(self) -> int:
        """Memory of the columns, without Python's overhead for the groups."""
        return sum(family.chunks.nbytes() for family in self._families.values())
