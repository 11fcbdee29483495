"""Which cluster a source means by a name that it has for it: `istio=west-1`.

What a cluster says that it is called there decides before what the hub calls it, and the hub's name counts only for
clusters that say nothing of that system. Among those, names are looked up from near to far as addresses are: in the
network domain of who tells it, in domains that are connected with it, anywhere. Two of one place are ambiguous. A name
that a system gives every cluster, as long as nobody gives another, is nobody's.

Of some objects it is not known which system their names are of (`=west-1`): then a name of any counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows.engine.columns import Flags, Ints
from periplus_hub.flows.engine.owners import Owners, Questions, Ranks
from periplus_hub.flows.model import OPEN_END_US, Fleet
from periplus_hub.inventory.identity import AMBIGUOUS, UNKNOWN, Addresses

_SAID: Final = "said"
_ALIKE: Final = "alike"
_WHERE: Final = ("own", "domain", "flat", "nat", "anywhere")
_RANKS: Final[Ranks] = tuple((where, about, (about,)) for about in (_SAID, _ALIKE) for where in _WHERE)
_OF_EVERYBODY: Final = frozenset(("istio=Kubernetes", "cilium=default"))
"""What is told of each cluster to which nobody gave a name."""
_NAMES_OF_EVERYBODY: Final = frozenset(each.partition("=")[2] for each in _OF_EVERYBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What clusters are called."""

    aliases: tuple[tuple[UUID, str], ...]
    """By what runs in them: `system=name`."""
    names: tuple[tuple[UUID, str], ...]
    """By the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Per question: the number of the cluster (as in `Owners.clusters`), UNKNOWN or AMBIGUOUS, and who says so."""

    cluster: Ints
    is_said: Flags
    """By the cluster itself; else it is the one with that name in the hub."""


class ClusterNames:
    """The names that sources told in an hour."""

    def __init__(self, named: Named, fleet: Fleet, told: pa.Array) -> None:
        """`told` are distinct."""
        self._told = told
        rows = list(_rows(named, [str(each) for each in told.to_pylist()]))
        self._owners = Owners(_identities(rows), fleet, ranks=_RANKS)
        clusters = self._owners.clusters
        owner = self._owners.names.rows.column("owner").to_pylist()
        self._cluster = np.array(
            [*(clusters.get(UUID(bytes=each), UNKNOWN) for each in owner), UNKNOWN], dtype=np.int64
        )
        self._called = np.array(
            [number * (len(clusters) + 1) + clusters[each] for each, _, number in rows if each in clusters],
            dtype=np.int64,
        )

    def meant(self, viewer: Ints, told: pa.Array) -> Meant:
        """Whom clusters mean by these names."""
        found = self._owners.answer(self._questions(viewer, told))
        cluster = np.where(found.owner < 0, found.owner, self._cluster[found.owner])
        return Meant(cluster=cluster, is_said=found.rule < len(_WHERE))

    def are_called(self, cluster: Ints, told: pa.Array) -> Flags:
        """Whether these clusters are called so, in whatever place."""
        of_both = self._numbers(told) * (len(self._owners.clusters) + 1) + cluster
        return np.isin(of_both, self._called) & (cluster >= 0)

    def candidates(self, viewer: int, told: str) -> list[int]:
        """The clusters that are meant by a name of several."""
        question = self._questions(np.array([viewer]), pa.array([told]))
        found = self._owners.answer(question)
        number = int(question.address.low[0])
        return [int(self._cluster[each]) for each in self._owners.candidates(viewer, number, 0, int(found.rule[0]))]

    def everybody_meant(self, registrations: Sequence[UUID], told: Sequence[str]) -> list[tuple[int, UUID]]:
        """Of each of these names as a cluster tells it, by its position: the one that it means, or all that it may."""
        clusters = list(self._owners.clusters)
        viewer = [self._owners.clusters.get(each, UNKNOWN) for each in registrations]
        meant = self.meant(np.array(viewer, dtype=np.int64), pa.array(told, pa.string())).cluster.tolist()
        found: list[tuple[int, UUID]] = []
        for position, cluster in enumerate(meant):
            several = self.candidates(viewer[position], told[position]) if cluster == AMBIGUOUS else [cluster]
            found += [(position, clusters[each]) for each in several if each >= 0]
        return found

    def _numbers(self, told: pa.Array) -> Ints:
        return np.asarray(pc.index_in(told, self._told)).astype(np.int64)

    def _questions(self, viewer: Ints, told: pa.Array) -> Questions:
        numbers = self._numbers(told).astype(np.uint64)
        address = Addresses(np.zeros_like(numbers), numbers)
        return Questions(cluster=viewer, address=address, time_us=np.zeros(len(numbers), dtype=np.int64))


def _rows(named: Named, told: Sequence[str]) -> Iterable[tuple[UUID, str, int]]:
    """(cluster, whose word it is, the number of the told name) of each that is called so."""
    own = [(cluster, alias) for cluster, alias in named.aliases if alias not in _OF_EVERYBODY]
    of_any = ((cluster, f"={alias.partition('=')[2]}") for cluster, alias in own)
    said, alike = _grouped((*own, *of_any)), _grouped(named.names)
    speaks = {(cluster, alias.partition("=")[0]) for cluster, alias in named.aliases}
    for number, text in enumerate(told):
        system, _, name = text.partition("=")
        if text in _OF_EVERYBODY or (not system and name in _NAMES_OF_EVERYBODY):
            continue
        yield from ((each, _SAID, number) for each in said.get(text, ()))
        yield from ((each, _ALIKE, number) for each in alike.get(name, ()) if (each, system) not in speaks)


def _grouped(pairs: Iterable[tuple[UUID, str]]) -> dict[str, set[UUID]]:
    found: dict[str, set[UUID]] = {}
    for cluster, name in pairs:
        found.setdefault(name, set()).add(cluster)
    return found


def _identities(rows: Sequence[tuple[UUID, str, int]]) -> pa.Table:
    """As if the names were addresses that the clusters had all the time."""
    nothing = pa.array([""] * len(rows), pa.string())
    return pa.table(
        {
            "registration_id": pa.array([str(cluster) for cluster, _, _ in rows], pa.string()),
            "layer": pa.array([layer for _, layer, _ in rows], pa.string()),
            "address": pa.array([f"{number:032x}" for _, _, number in rows], pa.string()),
            **dict.fromkeys(("namespace", "kind", "workload", "node"), nothing),
            "since": pa.array([0] * len(rows), pa.int64()),
            "until": pa.array([OPEN_END_US] * len(rows), pa.int64()),
        }
    )
