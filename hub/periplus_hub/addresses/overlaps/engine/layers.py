"""One layer of the overlap register: allocations of one family, counted among each other.

The maximal prefixes of a layer are its tops, and whoever has an entry at a top owns it. The next layer, "behind", holds
of every top what those use inside it who do not own it. So what an entry overlaps in its layer, less what it overlaps
in the layer behind, is what it overlaps of the top's owners: that is one group, and all else lies in groups further in.

    layer 0                       layer 1: without a, who owns the top
    10.0.0.0/8      a
      10.1.0.0/16   b             10.1.0.0/16   b           the groups: at 10.0.0.0/8 the pairs a-b and a-c,
        10.1.2.0/24 c               10.1.2.0/24 c           at 10.1.0.0/16 the pair b-c
      10.3.0.0/16   a

Every layer counts pairs for itself, with the same code, so a layer is exact whatever lies behind it, and no pair has to
know its group. There are as many layers as outermost ranges of different clusters nest, mostly one or two.
"""

from typing import NamedTuple

import numpy as np

from periplus_hub.addresses.overlaps.engine.chunked_forest import ChunkedForest, ChunkPosition, Entries
from periplus_hub.addresses.overlaps.engine.forest import Forest, Trees, entries_of_others, runs
from periplus_hub.addresses.overlaps.engine.pair_counts import PairCounts, Positions
from periplus_hub.addresses.overlaps.engine.severity import NO_OVERLAP, Relations
from periplus_hub.addresses.overlaps.engine.uses import USE_BITS, USES, Use
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes, subtree_ends, subtree_starts

Span = tuple[ChunkPosition, ChunkPosition]


class Entry(NamedTuple):
    """One allocation: a prefix, its cluster's number and its use. There may be several that are equal."""

    prefix: Prefix
    owner: int
    use: Use

    @property
    def code(self) -> int:
        """Owner and use in one integer."""
        return self.owner << USE_BITS | USES.index(self.use)


class Step(NamedTuple):
    """What it did to a layer that an entry came or went."""

    top: Prefix
    """Of the entry's tree: with it when it came, before it left when it went."""
    pairs: PairCounts
    """The pairs it came or went with."""
    in_next_layer: bool
    """Whether its owner does not own the top, so that it is in the layer behind as well."""
    owners_change: bool
    """Whether others have to change between this layer and those behind: who owns what they are in did."""


