"""What a group breaks and what to do follow from the kinds that really collide, and from how the networks stand."""

from itertools import combinations_with_replacement, product

import pytest

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.explanations import explain
from periplus_hub.addresses.overlaps.model import Explanation, NamedClusters, Outgrown, Relation, Severity, WorstPairs

POD, SERVICE, NODE = AllocationKind.POD, AllocationKind.SERVICE, AllocationKind.NODE
SAME, FLAT, JOIN = Relation.SAME, Relation.FLAT, Relation.PLANNED


def told(severity: Severity, *kinds: AllocationKind, relations: tuple[Relation, ...] = (SAME,)) -> Explanation:
    return explain(WorstPairs(severity, frozenset(kinds), frozenset(relations)))


def breaks(*kinds: AllocationKind) -> str:
    return " ".join(told(Severity.CONFLICT, *kinds).breaks)


def remedies(severity: Severity, *kinds: AllocationKind, relations: tuple[Relation, ...]) -> str:
    return " ".join(told(severity, *kinds, relations=relations).remedies)


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (AllocationKind.POD, "route is ambiguous"),
        (AllocationKind.SERVICE, "ClusterIPs apart"),
        (AllocationKind.NODE, "Node addresses collide"),
        (AllocationKind.LOADBALANCER, "Two load balancers"),
        (AllocationKind.EXTERNAL, "Two services"),
    ],
)
def test_one_kind_collides_with_itself(kind: AllocationKind, part: str) -> None:
    assert part in breaks(kind)


def test_a_service_range_over_nodes_hides_them_and_nodes_do_not_collide() -> None:
    text = breaks(SERVICE, NODE)
    assert "service range of one cluster covers nodes" in text
    assert "Node addresses collide" not in text


def test_a_pod_range_over_machines_hides_them() -> None:
    text = breaks(POD, NODE, AllocationKind.LOADBALANCER)
    assert "pod range of one cluster covers nodes and load balancers" in text
    assert "Cilium Cluster Mesh" in text


def test_one_address_with_two_uses() -> None:
    assert "different owners" in breaks(NODE, AllocationKind.EXTERNAL)


def test_a_plan_over_live_pods() -> None:
    text = breaks(AllocationKind.PLANNED, POD)
    assert "planned range is already in use" in text
    assert "route is ambiguous" in text


def test_every_mix_says_something() -> None:
    for severity, kinds, relation in product(Severity, combinations_with_replacement(AllocationKind, 2), Relation):
        found = told(severity, *kinds, relations=(relation,))
        assert found.why
        assert found.breaks
        assert found.remedies


def test_who_covers_others_moves_and_not_what_is_covered() -> None:
    text = remedies(Severity.CONFLICT, SERVICE, NODE, relations=(SAME,))
    assert "cluster with the service range another one" in text
    assert "owns the address" not in text


@pytest.mark.parametrize(
    ("severity", "kinds", "relations", "said", "not_said"),
    [
        (Severity.CONFLICT, (POD,), (SAME,), ("pod range", "different network domains"), ("NAT", "disconnect")),
        (Severity.CONFLICT, (POD,), (FLAT,), ("NAT", "not connected any more"), ("different network domains",)),
        (Severity.CONFLICT, (NODE,), (SAME,), ("owns the address",), ("service range", "NAT")),
        (Severity.BLOCKS_FEDERATION, (POD,), (JOIN,), ("NAT", "asks for joining"), ("different network domains",)),
        (Severity.BLOCKS_FEDERATION, (SERVICE,), (SAME,), ("ServiceCIDR", "gateways"), ("'nat'", "pod range")),
        (Severity.BLOCKS_FEDERATION, (AllocationKind.PLANNED, POD), (FLAT,), ("for the plan",), ("rebuild",)),
    ],
)
def test_a_remedy_fits_the_network(
    severity: Severity,
    kinds: tuple[AllocationKind, ...],
    relations: tuple[Relation, ...],
    said: tuple[str, ...],
    not_said: tuple[str, ...],
) -> None:
    text = remedies(severity, *kinds, relations=relations)
    assert [part for part in said if part not in text] == []
    assert [part for part in not_said if part in text] == []
    assert "accept" in text


@pytest.mark.parametrize("relations", [(), (Relation.ISOLATED,), (Relation.NAT,), (JOIN,)])
def test_a_conflict_of_clusters_that_share_no_network_is_each_ones_own(relations: tuple[Relation, ...]) -> None:
    found = told(Severity.CONFLICT, SERVICE, NODE, relations=relations)
    assert "same cluster" in found.why
    assert "kube-proxy" in found.breaks[0]
    assert "neither its pods nor its nodes" in found.remedies[0]
    assert "NAT" not in " ".join(found.remedies)


def test_what_came_after_an_acceptance_is_told() -> None:
    def note(covered: int, came: int, worse: int) -> str:
        names = (NamedClusters(clusters=count, names=tuple("abcd"[:count])) for count in (covered, came, worse))
        outgrown = Outgrown(**dict(zip(("covered", "came", "worse"), names, strict=True)))
        pairs = WorstPairs(Severity.LATENT, frozenset({POD}), frozenset({Relation.ISOLATED}))
        return explain(pairs, outgrown=outgrown).why.partition("connected. ")[2]

    assert note(2, 1, 0) == "It was accepted for a and b only; a came later."
    assert note(6, 0, 1) == "It was accepted for a, b, c, d and 2 more only; it is worse for a now."
    assert note(0, 3, 0) == "It was accepted, but a, b and c came later."
    assert note(0, 1, 1) == "It was accepted, but a came later and it is worse for a now."
