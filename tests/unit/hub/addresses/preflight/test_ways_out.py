"""What to do where a way does not pass: what costs least first."""

import pytest

from periplus_hub.addresses.free.model import RangeProposal
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.uses import Use
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.preflight.engine.judge import answer, judge
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.ways_out import MOST_MOVES, NO_PLACES, Places
from periplus_hub.addresses.preflight.model import WayResult
from periplus_hub.addresses.ranges.model import RangeUse

from tests.support.preflight_cases import A_ROWS, cluster, entered, planned, question

T = FederationTarget
POD, SERVICE, NODE = AllocationKind.POD, AllocationKind.SERVICE, AllocationKind.NODE
SHARED = (Use.POD_ROUTED, "10.1.0.0/16")


def sized(name: str, nodes: int, *rows: tuple[Use, str]) -> Party:
    """A cluster with so many nodes of its own."""
    number = sum(name.encode())
    return cluster(name, [*rows, *((Use.NODE, f"10.200.{number % 250}.{each}/32") for each in range(nodes))])


def way(target: FederationTarget, *parties: Party, places: Places = NO_PLACES, **more: object) -> WayResult:
    (found,) = answer(judge(question(*parties, **more)), [target], places).ways
    return found


def moving(found: WayResult) -> list[tuple[str, AllocationKind]]:
    return [(each.cluster, each.kind) for each in found.moves]


def test_of_clusters_on_one_range_all_but_the_largest_move_the_smallest_first() -> None:
    found = way(T.SUBMARINER, sized("big", 9, SHARED), sized("mid", 4, SHARED), sized("small", 1, SHARED))
    assert moving(found) == [("small", POD), ("mid", POD)]
    assert found.moves[0].instead_of == ("10.1.0.0/16",)


def test_services_move_before_pods_and_pods_before_nodes_whatever_the_size() -> None:
    over_pods = sized("large", 9, (Use.SERVICE, "10.1.0.0/20"))
    assert moving(way(T.LINKERD_FLAT, over_pods, sized("small", 1, SHARED))) == [("large", SERVICE)]
    over_nodes = sized("large", 9, (Use.POD_ROUTED, "10.200.0.0/16"))
    assert moving(way(T.SUBMARINER, over_nodes, sized("small", 1)))[0] == ("large", POD)


def test_what_is_not_built_yet_moves_first_and_settings_follow_and_rebuilds_come_last() -> None:
    new = planned(
        "new", [(Use.POD, "10.1.0.0/16"), (Use.SERVICE, "10.65.0.0/16"), (Use.NODE, "10.66.0.0/24")], POD, SERVICE, NODE
    )
    found = way(T.SUBMARINER, sized("one", 2, SHARED, A_ROWS[1]), sized("two", 3, SHARED), new)
    assert moving(found) == [("new", POD), ("one", POD)]
    first, setting, others, *_, last = found.ways_out
    assert first.startswith("Give new other addresses")
    assert setting.startswith("Submariner with Globalnet passes as things are: ")
    assert others == "Join them in a way that passes as they are: Skupper."
    assert last.startswith("Give one (2 nodes) ")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (T.ISTIO_FLAT, "Istio on several networks passes as things are"),
        (T.LINKERD_FLAT, "Linkerd with gateways passes as things are"),
        (T.PLAIN_ROUTING, "Translate between their networks"),
        (T.CILIUM_CLUSTER_MESH, "Join them in a way that passes as they are: Submariner with Globalnet, Skupper"),
    ],
)
def test_the_cheapest_way_out_of_each_way_is_named(target: FederationTarget, said: str) -> None:
    assert any(each.startswith(said) for each in way(target, sized("one", 2, SHARED), sized("two", 3, SHARED)).ways_out)


def test_whoever_collides_with_what_people_entered_moves_or_the_range_is_wrong() -> None:
    office = entered("10.1.0.0/20", RangeUse.OFFICE)
    found = way(T.SUBMARINER, sized("one", 2, SHARED), sized("two", 3), spoken_for=(office,))
    assert moving(found) == [("one", POD)]
    assert "Where what people entered is wrong or over, take it out: 'periplus ranges remove'." in found.ways_out


def test_a_range_that_the_planner_found_is_named_and_said_to_be_unsure() -> None:
    place = RangeProposal(
        cluster_name="one", registration_id=None, kind=POD, family=4, cidr="10.64.0.0/20", why="16 node blocks of /24"
    )
    found = way(
        T.SUBMARINER,
        sized("one", 2, SHARED),
        sized("two", 3, SHARED),
        places=Places({("one", POD, 4): place}, unsure=True),
    )
    assert found.moves[0].cidr == "10.64.0.0/20"
    assert (
        "Give one (2 nodes) 10.64.0.0/20 for its pods (16 node blocks of /24, free as far as is known)"
        in found.ways_out[-1]
    )


def test_addresses_of_single_nodes_are_no_ranges_to_move_to() -> None:
    rows = [(Use.NODE, "10.0.1.5/32")]
    found = way(T.CILIUM_CLUSTER_MESH, cluster("one", rows), cluster("two", rows))
    assert [(each.cidr, each.why) for each in found.moves] == [(None, "find out who owns the address")]


def test_of_many_the_first_are_named_and_all_are_counted() -> None:
    found = way(T.SUBMARINER, *(sized(f"c{number}", 1, SHARED) for number in range(40)))
    assert (len(found.moves), found.move_count) == (MOST_MOVES, 39)
    assert found.ways_out[-1].startswith("And so on for 36 more clusters: ")


def test_a_way_that_passes_needs_no_way_out() -> None:
    found = way(T.SKUPPER, sized("one", 2, SHARED), sized("two", 3, SHARED))
    assert (found.ways_out, found.moves, found.move_count) == ((), (), 0)
