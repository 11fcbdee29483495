"""How many pairs every entry of a forest takes part in, per severity, without looking at a pair.

Entries are sorted by (first address, length, owner, use). Then everything an entry overlaps and that sorts behind it
(equals behind it, and all strictly inside) is one contiguous run of positions `(p, end)`, and what it overlaps before
it are the runs it stands in. So for any class of entries (those of a cluster, of a network domain, of a domain and a
use) both sides come from two ranks:

    pairs(p, class) = #{x of class: x < end(p)} - #{x of class: end(x) <= p} - [p is of class]

All that begins before p's run ends, less what ended before p begins, is what p overlaps, and p itself. So a count is
two binary searches, whether an entry overlaps one other or a million.

Ranks are binary searches among sorted numbers `label << 32 | position`, so all clusters are one search, and all
domains another. Uses are looked at only where clusters of one network meet. Pairs that no relation names have the
default relation. Pure numpy; one family at a time.
"""

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.overlaps.engine.severity import (
    ITSELF,
    NO_OVERLAP,
    SEVERITY_TABLE,
    Relations,
    relation_code,
)
from periplus_hub.addresses.overlaps.engine.uses import USE_BITS, USE_MASK, USES
from periplus_hub.addresses.overlaps.model import Relation

Positions = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
PairCounts = npt.NDArray[np.int32]
"""Pairs an entry takes part in per severity, worst first: shape (entries, 4)."""

_LABEL_BITS: Final = 32
_RADIX_LABELS: Final = 1 << 16

_FIRST_USE, _FOUND = np.unique(SEVERITY_TABLE[:, : len(USES)], axis=1, return_index=True, return_inverse=True)[1:]
USE_GROUPS: Final = len(_FIRST_USE)
"""How many sets of uses there are that every row of the severity table treats alike."""
_GROUP: Final = np.zeros(USE_MASK + 1, dtype=np.int8)
_GROUP[: len(USES)] = _FOUND.reshape(-1)
_BY_GROUP: Final = SEVERITY_TABLE[:, _FIRST_USE][:, :, _FIRST_USE]
"""[relation, use group, use group] -> severity code."""


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
        self.owners = (codes >> USE_BITS).astype(np.int64)
        self.domains = relations.domains[self.owners]
        self.groups = _GROUP[codes & USE_MASK]
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
        one_network = np.zeros(len(self.owners), dtype=np.int64)
        met = np.flatnonzero(self.unassigned)
        self._assign(met, self.unassigned[met], self.relations.default, (one_network, self.domains))
        self._in_connected_domains(one_network)
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

    def _assign(
        self, chosen: Positions, pairs: Positions, relation: int, labels: tuple[Positions, ...], *, sign: int = 1
    ) -> None:
        """Give the pairs of chosen entries, all of one relation, to their severities; with `sign` -1, take them away.

        Most uses of the other side have one severity: it gets all, and then what is of other uses is taken out. The
        pairs are those with the same first label but without the same second one.
        """
        groups, table = self.groups[chosen], _BY_GROUP[relation]
        usual = np.array([np.bincount(row, minlength=NO_OVERLAP + 1).argmax() for row in table])
        self.counts[usual[groups], chosen] += sign * pairs
        present = np.bincount(groups, minlength=USE_GROUPS) > 0
        for group in np.flatnonzero(present):
            unusual = present & (table[:, group] != usual)
            if unusual.any():
                targets, askers = chosen[groups == group], chosen[unusual[groups]]
                found = self._with_targets(askers, targets, labels[0])
                for label in labels[1:]:
                    found -= self._with_targets(askers, targets, label)
                if len(labels) == 1:
                    found -= self.groups[askers] == group  # itself is no pair; behind a second label it is gone
                found *= sign
                self.counts[usual[self.groups[askers]], askers] -= found
                self.counts[table[self.groups[askers], group], askers] += found

    def _with_targets(self, askers: Positions, targets: Positions, labels: Positions) -> Positions:
        """How many targets of its own label each asker overlaps, itself among them if it is one."""
        labelled, wanted = labels[targets] << _LABEL_BITS, labels[askers] << _LABEL_BITS
        starts, ends = np.sort(labelled | targets), np.sort(labelled | self.ends[targets])
        until = np.searchsorted(starts, wanted | self.ends[askers])
        return until - np.searchsorted(ends, wanted | askers, side="right")

    def _in_connected_domains(self, one_network: Positions) -> None:
        """Take the pairs of connected domains out of those that have the default."""
        connected = self.relations.connected
        if not connected:
            return
        order = _order(self.domains)
        bounds = np.append(0, np.cumsum(np.bincount(self.domains)))
        inside = dict(enumerate(order[first:last] for first, last in pairwise(bounds.tolist())))
        for domain, links in connected.items():
            for other, relation in links.items():
                both = (inside.get(domain, order[:0]), inside.get(other, order[:0]))
                if domain < other and len(both[0]) and len(both[1]):
                    self._between_domains(np.sort(np.concatenate(both)), relation, one_network)

    def _between_domains(self, both: Positions, relation: int, one_network: Positions) -> None:
        found = self._with_targets(both, both, one_network) - self._with_targets(both, both, self.domains)
        met = np.flatnonzero(found)
        labels = (one_network, self.domains)
        self._assign(both[met], found[met], self.relations.default, labels, sign=-1)
        self._assign(both[met], found[met], relation, labels)


def _order(labels: Positions) -> Positions:
    """Positions by label, in order within each. Sixteen bits sort by radix, several times quicker."""
    small = labels.astype(np.uint16) if int(labels.max()) < _RADIX_LABELS else labels
    return np.argsort(small, kind="stable")
