"""The register of one tenant with its clusters' names: what changed, in terms of stored groups. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from operator import itemgetter
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.forest_build import GroupStats
from periplus_hub.addresses.layers import Entry
from periplus_hub.addresses.model import SEVERITIES, Relation, Severity
from periplus_hub.addresses.planner import SPACES, FreeRanges, free_ranges
from periplus_hub.addresses.prefixes import Prefix, PrefixColumns
from periplus_hub.addresses.register import Register
from periplus_hub.addresses.severity import KIND_BITS, KINDS, Relations, kinds_of

_NO_BYTES: Final = np.zeros(0, dtype=np.uint8)
_KINDS_OF: Final[dict[int, str]] = {}
"""Names by bits: a few dozen at most."""
_ROW: Final = np.dtype([("high", "u8"), ("low", "u8"), ("family", "u1"), ("length", "u1"), ("kind", "u1")])
_NO_WORDS: Final = np.zeros(0, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Topology:
    """Active clusters with their network domains, and how domains are connected."""

    domains: Mapping[UUID, UUID]
    connections: Mapping[tuple[UUID, UUID], Relation]

    @property
    def digest(self) -> str:
        """Equal for equal topologies."""
        clusters = sorted(f"{cluster} {domain}" for cluster, domain in self.domains.items())
        connected = sorted(f"{a} {b} {mode}" for (a, b), mode in self.connections.items())
        return sha256("\n".join([*clusters, "", *connected]).encode()).hexdigest()

    def relation(self, a: UUID, b: UUID) -> Relation:
        """Between two clusters."""
        pair = (self.domains[a], self.domains[b])
        if pair[0] == pair[1]:
            return Relation.SAME
        return self.connections.get(pair) or self.connections.get((pair[1], pair[0])) or Relation.ISOLATED

    def relations(self, clusters: Collection[UUID], default: Relation = Relation.ISOLATED) -> frozenset[Relation]:
        """Every relation there is between two of these clusters; domains that nobody connected have the default."""
        homes = Counter(self.domains[cluster] for cluster in clusters)
        found = {Relation.SAME} if len(homes) < len(clusters) else set()
        modes = [mode for (a, b), mode in self.connections.items() if a in homes and b in homes]
        found.update(modes)
        if len(modes) < len(homes) * (len(homes) - 1) // 2:
            found.add(default)
        return frozenset(found)

    def only(self, registrations: Iterable[UUID]) -> "Topology":
        """Without the other clusters."""
        kept = set(registrations)
        return Topology({key: domain for key, domain in self.domains.items() if key in kept}, self.connections)


@dataclass(frozen=True, slots=True)
class ClusterColumns:
    """One cluster's allocations; `kind` are positions in `severity.KINDS`."""

    prefixes: PrefixColumns
    kind: npt.NDArray[np.uint8]

    def without(self, other: "ClusterColumns") -> list[tuple[Prefix, int]]:
        """The rows that the other one does not have, as values; those are few."""
        columns = self.prefixes
        rows = np.flatnonzero(~np.isin(self.packed(), other.packed()))
        halves = zip(columns.high[rows].tolist(), columns.low[rows].tolist(), strict=True)
        names = zip(columns.family[rows].tolist(), halves, columns.length[rows].tolist(), strict=True)
        prefixes = (Prefix(family, high << 64 | low, length) for family, (high, low), length in names)
        return list(zip(prefixes, self.kind[rows].tolist(), strict=True))

    def packed(self) -> npt.NDArray[np.void]:
        """Rows as values that compare as wholes."""
        columns = self.prefixes
        rows = np.empty(len(self.kind), dtype=_ROW)
        for name, column in (("high", columns.high), ("low", columns.low), ("family", columns.family)):
            rows[name] = column
        rows["length"], rows["kind"] = columns.length, self.kind
        return rows.view(f"V{_ROW.itemsize}")


NO_ALLOCATIONS: Final = ClusterColumns(PrefixColumns(_NO_BYTES, _NO_WORDS, _NO_WORDS, _NO_BYTES), _NO_BYTES)


class Share(NamedTuple):
    """What one cluster has in a group, as stored; `kinds` are joined by commas. See model.ClusterShare."""

    registration_id: UUID
    severity: str
    kinds: str
    members: int

    def __str__(self) -> str:
        return f"{self.registration_id} {self.severity} {self.kinds} {self.members}"


