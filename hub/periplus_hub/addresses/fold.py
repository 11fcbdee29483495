"""The register of one tenant with its clusters' names: what changed, in terms of stored groups. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.forest_build import GroupStats
from periplus_hub.addresses.model import Relation, Severity
from periplus_hub.addresses.prefixes import Prefix, PrefixColumns
from periplus_hub.addresses.register import Entry, Register
from periplus_hub.addresses.severity import KIND_BITS, KINDS, Relations

_NO_BYTES: Final = np.zeros(0, dtype=np.uint8)
_NO_WORDS: Final = np.zeros(0, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Topology:
    """Active clusters with their network domains, and how domains are connected."""

    domains: Mapping[UUID, UUID]
    connections: Mapping[tuple[UUID, UUID], Relation]

    def relation(self, a: UUID, b: UUID) -> Relation:
        """Between two clusters."""
        pair = (self.domains[a], self.domains[b])
        if pair[0] == pair[1]:
            return Relation.SAME
        return self.connections.get(pair) or self.connections.get((pair[1], pair[0])) or Relation.ISOLATED

    def only(self, registrations: Iterable[UUID]) -> "Topology":
        """Without the other clusters."""
        kept = set(registrations)
        return Topology({key: domain for key, domain in self.domains.items() if key in kept}, self.connections)


@dataclass(frozen=True, slots=True)
class ClusterColumns:
    """One cluster's allocations; `kind` are positions in `severity.KINDS`."""

    prefixes: PrefixColumns
    kind: npt.NDArray[np.uint8]

    def rows(self) -> set[tuple[Prefix, int]]:
        """As values, to compare with another set."""
        columns = self.prefixes
        values = zip(columns.high.tolist(), columns.low.tolist(), strict=True)
        prefixes = (
            Prefix(family, high << 64 | low, length)
            for family, (high, low), length in zip(
                columns.family.tolist(), values, columns.length.tolist(), strict=True
            )
        )
        return set(zip(prefixes, self.kind.tolist(), strict=True))


NO_ALLOCATIONS: Final = ClusterColumns(PrefixColumns(_NO_BYTES, _NO_WORDS, _NO_WORDS, _NO_BYTES), _NO_BYTES)


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group as the database has it."""

    id: UUID
    root: Prefix
    severity: Severity
    clusters: int
    members: int
    pairs: int
    since: datetime

    def says(self, group: GroupStats) -> bool:
        """Whether nothing is to be written."""
        now = (group.severity, group.clusters, group.members, sum(group.pairs))
        return now == (self.severity, self.clusters, self.members, self.pairs)


def register_of(
    topology: Topology, columns: Mapping[UUID, ClusterColumns], default: Relation = Relation.ISOLATED
) -> tuple[Register, list[UUID]]:
    """A full build, and the clusters by their number in it."""
    clusters = sorted(topology.domains)
    numbers = {domain: number for number, domain in enumerate(dict.fromkeys(topology.domains[c] for c in clusters))}
    connections = {
        (numbers[a], numbers[b]): relation
        for (a, b), relation in topology.connections.items()
        if a in numbers and b in numbers
    }
    relations = Relations([numbers[topology.domains[c]] for c in clusters], connections, default)
    parts = [columns.get(cluster, NO_ALLOCATIONS) for cluster in clusters]
    owners = np.repeat(np.arange(len(parts)), [len(part.kind) for part in parts])
    prefixes = [part.prefixes for part in (*parts, NO_ALLOCATIONS)]
    joined = PrefixColumns(
        np.concatenate([part.family for part in prefixes]),
        np.concatenate([part.high for part in prefixes]),
        np.concatenate([part.low for part in prefixes]),
        np.concatenate([part.length for part in prefixes]),
    )
    kinds = np.concatenate([part.kind for part in parts]) if parts else _NO_BYTES
    return Register(joined, (owners << KIND_BITS | kinds).astype(np.int32), relations), clusters


class Fold:
    """The register with the columns it was built from, so that a cluster's new set folds in as a difference."""

    def __init__(self, topology: Topology, columns: Mapping[UUID, ClusterColumns]) -> None:
        self.topology = topology
        self.columns = dict(columns)
        self.register, clusters = register_of(topology, self.columns)
        self._numbers = {cluster: number for number, cluster in enumerate(clusters)}

    def replace(self, cluster: UUID, columns: ClusterColumns) -> set[Prefix]:
        """The cluster's set is this now; returns the roots to look at again. Inactive clusters have no number."""
        before = self.columns.get(cluster, NO_ALLOCATIONS).rows()
        self.columns[cluster] = columns
        number = self._numbers.get(cluster)
        if number is None:
            return set()
        after = columns.rows()
        return self.register.change(
            [Entry(prefix, number, KINDS[kind]) for prefix, kind in before - after],
            [Entry(prefix, number, KINDS[kind]) for prefix, kind in after - before],
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """What to write: groups that are new or changed with their identity, and ids that are gone."""

    come: tuple[tuple[GroupStats, datetime], ...]
    changed: tuple[tuple[GroupStats, StoredGroup], ...]
    gone: tuple[StoredGroup, ...]


def difference(
    stored: Mapping[Prefix, StoredGroup], roots: Iterable[Prefix], register: Register, now: datetime
) -> Difference:
    """Compare stored groups with the register at `roots`.

    A group keeps its identity while its root keeps a group. A new root inherits the oldest `since` of the groups it
    swallowed, or of the group it was split from: the overlap did not start when its outline changed.
    """
    come, changed, gone = [], [], []
    for root in roots:
        group, known = register.group(root), stored.get(root)
        if group is None:
            if known is not None:
                gone.append(known)
        elif known is None:
            come.append(group)
        elif not known.says(group):
            changed.append((group, known))
    gone.sort(key=lambda group: group.root)
    heirs = tuple((group, min(_inherited(group.root, gone), default=now)) for group in come)
    return Difference(heirs, tuple(changed), tuple(gone))


def _inherited(root: Prefix, gone: list[StoredGroup]) -> Iterator[datetime]:
    """`since` of every vanished group inside `root` or around it. Vanished groups are disjoint."""
    start = bisect_left(gone, root, key=lambda group: group.root)
    if start and gone[start - 1].root.covers(root):
        yield gone[start - 1].since
    for group in gone[start:]:
        if not root.covers(group.root):
            return
        yield group.since
