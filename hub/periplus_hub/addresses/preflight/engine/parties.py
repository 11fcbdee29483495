"""The clusters to join, with all that is known of each. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from periplus_hub.addresses.ipam.engine.knowledge import Knowledge, Missing
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One of the clusters to join. `cnis` and `aliases` are empty where the cluster has not told them.

    `given` are the kinds that are known of one that is planned, whose knowledge is complete by word of a person.
    """

    name: str
    registration_id: UUID | None
    """None for one that is planned."""
    knowledge: Knowledge
    missing: tuple[Missing, ...]
    columns: ClusterColumns
    nodes: int
    cnis: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    given: frozenset[AllocationKind] = frozenset()

    @property
    def is_planned(self) -> bool:
        """Not built yet."""
        return self.registration_id is None

    def is_known(self, kinds: Iterable[AllocationKind]) -> bool:
        """Whether all is known that it uses for these kinds."""
        return self.given.issuperset(kinds) if self.is_planned else self.knowledge is Knowledge.COMPLETE