def mark_of(shares: str) -> int:
    """A number for the shares of a group, joined by semicolons in the order of their clusters, to compare them by."""
    return hash(shares)


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group as the database has it; `mark` stands for its clusters' shares."""

    id: UUID
    root: Prefix
    severity: Severity
    clusters: int
    members: int
    pairs: int
    since: datetime
    mark: int

    def says(self, group: GroupStats, mark: int) -> bool:
        """Whether nothing is to be written."""
        now = (group.severity, group.clusters, group.members, sum(group.pairs), mark)
        return now == (self.severity, self.clusters, self.members, self.pairs, self.mark)


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

    def __init__(
        self, topology: Topology, columns: Mapping[UUID, ClusterColumns], default: Relation = Relation.ISOLATED
    ) -> None:
        self.topology = topology
        self.columns = dict(columns)
        self.register, self.clusters = register_of(topology, self.columns, default)
        self._numbers = {cluster: number for number, cluster in enumerate(self.clusters)}

    def shares(self, roots: Sequence[Prefix]) -> list[list[Share]]:
        """What every cluster has in each of these groups, by cluster."""
        found = self.register.shares(roots)
        columns = (found.group, found.owner, found.severity, found.kinds, found.members)
        shares: list[list[Share]] = [[] for _ in roots]
        for group, owner, severity, kinds, members in zip(*(column.tolist() for column in columns), strict=True):
            names = _KINDS_OF.get(kinds) or _KINDS_OF.setdefault(kinds, ",".join(kinds_of(kinds)))
            shares[group].append(Share(self.clusters[owner], SEVERITIES[severity].value, names, members))
        return shares

    def free(self) -> FreeRanges:
        """The lowest free range of every size."""
        return {
            size: free
            for family in SPACES
            for size, free in free_ranges(self.register.prefixes(family), family).items()
        }

    def replace(self, cluster: UUID, columns: ClusterColumns) -> set[Prefix]:
        """The cluster's set is this now; returns the roots to look at again. Inactive clusters have no number."""
        before = self.columns.get(cluster, NO_ALLOCATIONS)
        self.columns[cluster] = columns
        number = self._numbers.get(cluster)
        if number is None:
            return set()
        return self.register.change(
            [Entry(prefix, number, KINDS[kind]) for prefix, kind in before.without(columns)],
            [Entry(prefix, number, KINDS[kind]) for prefix, kind in columns.without(before)],
        )

    def replace_all(self, sets: Mapping[UUID, ClusterColumns]) -> set[Prefix]:
        """Several clusters' sets are these now."""
        return set().union(*(self.replace(cluster, columns) for cluster, columns in sets.items()))


class GroupNow(NamedTuple):
    """A group and its clusters' shares as they are now."""

    stats: GroupStats
    shares: Sequence[Share]
    mark: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What to write: groups that are new or changed with their identity, and ids that are gone."""

    come: tuple[tuple[GroupNow, datetime], ...]
    changed: tuple[tuple[GroupNow, StoredGroup], ...]
    gone: tuple[StoredGroup, ...]


def difference(stored: Mapping[Prefix, StoredGroup], roots: Iterable[Prefix], fold: Fold, now: datetime) -> Difference:
    """Compare stored groups with the register at `roots`.

    A group keeps its identity while its root keeps a group. A new root inherits the oldest `since` of the groups that
    vanished inside or around it: an overlap does not start when its outline changes.
    """
    found = {root: fold.register.group(root) for root in roots}
    gone = sorted((stored[root] for root in found.keys() & stored.keys() if found[root] is None), key=_root)
    come, changed = [], []
    since = _inherited(found.keys() - stored.keys(), gone)
    for group in _with_shares([group for group in found.values() if group is not None], fold):
        known = stored.get(group.stats.root)
        if known is None:
            come.append((group, min(since[group.stats.root], now)))
        elif not known.says(group.stats, group.mark):
            changed.append((group, known))
    return Difference(tuple(come), tuple(changed), tuple(gone))


def _with_shares(groups: Sequence[GroupStats], fold: Fold) -> Iterator[GroupNow]:
    for group, shares in zip(groups, fold.shares([group.root for group in groups]), strict=True):
        yield GroupNow(group, shares, mark_of(";".join(map(str, shares))))


def _root(group: StoredGroup) -> Prefix:
    return group.root


def _inherited(roots: Iterable[Prefix], gone: Iterable[StoredGroup]) -> dict[Prefix, datetime]:
    """By new root, the oldest `since` of every vanished group inside or around it."""
    oldest = dict.fromkeys(roots, datetime.max.replace(tzinfo=UTC))
    marks = [(group.root, group.since) for group in gone] + [(root, None) for root in oldest]
    around: list[tuple[Prefix, datetime | None]] = []
    for root, since in sorted(marks, key=itemgetter(0)):
        while around and not around[-1][0].covers(root):
            around.pop()
        for outer, outer_since in around:
            if since is not None and outer_since is None:
                oldest[outer] = min(oldest[outer], since)
            elif since is None and outer_since is not None:
                oldest[root] = min(oldest[root], outer_since)
        around.append((root, since))
    return oldest
