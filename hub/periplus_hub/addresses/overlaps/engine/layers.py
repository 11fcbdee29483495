"""One layer of the overlap register: allocations of one family, counted among each other.

The maximal prefixes of a layer are its tops, and whoever has an entry at a top owns it. The layer behind holds, of
every top, what those use inside it who do not own it. So what an entry overlaps in its layer, less what it overlaps in
the layer behind, is what it overlaps of the top's owners: that is one group, and all else lies in groups further in.
"""

from typing import NamedTuple

import numpy as np

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.chunked_forest import Chunks, Entries, Place
from periplus_hub.addresses.overlaps.engine.forest import Forest, Trees, foreign, runs
from periplus_hub.addresses.overlaps.engine.pair_counts import Positions, Touched
from periplus_hub.addresses.overlaps.engine.severity import KIND_BITS, KINDS, NONE, Relations
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.addresses.prefixes.sorted_prefixes import KeyColumns, subtree_ends, subtree_starts

Span = tuple[Place, Place]


class Entry(NamedTuple):
    """One allocation: a prefix, its cluster's number and its kind."""

    prefix: Prefix
    owner: int
    kind: AllocationKind

    @property
    def code(self) -> int:
        """Owner and kind in one integer."""
        return self.owner << KIND_BITS | KINDS.index(self.kind)


class Step(NamedTuple):
    """What it did to a layer that an entry came or went."""

    top: Prefix
    """Of the entry's tree: with it when it came, before it left when it went."""
    pairs: Touched
    """The pairs it came or went with."""
    goes_on: bool
    """Whether its owner does not own the top, so that it is in the layer behind as well."""
    reshaped: bool
    """Whether others have to change between this layer and those behind: who owns what they are in did."""


class Layer:
    """Exact through single changes. Cost: the tree depth, plus one pass over what is equal to the entry or inside."""

    def __init__(self, forest: Forest, family: int, relations: Relations) -> None:
        self.chunks = Chunks(forest, family)
        self._family = family
        self._relations = relations

    def span(self, root: Prefix) -> Span:
        """Where a prefix's subtree is."""
        return self.chunks.bound(root.value, root.length), self.chunks.behind(root.value, root.length)

    def has_top(self, root: Prefix) -> bool:
        """Whether the prefix is a top here."""
        place = self.chunks.bound(root.value, root.length)
        here = self.chunks.holds(place, root.value, root.length)
        return here and not self.chunks.ancestors(root.value, root.length)

    def inside(self, of: KeyColumns) -> tuple[Entries, Positions, Positions]:
        """What is inside prefixes: their entries, one prefix after the other; how many each has, how many at itself.

        Nothing here may be around them. Goes through everything once, so it is for many.
        """
        everything = self.chunks.everything()
        prefixes, sizes = self.chunks.columns(*everything)
        starts, entries = np.append(0, np.cumsum(sizes)), self.chunks.entries(*everything)
        at, end = subtree_starts(prefixes, of), subtree_ends(prefixes, of)
        rows = runs(starts[at], starts[end])
        return Entries(entries.codes[rows], entries.touched[rows]), starts[end] - starts[at], np.append(sizes, 0)[at]

    def insert(self, entry: Entry) -> Step | None:
        """None when it is there already."""
        prefix, chunks = entry.prefix, self.chunks
        place = chunks.bound(prefix.value, prefix.length)
        known = chunks.holds(place, prefix.value, prefix.length)
        if known and self._has(place, entry.code):
            return None
        ancestors = chunks.ancestors(prefix.value, prefix.length)
        goes_on = bool(ancestors) and not self._owns(ancestors[-1][0], entry.owner)
        reshaped = not ancestors and self._takes_over(place, entry, known=known)
        pairs = self._touch(prefix, ancestors, entry.code, 1)
        if not known:
            place = chunks.add(place, prefix.value, prefix.length)
        chunks.chunks[place.chunk].put(place.at, entry.code, pairs)
        chunks.balance(place.chunk)
        return Step(self._top(prefix, ancestors), pairs, goes_on, reshaped)

    def remove(self, entry: Entry) -> Step | None:
        """None when it is not there."""
        prefix, chunks = entry.prefix, self.chunks
        place = chunks.bound(prefix.value, prefix.length)
        if not chunks.holds(place, prefix.value, prefix.length) or not self._has(place, entry.code):
            return None
        ancestors = chunks.ancestors(prefix.value, prefix.length)
        goes_on = bool(ancestors) and not self._owns(ancestors[-1][0], entry.owner)
        chunk = chunks.chunks[place.chunk]
        chunk.pull(place.at, entry.code)
        pairs = self._touch(prefix, ancestors, entry.code, -1)
        known = int(chunk.sizes[place.at]) > 0
        reshaped = not ancestors and self._takes_over(place, entry, known=known)
        if not known:
            chunks.discard(place)
        return Step(self._top(prefix, ancestors), pairs, goes_on, reshaped)

    def _top(self, prefix: Prefix, ancestors: list[tuple[Place, int, int]]) -> Prefix:
        return Prefix(self._family, *ancestors[-1][1:]) if ancestors else prefix

    def _has(self, place: Place, code: int) -> bool:
        own = self.chunks.chunks[place.chunk].own(place.at)
        spot = int(own.searchsorted(np.int32(code)))
        return spot < len(own) and int(own[spot]) == code

    def _owns(self, place: Place, owner: int) -> bool:
        """Whether the cluster has an entry at this prefix."""
        own = self.chunks.chunks[place.chunk].own(place.at)
        spot = int(own.searchsorted(np.int32(owner << KIND_BITS)))
        return spot < len(own) and int(own[spot]) >> KIND_BITS == owner

    def _takes_over(self, place: Place, entry: Entry, *, known: bool) -> bool:
        """Whether others than the entry itself get another owner of their top with it, or without it.

        All that lies inside where the prefix is not `known` beside it; else what the entry's owner has inside, where
        he has nothing else at the top.
        """
        if known and self._owns(place, entry.owner):
            return False
        inside = self.chunks.entries(place, self.span(entry.prefix)[1]).codes
        return bool(np.any(inside >> KIND_BITS == entry.owner)) if known else len(inside) > 0

    def _touch(self, prefix: Prefix, ancestors: list[tuple[Place, int, int]], code: int, step: int) -> Touched:
        """Tell everything that the entry overlaps that it has a pair more or less; returns the entry's own pairs."""
        severities = self._relations.severities(code)
        total = np.zeros(NONE, dtype=np.int32)
        for chunk, first, last in self.chunks.spans(*self.span(prefix)):
            total += chunk.touch(first, last, severities, step)
        for place, _, _ in ancestors:
            total += self.chunks.chunks[place.chunk].touch(place.at, place.at + 1, severities, step)
        return total


def of_owners(entries: Entries, of: Trees, behind: Entries) -> Entries:
    """The entries of trees with what they overlap of the tops' owners; `behind` is theirs in the layer behind."""
    if not len(behind.codes):
        return entries
    touched = entries.touched.copy(order="A")
    touched[foreign(entries.codes, of)] -= behind.touched
    return Entries(entries.codes, touched)
