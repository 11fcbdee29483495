"""What detectors look at. Pure: `service_facts.py` knows where each comes from."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast
from uuid import UUID

from periplus_hub.addresses.ipam.engine.knowledge import Missing
from periplus_hub.addresses.ipam.model import LeakingPools, PoolCheck, ShortPools
from periplus_hub.addresses.overlaps.model import Explanation, NamedClusters, OverlapGroup, RegisterStatus
from periplus_hub.dependencies.engine.watched import Watched
from periplus_hub.dependencies.model import Coverage
from periplus_hub.findings.listening import Listening
from periplus_hub.fleet.model import Machines, Registration
from periplus_hub.ingest.model import RecentBatch
from periplus_hub.inventory.model import Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Fact(Generic[T]):
    """The key of something that can be known of a tenant."""

    name: str


class Facts:
    """Those that are known in one round."""

    def __init__(self, known: Mapping[Fact[Any], Any]) -> None:
        self._known = known

    def __getitem__(self, fact: Fact[T]) -> T:
        """Raises LookupError where nobody said that it is needed."""
        if fact not in self._known:
            msg = f"the fact {fact.name!r} was not loaded: add it to the detector's needs"
            raise LookupError(msg)
        return cast("T", self._known[fact])

    def only(self, needs: Iterable[Fact[Any]]) -> "Facts":
        """These of them."""
        return Facts({fact: self[fact] for fact in needs})


MAX_OVERLAPS: Final = 1_000
"""Groups that are looked at one by one."""
MAX_POOLS: Final = 1_000
"""Pools that are looked at one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstOverlaps:
    """The groups that hurt now or block a join, worst first; of those beyond MAX_OVERLAPS only the number is known."""

    groups: Sequence[OverlapGroup]
    explanations: Mapping[UUID, Explanation]
    hit: Mapping[UUID, NamedClusters]
    """By group the clusters it is true for: a group may hold others that it hurts less."""
    unlisted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolChecks:
    """Of clusters that were read whole what was found there; of all other active ones it is not known."""

    found: Mapping[UUID, PoolCheck]
    unknown: AbstractSet[UUID]
    is_waiting: bool = False
    """Whether there are clusters that were read whole and were not looked at yet."""


REGISTRATIONS: Final[Fact[Sequence[Registration]]] = Fact("registrations")
"""Pending and active ones."""
SOURCES: Final[Fact[Mapping[UUID, Sequence[Source]]]] = Fact("sources")
"""What each cluster's spoke tried to read."""
MISSING: Final[Fact[Mapping[UUID, Sequence[Missing]]]] = Fact("missing")
"""What each cluster's addresses are not known whole without."""
MACHINES: Final[Fact[Mapping[UUID, Machines]]] = Fact("machines")
"""Of clusters that share a kube-system uid, the nodes of each, the oldest registration first."""
RECENT_BATCHES: Final[Fact[Mapping[UUID, Sequence[RecentBatch]]]] = Fact("recent batches")
"""In the order of arrival, only of clusters that were heard lately in more than one epoch."""
REGISTER: Final[Fact[RegisterStatus]] = Fact("register of overlaps")
OVERLAPS: Final[Fact[WorstOverlaps]] = Fact("worst overlaps")
SHORT_POOLS: Final[Fact[ShortPools]] = Fact("short pools")
"""Pools that are nearly full, or soon at their own speed, or whose numbers contradict each other, the fullest first."""
FULL_NODES: Final[Fact[AbstractSet[UUID]]] = Fact("full nodes")
"""Clusters with nodes that have no address left and can get no further block."""
SILENT_NODES: Final[Fact[Mapping[UUID, str]]] = Fact("silent nodes")
"""By cluster that has agents of nodes, the first node that is ready and of which none is heard."""
LEAKING_POOLS: Final[Fact[LeakingPools]] = Fact("leaking pools")
"""Pools of which more is leaked than on any day before, or of which that is not known."""
POOL_CHECKS: Final[Fact[PoolChecks]] = Fact("pool checks")
"""How allocators agree with themselves and with the pods."""
LISTENING: Final[Fact[Listening]] = Fact("listening")
"""Whether silence means anything."""
FLOW_COVERAGE: Final[Fact[Coverage | None]] = Fact("coverage of flows")
"""What clusters told of the last hours, and what their sources did not see; None where nobody looked lately."""
WATCHED: Final[Fact[Watched | None]] = Fact("edges")
"""What changed in who talks to whom; None while the flow store cannot be asked or lacks what was told."""
