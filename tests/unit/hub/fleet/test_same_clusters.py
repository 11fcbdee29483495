"""Which registrations of one kube-system uid are one cluster."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.fleet.model import MACHINES_HOLD, Machines, is_same_cluster, same_clusters

from tests.support.clock import START

LATER = MACHINES_HOLD + timedelta(seconds=1)
SEEN = st.frozensets(st.sampled_from("abcdefgh"), max_size=3)


def machines(*seen: str, after: timedelta = timedelta(0), way: str = "") -> Machines:
    return Machines(seen=frozenset(seen), as_of=START + after, way=way)


def test_one_machine_in_common_is_one_cluster_whenever_it_was_seen() -> None:
    assert is_same_cluster(machines("a", "b"), machines("b", "c")) is True
    assert is_same_cluster(machines("a"), machines("a", after=LATER)) is True


def test_none_in_common_at_about_the_same_time_is_two() -> None:
    assert is_same_cluster(machines("a"), machines("b", after=MACHINES_HOLD)) is False
    assert is_same_cluster(machines("a=192.0.2.1"), machines("a=192.0.2.2")) is False, "a node of a backup, elsewhere"


def test_without_nodes_and_at_another_time_it_is_not_known() -> None:
    assert is_same_cluster(machines("a"), machines()) is None
    assert is_same_cluster(machines(), machines()) is None
    assert is_same_cluster(machines("a"), machines("b", after=LATER)) is None, "all its nodes may be new ones"


def test_one_way_leads_to_one_cluster_also_where_nodes_cannot_be_listed() -> None:
    assert is_same_cluster(machines("a", way="w"), machines(way="w")) is True
    assert is_same_cluster(machines("a", way="w"), machines(way="v")) is None
    assert is_same_cluster(machines("a", way="w"), machines("b", way="v")) is False
    assert is_same_cluster(machines(), machines()) is None, "not knowing the way is no way"


@given(st.lists(st.tuples(SEEN, st.sampled_from(["", "", "x", "y"])), max_size=8))
def test_clusters_are_the_finest_that_keep_machines_together(seen: list[tuple[frozenset[str], str]]) -> None:
    given_ = {UUID(int=at): Machines(seen=each, as_of=START, way=way) for at, (each, way) in enumerate(seen)}
    found = same_clusters(given_)
    assert sorted(each for cluster in found for each in cluster) == sorted(given_)
    assert [cluster[0] for cluster in found] == sorted(cluster[0] for cluster in found), "the oldest first"
    together = {frozenset((one, other)) for cluster in found for one in cluster for other in cluster}
    for one, mine in given_.items():
        for other, its in given_.items():
            if is_same_cluster(mine, its):
                assert frozenset((one, other)) in together
    for cluster in found:
        reached = {cluster[0]}
        for _ in cluster:
            reached |= {each for each in cluster if any(is_same_cluster(given_[each], given_[met]) for met in reached)}
        assert reached == set(cluster)
