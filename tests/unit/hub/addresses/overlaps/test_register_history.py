"""Whatever happened to a fleet, the stored groups are those of a register built from what is there now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.forest import GroupStats
from periplus_hub.addresses.overlaps.engine.stored_groups import GroupNow, StoredGroup, difference
from periplus_hub.addresses.overlaps.engine.tenant_register import Share, TenantRegister
from periplus_hub.addresses.overlaps.engine.topology import Topology
from periplus_hub.addresses.overlaps.engine.uses import USES, Use
from periplus_hub.addresses.overlaps.model import Relation, Severity
from periplus_hub.addresses.prefixes.prefix import Prefix, parse

from tests.support.clock import START
from tests.support.prefix_columns import prefix_columns

CLUSTERS = tuple(UUID(int=number) for number in range(1, 5))
DOMAINS = tuple(UUID(int=number) for number in range(11, 14))
BASE = {4: parse("10.0.0.0/28"), 6: parse("fd00::/124")}
Sets = Mapping[UUID, ClusterColumns]


def _prefix(family: int, bits: int, more: int) -> Prefix:
    base = BASE[family]
    length = base.length + more
    return Prefix(family, (base.value | bits << (124 - base.length)) >> (128 - length) << (128 - length), length)


def _columns(rows: set[tuple[Prefix, Use, int]]) -> ClusterColumns:
    ordered = sorted(rows, key=str)
    uses = np.array([USES.index(use) for _, use, _ in ordered], dtype=np.uint8)
    nodes = np.array([node for _, _, node in ordered], dtype=np.int64)
    return ClusterColumns(prefix_columns([prefix for prefix, _, _ in ordered]), uses, nodes)


prefixes = st.builds(_prefix, st.sampled_from([4, 6]), st.integers(0, 15), st.integers(0, 4))
sets = st.builds(_columns, st.sets(st.tuples(prefixes, st.sampled_from(USES), st.integers(0, 2)), max_size=8))
reports = st.dictionaries(st.sampled_from(CLUSTERS), sets, min_size=1, max_size=3)
topologies = st.builds(
    Topology,
    st.dictionaries(st.sampled_from(CLUSTERS), st.sampled_from(DOMAINS)),
    st.dictionaries(
        st.sampled_from([(DOMAINS[0], DOMAINS[1]), (DOMAINS[1], DOMAINS[2])]),
        st.sampled_from([Relation.FLAT, Relation.NAT, Relation.PLANNED]),
    ),
)
"""Clusters that a topology does not name are revoked, or not approved yet."""


Kept = tuple[Severity, int, int, int]


def kept(group: GroupStats) -> Kept:
    """What is stored of a group beside its root: of its pairs only how many they are, not how bad each is."""
    return group.severity, group.clusters, group.members, sum(group.pairs)


@dataclass
class Keeper:
    """What the register's keeper does, without a database."""

    sets: dict[UUID, ClusterColumns] = field(default_factory=dict)
    stored: dict[Prefix, tuple[StoredGroup, GroupNow]] = field(default_factory=dict)
    register: TenantRegister = field(default_factory=lambda: TenantRegister(Topology({}, {}), {}))
    made: int = 0

    def report(self, news: Sets) -> None:
        self.sets |= news
        self._store(self.register.replace_all(news))

    def move(self, topology: Topology) -> None:
        self.register = self.anew(topology)
        self._store({group.root for group in self.register.numbered.groups()} | self.stored.keys())

    def anew(self, topology: Topology) -> TenantRegister:
        return TenantRegister(
            topology, {cluster: self.sets[cluster] for cluster in topology.domains if cluster in self.sets}
        )

    def _store(self, roots: set[Prefix]) -> None:
        known = {root: group for root, (group, _) in self.stored.items()}
        changes = difference(known, roots, self.register, START)
        for gone in changes.gone:
            del self.stored[gone.root]
        for now, _ in changes.new:
            self.made += 1
            self._put(UUID(int=self.made), now)
        for now, before in changes.changed:
            self._put(before.id, now)

    def _put(self, identity: UUID, now: GroupNow) -> None:
        root, clusters, members, pairs, severity = now.stats
        group = StoredGroup(identity, root, severity, clusters, members, sum(pairs), START, now.shares_digest)
        self.stored[root] = group, now

    def says(self) -> dict[Prefix, tuple[Kept, list[Share]]]:
        return {root: (kept(now.stats), list(now.shares)) for root, (_, now) in self.stored.items()}


@given(st.lists(st.one_of(topologies, reports), max_size=8))
def test_what_is_stored_is_what_a_new_register_says(history: list[Topology | Sets]) -> None:
    keeper = Keeper()
    for event in history:
        if isinstance(event, Topology):
            keeper.move(event)
        else:
            keeper.report(event)
        anew = keeper.anew(keeper.register.topology)
        groups = {group.root: group for group in anew.numbered.groups()}
        shares = dict(zip(groups, anew.shares(list(groups)), strict=True))
        assert keeper.says() == {root: (kept(groups[root]), shares[root]) for root in groups}
