"""The clusters to join, with all that is known of each. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from uuid import UUID

import numpy as np

from periplus_hub.addresses.ipam.engine.feeding import TOLD
from periplus_hub.addresses.ipam.engine.knowledge import Knowledge, Missing
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.uses import NODES, PODS, USES, Use

_READ: Final = frozenset({Knowledge.COMPLETE, Knowledge.INCOMPLETE})
EVERY_CLUSTER_HAS: Final = (AllocationKind.POD, AllocationKind.SERVICE, AllocationKind.NODE)


@dataclass(frozen=True, kw_only=True)
class Party:
    """One of the clusters to join. `cnis`, `aliases` and `provider` are empty where the cluster has not told them.

    `lacking` are the kinds of which not all is known, and why. `given` are the kinds that are known of one that is
    planned, whose knowledge is complete by word of a person.
    """

    name: str
    registration_id: UUID | None
    """None for one that is planned."""
    domain_id: UUID | None
    """Its network domain; None for one that is planned and of which it was not said."""
    knowledge: Knowledge
    columns: ClusterColumns
    lacking: Mapping[AllocationKind, tuple[Missing, ...]] = field(default_factory=dict)
    cnis: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    provider: str = ""
    given: frozenset[AllocationKind] = frozenset()

    @property
    def is_planned(self) -> bool:
        """Not built yet."""
        return self.registration_id is None

    @cached_property
    def uses(self) -> frozenset[Use]:
        """What it uses addresses for."""
        return frozenset(USES[use] for use in np.flatnonzero(np.bincount(self.columns.use)).tolist())

    @cached_property
    def pod_families(self) -> frozenset[int]:
        """The families of its pods' addresses."""
        is_pod = np.array([use in PODS for use in USES], dtype=np.bool_)
        return frozenset(np.flatnonzero(np.bincount(self.columns.prefixes.family[is_pod[self.columns.use]])).tolist())

    @cached_property
    def nodes(self) -> int:
        """How many nodes are known by their addresses."""
        is_node = np.array([use in NODES for use in USES], dtype=np.bool_)
        return len(set(self.columns.node[is_node[self.columns.use]].tolist()) - {0})

    @property
    def is_known_whole(self) -> bool:
        """All of it; of one that is planned what every cluster has."""
        return self.given.issuperset(EVERY_CLUSTER_HAS) if self.is_planned else self.knowledge is Knowledge.COMPLETE

    def unknown(self, kinds: Collection[AllocationKind]) -> tuple[AllocationKind, ...]:
        """Of these kinds, those of which not all is known that it uses.

        External addresses are given to services one by one: nobody plans them, so a cluster that is planned has none.
        """
        if self.knowledge is Knowledge.COMPLETE and not self.is_planned:
            return ()
        asked = [kind for kind in TOLD if kind in kinds]
        if self.is_planned:
            return tuple(kind for kind in asked if kind not in self.given and kind is not AllocationKind.EXTERNAL)
        if self.knowledge not in _READ:
            return tuple(asked)
        return tuple(kind for kind in asked if kind in self.lacking)
