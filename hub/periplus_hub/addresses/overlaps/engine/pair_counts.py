"""How many pairs every entry of a forest takes part in, per severity, without looking at a pair.

Entries are sorted by (first address, length, owner, kind). Then everything an entry overlaps and that sorts behind it
(equals behind it, and all strictly inside) is one contiguous run of positions `(p, end)`, and what it overlaps before
it are the runs it stands in. So for any class of entries (those of a cluster, of a network domain, of a domain and a
kind) both sides come from two ranks:

    pairs(p, class) = #{x of class: x < end(p)} - #{x of class: end(x) <= p} - [p is of class]

All that begins before p's run ends, less what ended before p begins, is what p overlaps, and p itself. So a count is
two binary searches, whether an entry overlaps one other or a million.

Ranks are binary searches among sorted numbers `label << 32 | position`, so all clusters are one search, and all
domains another. Kinds are looked at only where clusters of one network meet. Pairs that no relation names have the
default relation. Pure numpy; one family at a time.
"""

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.severity import (
    ITSELF,
    KIND_BITS,
    KIND_MASK,
    KINDS,
    NO_OVERLAP,
    SEVERITY_TABLE,
    Relations,
    relation_code,
)
from periplus_hub.addresses.overlaps.model import Relation

Positions = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
PairCounts = npt.NDArray[np.int32]
"""Pairs an entry takes part in per severity, worst first: shape (entries, 4)."""

_LABEL_BITS: Final = 32
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
_FIRST_KIND: Final = np.array([KINDS.index(group[0]) for group in KIND_GROUPS])
_BY_GROUP: Final = SEVERITY_TABLE[:, _FIRST_KIND][:, :, _FIRST_KIND]
"""[relation, kind group, kind group] -> severity code."""


def count_pairs(codes: Codes, ends: Positions, relations: Relations) -> PairCounts:
    """For entries in tree order; `ends` are the positions behind what each one holds."""
    size = len(codes)
    # The formula above with all entries as one class: as many have begun before a run ends as its end says, and
    # `closed` of them ended before it began.
    closed = np.cumsum(np.bincount(ends, minlength=size + 1))[:size]
    total = ends - 1 - closed
    has_pairs = total > 0
    pair_counts = np.zeros((NO_OVERLAP, size), dtype=np.int32).T  # a severity's column is contiguous
    busy = np.flatnonzero(has_pairs)
    if len(busy):
        before = np.append(0, np.cumsum(has_pairs))
        counts = _Counter(codes[busy], before[ends[busy]], total[busy], relations).count()
        for severity, pairs in enumerate(counts):
            pair_counts[busy, severity] = pairs
    return pair_counts


class _Counter:
    """Counts of entries that have pairs at all; the others, often most, are left out before."""

    def __init__(self, codes: Codes, ends: Positions, total: Positions, relations: Relations) -> None:
        self.owners = (codes >> KIND_BITS).astype(np.int64)
        self.domains = relations.domains[self.owners]
        self.groups = _GROUP[codes & KIND_MASK]
        self.ends = ends
        self.unassigned = total
        """Pairs not given to any relation yet."""
        self.relations = relations
        self.counts = np.zeros((NO_OVERLAP + 1, len(codes)), dtype=np.int64)

    def count(self) -> npt.NDArray[np.int64]:
        """Shape (4, entries)."""
        own, within = self._with_same_label(self.owners), self._within_domains()
        pairs = own if within is None else within
        self.unassigned -= pairs
        clash = np.flatnonzero(own)
        self._assign(clash, own[clash], ITSELF, (self.owners,))
        if within is not None:
            met = np.flatnonzero(within > own)
            same = relation_code(Relation.SAME)
            self._assign(met, within[met] - own[met], same, (self.domains, self.owners))
        self._in_connected_domains()
        self.counts[int(_BY_GROUP[self.relations.default][0, 0])] += self.unassigned
        return self.counts[:NO_OVERLAP]

    def _within_domains(self) -> Positions | None:
        """Pairs of every entry with entries of its domain; None when every domain has one cluster."""
        clusters = np.bincount(self.relations.domains[np.flatnonzero(np.bincount(self.owners))])
        return self._with_same_label(self.domains) if (clusters > 1).any() else None

    def _with_same_label(self, labels: Positions) -> Positions:
        """Pairs of every entry with entries of its own label."""
        order = _order(labels)
        labelled = labels[order] << _LABEL_BITS
        here, end = labelled | order, labelled | self.ends[order]
        pairs = np.empty(len(labels), dtype=np.int64)
        pairs[order] = np.searchsorted(here, end) - np.searchsorted(np.sort(end), here, side="right") - 1
        return pairs

    def _assign(self, chosen: Positions, pairs: Positions, relation: int, labels: tuple[Positions, ...]) -> None:
        """Give the pairs of chosen entries, all of one relation, to their severities.

        Most kinds of the other side have one severity: it gets all, and then what is of other kinds is taken out. The
        pairs are those with the same first label but without the same second one.
        """
        groups, table = self.groups[chosen], _BY_GROUP[relation]
        usual = np.array([np.bincount(row, minlength=NO_OVERLAP + 1).argmax() for row in table])
        self.counts[usual[groups], chosen] += pairs
        for group in range(len(KIND_GROUPS)):
            unusual = table[:, group] != usual
            targets, askers = chosen[groups == group], chosen[unusual[groups]]
            if len(targets) and len(askers):
                found = self._with_targets(askers, targets, labels[0])
                for label in labels[1:]:
                    found -= self._with_targets(askers, targets, label)
                self.counts[usual[self.groups[askers]], askers] -= found
                self.counts[table[self.groups[askers], group], askers] += found

    def _with_targets(self, askers: Positions, targets: Positions, labels: Positions) -> Positions:
        """How many targets of its own label each asker overlaps, itself among them if it is one."""
        labelled, wanted = labels[targets] << _LABEL_BITS, labels[askers] << _LABEL_BITS
        starts, ends = np.sort(labelled | targets), np.sort(labelled | self.ends[targets])
        until = np.searchsorted(starts, wanted | self.ends[askers])
        return until - np.searchsorted(ends, wanted | askers, side="right")

    def _in_connected_domains(self) -> None:
        """Take the pairs of connected domains out of the rest."""
        connected = self.relations.connected
        if not connected:
            return
        order = _order(self.domains)
        bounds = np.append(0, np.cumsum(np.bincount(self.domains)))
        inside = dict(enumerate(order[first:last] for first, last in pairwise(bounds.tolist())))
        one_network = np.zeros(len(order), dtype=np.int64)
        for domain, links in connected.items():
            for other, relation in links.items():
                both = (inside.get(domain, order[:0]), inside.get(other, order[:0]))
                if domain < other and len(both[0]) and len(both[1]):
                    self._between_domains(np.sort(np.concatenate(both)), relation, one_network)

    def _between_domains(self, both: Positions, relation: int, one_network: Positions) -> None:
        found = self._with_targets(both, both, one_network) - self._with_targets(both, both, self.domains)
        met = np.flatnonzero(found)
        self.unassigned[both[met]] -= found[met]
        self._assign(both[met], found[met], relation, (one_network, self.domains))


def _order(labels: Positions) -> Positions:
    """Positions by label, in order within each. Sixteen bits sort by radix, several times quicker."""
    small = labels.astype(np.uint16) if int(labels.max()) < _RADIX_LABELS else labels
    return np.argsort(small, kind="stable")
