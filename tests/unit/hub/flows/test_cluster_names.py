"""Which clusters are meant by names that objects have for others: each that may be, and nobody by a default."""

from uuid import UUID

import pyarrow as pa

from periplus_hub.flows.engine.cluster_names import ClusterNames, Named
from periplus_hub.flows.model import Fleet

from tests.unit.hub.flows.test_owners import EAST, NOWHERE, SOUTH, WEST, fleet

NAMES = ((EAST, "east"), (WEST, "west"), (SOUTH, "south"))


def meant(
    told: str, *aliases: tuple[UUID, str], where: Fleet | None = None, by: UUID = EAST, names: object = NAMES
) -> list[UUID]:
    assert isinstance(names, tuple)
    known = ClusterNames(Named(aliases=aliases, names=names), where or fleet(), pa.array([told]))
    return sorted(cluster for position, cluster in known.everybody_meant([by], [told]) if position == 0)


def test_a_name_is_that_of_who_says_so_in_that_system() -> None:
    assert meant("submariner=west-1", (WEST, "submariner=west-1")) == [WEST]
    assert meant("submariner=west-1", (WEST, "cilium=west-1")) == []
    assert meant("submariner=west", (SOUTH, "submariner=west")) == [SOUTH]
    assert meant("submariner=west", (WEST, "cilium=other")) == [WEST]
    assert meant("submariner=west", (WEST, "submariner=other")) == []


def test_a_name_of_a_system_that_is_not_known_may_be_of_any() -> None:
    assert meant("=west-1", (WEST, "cilium=west-1")) == [WEST]
    assert meant("=west-1", (WEST, "cilium=west-1"), (SOUTH, "clusterset=west-1")) == [WEST, SOUTH]
    assert meant("=west", (WEST, "cilium=other")) == [WEST]
    assert meant("=west", (SOUTH, "clusterset=west")) == [SOUTH]
    assert meant("=a=b", (SOUTH, "clusterset=a=b")) == [SOUTH]


def test_of_two_with_one_name_the_nearer_is_meant_and_else_both_may_be() -> None:
    both = ((WEST, "submariner=x"), (SOUTH, "submariner=x"))
    assert meant("submariner=x", *both) == [WEST, SOUTH]
    assert meant("submariner=x", *both, where=fleet(together=True)) == [WEST]
    assert meant("submariner=x", *both, where=fleet(nat=True)) == [WEST]


def test_what_every_cluster_is_called_is_nobody() -> None:
    assert meant("=default", (WEST, "cilium=default")) == []
    assert meant("=Kubernetes", (WEST, "istio=Kubernetes")) == []
    assert meant("=default", names=((WEST, "default"),)) == []


def test_of_who_is_no_member_nothing_is_known() -> None:
    assert meant("=west", by=NOWHERE) == []
    known = ClusterNames(Named(aliases=(), names=NAMES), fleet(), pa.array([], pa.string()))
    assert known.everybody_meant([], []) == []
