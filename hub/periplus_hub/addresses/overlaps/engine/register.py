"""The overlap register: which groups there are now, and whom each one hurts how much, exact through single changes.

A cluster's outermost ranges are those that lie in no other range of its own. Two allocations that overlap lie each in
an outermost range of its cluster, and the wider of these two is where the clusters meet. All pairs that meet at one
range are a group, and the range is its root. So a range that a cluster puts around others makes one group more, of what
that cluster overlaps, and leaves theirs as they are. Groups may lie inside one another; every pair is in exactly one.

The register finds them in layers (layers.py): a top of a layer with what its owners overlap inside it is a group. It
keeps, per allocation and layer, how many pairs of each severity it takes part in. In its group an allocation's severity
is the worst that has one, a cluster's is the worst of its allocations, a group's is the worst of all. Pairs are never
materialised: a thousand clusters on one default are one group and half a million pairs.

Cost of a change: in each layer it is in, the tree depth, plus one pass over what is equal to the changed prefix or
inside it. When a range comes or goes that lies around others' outermost ranges, what is inside it is counted anew.
Pure.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.overlaps.engine.chunked_forest import Entries, join_entries
from periplus_hub.addresses.overlaps.engine.cluster_shares import Shares, shares_of
from periplus_hub.addresses.overlaps.engine.forest import (
    EMPTY,
    Forest,
    GroupStats,
    Trees,
    build,
    entries_of_others,
    forest_of,
    groups_of,
    trees,
)
from periplus_hub.addresses.overlaps.engine.layers import Entry, Layer, Step, pairs_with_owners
from periplus_hub.addresses.overlaps.engine.pair_counts import Codes, PairCounts
from periplus_hub.addresses.overlaps.engine.severity import Relations, worst, worst_codes
from periplus_hub.addresses.overlaps.engine.uses import USE_BITS
from periplus_hub.addresses.prefixes.columns import PrefixColumns
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, Prefix
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes

_COUNTED_AT_BUILD: Final = 16_384
"""Groups larger than this get their owners counted at the build, so that the first change is quick too."""

_ONE_BY_ONE: Final = 256
"""Up to here groups are looked up one by one; for more it is quicker to go through everything once."""

_NO_SIZES: Final = np.zeros(0, dtype=np.int64)


class Members(NamedTuple):
    """Everything inside a group in tree order, one row per allocation.

    `codes` are `owner << USE_BITS | use`; `severities` are positions in `model.SEVERITIES`, or
    `severity.NO_OVERLAP` for what overlaps nobody there.
    """

    family: int
    prefixes: FamilyPrefixes
    codes: Codes
    severities: npt.NDArray[np.int8]


class _Family:
    """The register of one family.

    Clusters and members of a group are counted when somebody asks, and kept exact from then on (`entries_by_owner`);
    until then the group is `uncounted`. To count is to go through the whole group, which a change must not cost.
    """

    def __init__(self, forest: Forest, family: int, relations: Relations) -> None:
        self.family = family
        self.relations = relations
        self.layers = [Layer(forest, family, relations)]
        self.groups: dict[Prefix, GroupStats] = {}
        self.depth: dict[Prefix, int] = {}
        """The layer that a group is of."""
        self.entries_by_owner: dict[Prefix, dict[int, int]] = {}
        self.uncounted: set[Prefix] = set()
        for depth, groups in self._groups_from(0, forest, None):
            self._add_groups(depth, groups)
        self.order = sorted(self.groups)

    def _groups_from(self, depth: int, forest: Forest, around: Prefix | None) -> Iterator[tuple[int, list[GroupStats]]]:
        """The groups of a layer and of those behind it, made anew there: all of it, or what is inside a range of it."""
        while True:
            rows = entries_of_others(forest.codes, trees(forest))
            inner = forest_of(forest, rows, self.relations, self.family) if len(rows) else EMPTY
            if len(rows):
                # Of others' pairs those among themselves belong to groups further in. They are exactly what the next
                # layer counts, so the groups here need no count of their own. The forest is copied, because the layer
                # keeps its counts whole: a change adds to them without knowing whose group a pair is in.
                pair_counts = forest.pair_counts.copy(order="A")
                pair_counts[rows] -= inner.pair_counts
                forest = replace(forest, pair_counts=pair_counts)
            # Its own layer stands by now, which counting the members of its groups needs; those behind do not yet.
            yield depth, groups_of(forest, self.family)
            depth += 1
            # An empty layer that exists is spliced all the same: what it held around this range before has to go.
            if depth == len(self.layers) and not len(rows):
                return
            layer = self._layer(depth)
            layer.forest.splice(*(layer.forest.whole() if around is None else layer.span(around)), inner)
            forest = inner

    def _layer(self, depth: int) -> Layer:
        if depth == len(self.layers):
            self.layers.append(Layer(EMPTY, self.family, self.relations))
        return self.layers[depth]

    def _add_groups(self, depth: int, groups: Sequence[GroupStats]) -> None:
        now = {group.root: group for group in groups}
        self.groups |= now
        self.depth |= dict.fromkeys(now, depth)
        for group in groups:
            if group.members > _COUNTED_AT_BUILD:
                self._count_members(group.root)

    def _count_members(self, root: Prefix) -> None:
        layer = self.layers[self.depth[root]]
        codes = layer.forest.entries(*layer.span(root)).codes
        counts = np.bincount(codes >> USE_BITS)
        present = np.flatnonzero(counts)
        self.entries_by_owner[root] = dict(zip(present.tolist(), counts[present].tolist(), strict=True))
        self.groups[root] = self.groups[root]._replace(clusters=len(present), members=len(codes))
        self.uncounted.discard(root)

    def stats(self, root: Prefix) -> GroupStats | None:
        if root in self.uncounted:
            self._count_members(root)
        return self.groups.get(root)

    def inside(self, depth: int, roots: Sequence[Prefix]) -> tuple[Entries, npt.NDArray[np.int64]]:
        """The entries of tops of a layer, one top after the other, and how many each has."""
        if len(roots) <= _ONE_BY_ONE:
            parts = [self._inside(depth, root) for root in roots]
            return join_entries(parts), np.array([len(part.codes) for part in parts], dtype=np.int64)
        of = FamilyPrefixes.of_prefixes(roots)
        entries, sizes, at_top = self.layers[depth].inside(of)
        if depth + 1 == len(self.layers):
            return entries, sizes
        first = np.cumsum(sizes) - sizes
        of_each = Trees(np.arange(len(roots)), first, first + at_top, first + sizes)
        behind, others, _ = self.layers[depth + 1].inside(of)
        return pairs_with_owners(entries, of_each.take(np.flatnonzero(others)), behind), sizes

    def _inside(self, depth: int, root: Prefix) -> Entries:
        layer = self.layers[depth]
        start, stop = layer.span(root)
        entries = layer.forest.entries(start, stop)
        if depth + 1 == len(self.layers):
            return entries
        behind = self.layers[depth + 1]
        # One tree, by position: its top, its first entry, the first that is not the top's own, its end.
        bounds = (0, 0, int(layer.forest.chunks[start.chunk].sizes[start.at]), len(entries.codes))
        of = Trees(*(np.array([bound]) for bound in bounds))
        return pairs_with_owners(entries, of, behind.forest.entries(*behind.span(root)))

    def members(self, root: Prefix) -> Members:
        depth = next((number for number, layer in enumerate(self.layers) if layer.has_top(root)), None)
        chunks, span = self.layers[depth or 0].forest, self.layers[depth or 0].span(root)
        prefixes, sizes = chunks.columns(*span)
        entries = chunks.entries(*span) if depth is None else self._inside(depth, root)
        return Members(root.family, prefixes.repeat(sizes), entries.codes, worst_codes(entries.pair_counts))

    def insert(self, entry: Entry) -> set[Prefix]:
        """Returns the roots whose group changed, appeared or vanished."""
        steps: list[Step] = []
        # No further in than where owners change: from there on `_find_anew` makes the layers again, with the entry.
        while not steps or (steps[-1].in_next_layer and not steps[-1].owners_change):
            steps.append(self._layer(len(steps)).insert(entry))
        return self._change_groups(steps, entry.owner, 1)

    def remove(self, entry: Entry) -> set[Prefix]:
        """Returns the roots whose group changed, appeared or vanished."""
        steps: list[Step] = []
        while not steps or (steps[-1].in_next_layer and not steps[-1].owners_change):
            step = self._layer(len(steps)).remove(entry)
            if step is None:
                return set()
            steps.append(step)
        return self._change_groups(steps, entry.owner, -1)

    def _change_groups(self, steps: Sequence[Step], owner: int, sign: int) -> set[Prefix]:
        """What an entry did to the groups that it came into, or that it left.

        From the innermost layer out: its pairs in a layer, less those in the one behind, are its pairs in the group of
        the layer's top. Where owners change, the range is found anew from there, and only the layers before it are
        adjusted.
        """
        changed = self._find_anew(len(steps) - 1, steps[-1].top) if steps[-1].owners_change else set()
        behind = np.zeros_like(steps[-1].pairs)
        for depth, step in reversed(list(enumerate(steps))):
            if not step.owners_change and self._change_group(
                depth, step.top, sign * (step.pairs - behind), owner, sign
            ):
                changed.add(step.top)
            behind = step.pairs
        return changed

    def _find_anew(self, depth: int, around: Prefix) -> set[Prefix]:
        """Find anew what is inside a range from a layer on; returns the roots of which the group is another now."""
        start = bisect_left(self.order, around)
        # Length 0 sorts before every prefix that begins at the same address, so this is right behind the subtree.
        stop = bisect_left(self.order, Prefix(around.family, around.last + 1, 0))
        before = {root: self._forget(root) for root in self.order[start:stop]}
        chunks, span = self.layers[depth].forest, self.layers[depth].span(around)
        now: dict[Prefix, GroupStats] = {}
        for number, groups in self._groups_from(depth, chunks.as_forest(*span), around):
            self._add_groups(number, groups)
            now |= {group.root: group for group in groups}
        self.order[start:stop] = sorted(now)
        # Only from the innermost out: a layer is empty only if all behind it are, as each holds a part of the one
        # before.
        while not self.layers[-1].forest.chunks and len(self.layers) > 1:
            self.layers.pop()
        return {root for root in before.keys() | now.keys() if before.get(root) != now.get(root)}

    def _change_group(self, depth: int, root: Prefix, pairs: PairCounts, owner: int, members: int) -> bool:
        """A change inside a top that stays; whether it changes a group."""
        group = self.groups.get(root)
        # Both sides of a pair are in one group, so what the entry came or went with is what the group gains or loses:
        # unlike the counts of a forest, not to be halved.
        total = tuple(map(int, pairs)) if group is None else _sum(group.pairs, pairs.tolist())
        severity = worst(total)
        if severity is None:
            if group is not None:
                self._close(root)
            return group is not None
        if group is None:
            self._open(depth, GroupStats(root, 0, 0, total, severity))
            return True
        counts = self.entries_by_owner.get(root)
        if counts is None:
            self.uncounted.add(root)
        else:
            counts[owner] = counts.get(owner, 0) + members
            if not counts[owner]:
                del counts[owner]
            group = group._replace(clusters=len(counts), members=group.members + members)
        self.groups[root] = group._replace(pairs=total, severity=severity)
        return True

    def _open(self, depth: int, group: GroupStats) -> None:
        self.groups[group.root] = group
        self.depth[group.root] = depth
        self.uncounted.add(group.root)
        insort(self.order, group.root)

    def _close(self, root: Prefix) -> None:
        self._forget(root)
        del self.order[bisect_left(self.order, root)]

    def _forget(self, root: Prefix) -> GroupStats | None:
        """None where its members were not counted."""
        group, uncounted = self.groups.pop(root), root in self.uncounted
        del self.depth[root]
        self.entries_by_owner.pop(root, None)
        self.uncounted.discard(root)
        return None if uncounted else group


def _sum(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


class Register:
    """All overlap groups of one tenant, both families."""

    def __init__(self, columns: PrefixColumns, codes: Codes, relations: Relations) -> None:
        """Full build; `codes` are `owner << USE_BITS | use` per row of `columns`."""
        self.relations = relations
        self._families = {family: self._build(columns, codes, family) for family in FAMILY_BITS}

    def _build(self, columns: PrefixColumns, codes: Codes, family: int) -> _Family:
        rows = columns.family == family
        part, part_codes = (columns, codes) if rows.all() else (columns.take(rows), codes[rows])
        forest = build(part.high, part.low, part.length, part_codes, self.relations, family)
        return _Family(forest, family, self.relations)

    def insert(self, entry: Entry) -> set[Prefix]:
        """Add one allocation; returns the roots to look at again."""
        return self._families[entry.prefix.family].insert(entry)

    def remove(self, entry: Entry) -> set[Prefix]:
        """Take one allocation out; returns the roots to look at again. Unknown entries change nothing."""
        return self._families[entry.prefix.family].remove(entry)

    def change(self, gone: Iterable[Entry], come: Iterable[Entry]) -> set[Prefix]:
        """A cluster's change set.

        Its outermost ranges come first and go last: what lies in one that is not there would be taken for outermost
        itself, and be moved between layers twice.
        """
        roots: set[Prefix] = set()
        for entry in sorted(gone, reverse=True):
            roots |= self.remove(entry)
        for entry in sorted(come):
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
        places: dict[tuple[int, int], list[int]] = defaultdict(list)
        for at, root in enumerate(roots):
            depth = self._families[root.family].depth.get(root)
            if depth is not None:
                places[root.family, depth].append(at)
        parts = [
            self._families[family].inside(depth, [roots[at] for at in those])
            for (family, depth), those in places.items()
        ]
        entries = join_entries([part for part, _ in parts])
        found = shares_of(
            entries.codes, entries.pair_counts, np.concatenate([_NO_SIZES, *(sizes for _, sizes in parts)])
        )
        return found.renumbered([at for those in places.values() for at in those])

    def members(self, root: Prefix) -> Members:
        """Everything inside the group rooted at `root`, with the severity of each."""
        return self._families[root.family].members(root)

    def nbytes(self) -> int:
        """Memory of the columns, without Python's overhead for the groups."""
        return sum(layer.forest.nbytes() for family in self._families.values() for layer in family.layers)
