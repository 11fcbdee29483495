"""The register of one tenant, by its clusters' ids instead of numbers. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np

from periplus_hub.addresses.overlaps.engine.cluster_columns import NO_ALLOCATIONS, ClusterColumns
from periplus_hub.addresses.overlaps.engine.layers import Entry
from periplus_hub.addresses.overlaps.engine.register import Register
from periplus_hub.addresses.overlaps.engine.severity import Relations
from periplus_hub.addresses.overlaps.engine.topology import Topology
from periplus_hub.addresses.overlaps.engine.uses import USE_BITS, USES, uses_of_bits
from periplus_hub.addresses.overlaps.model import SEVERITIES, Relation
from periplus_hub.addresses.prefixes.columns import PrefixColumns
from periplus_hub.addresses.prefixes.prefix import Prefix

_USES_OF: Final[dict[int, str]] = {}
"""Names by bits: a few dozen at most."""


class Share(NamedTuple):
    """What one cluster has in a group, as stored; `uses` are joined by commas. See model.ClusterShare."""

    registration_id: UUID
    severity: str
    uses: str
    members: int

    def __str__(self) -> str:
        return f"{self.registration_id} {self.severity} {self.uses} {self.members}"


def register_of(
    topology: Topology, columns: Mapping[UUID, ClusterColumns], default: Relation = Relation.ISOLATED
) -> tuple[Register, list[UUID]]:
    """A full build, and the clusters by their number in it."""
    # In a fixed order: the same clusters then have the same numbers on every build, and two registers can be compared.
    clusters = sorted(topology.domains)
    numbers = {domain: number for number, domain in enumerate(dict.fromkeys(topology.domains[c] for c in clusters))}
    connections = {
        (numbers[a], numbers[b]): relation
        for (a, b), relation in topology.connections.items()
        if a in numbers and b in numbers
    }
    relations = Relations([numbers[topology.domains[c]] for c in clusters], connections, default)
    parts = [columns.get(cluster, NO_ALLOCATIONS) for cluster in clusters]
    owners = np.repeat(np.arange(len(parts)), [len(part.use) for part in parts])
    # The empty one lets a tenant without clusters through: nothing cannot be concatenated.
    prefixes = [part.prefixes for part in (*parts, NO_ALLOCATIONS)]
    joined = PrefixColumns(
        np.concatenate([part.family for part in prefixes]),
        np.concatenate([part.high for part in prefixes]),
        np.concatenate([part.low for part in prefixes]),
        np.concatenate([part.length for part in prefixes]),
    )
    uses = np.concatenate([part.use for part in (*parts, NO_ALLOCATIONS)])
    return Register(joined, (owners << USE_BITS | uses).astype(np.int32), relations), clusters


class TenantRegister:
    """The register with the columns it was built from, so that a cluster's new set goes in as a difference."""

    def __init__(
        self, topology: Topology, columns: Mapping[UUID, ClusterColumns], default: Relation = Relation.ISOLATED
    ) -> None:
        self.topology = topology
        self.columns = dict(columns)
        self.numbered, self.clusters = register_of(topology, self.columns, default)
        self._numbers = {cluster: number for number, cluster in enumerate(self.clusters)}

    def shares(self, roots: Sequence[Prefix]) -> list[list[Share]]:
        """What every cluster has in each of these groups, by cluster."""
        found = self.numbered.shares(roots)
        columns = (found.group, found.owner, found.severity, found.uses, found.members)
        shares: list[list[Share]] = [[] for _ in roots]
        for group, owner, severity, uses, members in zip(*(column.tolist() for column in columns), strict=True):
            names = _USES_OF.get(uses) or _USES_OF.setdefault(uses, ",".join(uses_of_bits(uses)))
            shares[group].append(Share(self.clusters[owner], SEVERITIES[severity].value, names, members))
        return shares

    def replace(self, cluster: UUID, columns: ClusterColumns) -> set[Prefix]:
        """The cluster's set is this now; returns the roots to look at again. Inactive clusters have no number."""
        before = self.columns.get(cluster, NO_ALLOCATIONS)
        # Kept for inactive clusters too. What they have does not count now, and is the "before" of the next difference.
        self.columns[cluster] = columns
        number = self._numbers.get(cluster)
        if number is None:
            return set()
        return self.numbered.change(
            [Entry(prefix, number, USES[use]) for prefix, use in before.without(columns)],
            [Entry(prefix, number, USES[use]) for prefix, use in columns.without(before)],
        )

    def replace_all(self, sets: Mapping[UUID, ClusterColumns]) -> set[Prefix]:
        """Several clusters' sets are these now."""
        return set().union(*(self.replace(cluster, columns) for cluster, columns in sets.items()))