class Layer:
    """Exact through single changes. Cost: the tree depth, plus one pass over what is equal to the entry or inside."""

    def __init__(self, forest: Forest, family: int, relations: Relations) -> None:
        self.forest = ChunkedForest(forest, family)
        self._family = family
        self._relations = relations

    def span(self, root: Prefix) -> Span:
        """Where a prefix's subtree is."""
        return self.forest.bound(root.value, root.length), self.forest.behind(root.value, root.length)

    def has_top(self, root: Prefix) -> bool:
        """Whether the prefix is a top here."""
        place = self.forest.bound(root.value, root.length)
        here = self.forest.holds(place, root.value, root.length)
        return here and not self.forest.ancestors(root.value, root.length)

    def inside(self, of: FamilyPrefixes) -> tuple[Entries, Positions, Positions]:
        """What is inside prefixes: their entries, one prefix after the other; how many each has, how many at itself.

        Nothing here may be around them. Goes through everything once, so it is for many.
        """
        everything = self.forest.whole()
        prefixes, sizes = self.forest.columns(*everything)
        starts, entries = np.append(0, np.cumsum(sizes)), self.forest.entries(*everything)
        at, end = subtree_starts(prefixes, of), subtree_ends(prefixes, of)
        rows = runs(starts[at], starts[end])
        return (
            Entries(entries.codes[rows], entries.pair_counts[rows]),
            starts[end] - starts[at],
            np.append(sizes, 0)[at],
        )

    def insert(self, entry: Entry) -> Step:
        """What it does."""
        prefix, forest = entry.prefix, self.forest
        place = forest.bound(prefix.value, prefix.length)
        known = forest.holds(place, prefix.value, prefix.length)
        ancestors = forest.ancestors(prefix.value, prefix.length)
        in_next_layer = bool(ancestors) and not self._owns(ancestors[-1][0], entry.owner)
        owners_change = not ancestors and self._changes_owners(place, entry, known=known)
        # Before the entry is put in, or it would be counted as a pair of itself.
        pairs = self._add_pairs(prefix, ancestors, entry.code, 1)
        if not known:
            place = forest.add(place, prefix.value, prefix.length)
        forest.chunks[place.chunk].put(place.at, entry.code, pairs)
        forest.balance(place.chunk)
        return Step(self._top(prefix, ancestors), pairs, in_next_layer, owners_change)

    def remove(self, entry: Entry) -> Step | None:
        """None when it is not there."""
        prefix, forest = entry.prefix, self.forest
        place = forest.bound(prefix.value, prefix.length)
        if not forest.holds(place, prefix.value, prefix.length) or not self._has(place, entry.code):
            return None
        ancestors = forest.ancestors(prefix.value, prefix.length)
        in_next_layer = bool(ancestors) and not self._owns(ancestors[-1][0], entry.owner)
        chunk = forest.chunks[place.chunk]
        chunk.pull(place.at, entry.code)  # first, as it came last: it is no pair of itself
        pairs = self._add_pairs(prefix, ancestors, entry.code, -1)
        known = int(chunk.sizes[place.at]) > 0
        owners_change = not ancestors and self._changes_owners(place, entry, known=known)
        if not known:
            forest.discard(place)
        return Step(self._top(prefix, ancestors), pairs, in_next_layer, owners_change)

    def _top(self, prefix: Prefix, ancestors: list[tuple[ChunkPosition, int, int]]) -> Prefix:
        return Prefix(self._family, *ancestors[-1][1:]) if ancestors else prefix

    def _has(self, place: ChunkPosition, code: int) -> bool:
        own = self.forest.chunks[place.chunk].own(place.at)
        spot = int(own.searchsorted(np.int32(code)))
        return spot < len(own) and int(own[spot]) == code

    def _owns(self, place: ChunkPosition, owner: int) -> bool:
        """Whether the cluster has an entry at this prefix."""
        own = self.forest.chunks[place.chunk].own(place.at)
        spot = int(own.searchsorted(np.int32(owner << USE_BITS)))
        return spot < len(own) and int(own[spot]) >> USE_BITS == owner

    def _changes_owners(self, place: ChunkPosition, entry: Entry, *, known: bool) -> bool:
        """Whether others than the entry itself get another owner of their top with it, or without it.

        All that lies inside where the prefix is not `known` beside it; else what the entry's owner has inside, where
        he has nothing else at the top.
        """
        if known and self._owns(place, entry.owner):
            return False
        # What the entry's owner has inside an owned top is counted in this layer only; what others have, in the next
        # one too. So it matters whose the top is, and not how often it is held.
        inside = self.forest.entries(place, self.span(entry.prefix)[1]).codes
        return bool(np.any(inside >> USE_BITS == entry.owner)) if known else len(inside) > 0

    def _add_pairs(
        self, prefix: Prefix, ancestors: list[tuple[ChunkPosition, int, int]], code: int, step: int
    ) -> PairCounts:
        """Tell everything that the entry overlaps that it has a pair more or less; returns the entry's own pairs."""
        severities = self._relations.severities(code)
        total = np.zeros(NO_OVERLAP, dtype=np.int32)
        # Inside and equal are one run of the tree order; around are at most as many as an address has bits. What
        # overlaps a prefix is nothing else.
        for chunk, first, last in self.forest.spans(*self.span(prefix)):
            total += chunk.add_pairs(first, last, severities, step)
        for place, _, _ in ancestors:
            total += self.forest.chunks[place.chunk].add_pairs(place.at, place.at + 1, severities, step)
        return total


def pairs_with_owners(entries: Entries, of: Trees, behind: Entries) -> Entries:
    """The entries of trees with what they overlap of the tops' owners; `behind` is theirs in the layer behind."""
    if not len(behind.codes):
        return entries
    pair_counts = entries.pair_counts.copy(order="A")
    pair_counts[entries_of_others(entries.codes, of)] -= behind.pair_counts
    return Entries(entries.codes, pair_counts)
