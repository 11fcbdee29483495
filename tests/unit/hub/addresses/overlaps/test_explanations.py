"""What a group breaks and what to do follow from the kinds that really collide, and from how the networks stand."""

from itertools import combinations_with_replacement, product

import pytest

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.causes import WorstPairs, causes_of
from periplus_hub.addresses.overlaps.engine.explanations import explain, explain_pair
from periplus_hub.addresses.overlaps.engine.uses import Use
from periplus_hub.addresses.overlaps.model import Explanation, NamedClusters, Outgrown, Relation, Severity

POD, SERVICE, NODE = Use.POD, Use.SERVICE, Use.NODE
SAME, FLAT, JOIN = Relation.SAME, Relation.FLAT, Relation.PLANNED


def told(severity: Severity, *uses: Use, relations: tuple[Relation, ...] = (SAME,)) -> Explanation:
    """Of clusters that have one of these each."""
    return explain(WorstPairs(severity, frozenset(frozenset({use}) for use in uses), frozenset(relations)))


def own(*uses: Use, relations: tuple[Relation, ...] = ()) -> Explanation:
    """Of a cluster that has all of these."""
    return explain(WorstPairs(Severity.CONFLICT, frozenset({frozenset(uses)}), frozenset(relations)))


def breaks(*uses: Use) -> str:
    return " ".join(told(Severity.CONFLICT, *uses).breaks)


def remedies(severity: Severity, *uses: Use, relations: tuple[Relation, ...]) -> str:
    return " ".join(told(severity, *uses, relations=relations).remedies)


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (Use.POD, "route is ambiguous"),
        (Use.SERVICE, "ClusterIPs apart"),
        (Use.NODE, "Node addresses collide"),
        (Use.LOADBALANCER, "Two load balancers"),
        (Use.EXTERNAL, "Two services"),
    ],
)
def test_one_kind_collides_with_itself(kind: Use, part: str) -> None:
    assert part in breaks(kind)


@pytest.mark.promise("overlaps-say-what-to-do")
@pytest.mark.parametrize(
    ("uses", "why", "breaks", "remedy"),
    [
        ((SERVICE, POD), "service range of a cluster covers pods", "kube-proxy", "ServiceCIDR objects"),
        ((POD, NODE), "pod range of a cluster covers nodes", "cannot be reached", "clusterPoolIPv4PodCIDRList"),
        ((Use.POD_MASQUERADED, NODE), "pod range of a cluster covers nodes", "cannot be reached", "subnet"),
        ((Use.NODE_SHARED,), "nodes of one cluster report the same address", "one machine", "--node-ip"),
        ((Use.POD_SHARED,), "same block of pod addresses", "Two pods get one address", "Drain all but one"),
        ((Use.LOADBALANCER_POOL, SERVICE), "load balancer pool", "somebody's already", "out of the pool"),
        ((Use.LOADBALANCER_POOL, NODE), "load balancer pool", "somebody's already", "out of the pool"),
    ],
)
def test_a_fault_inside_one_cluster_says_what_it_is_what_breaks_and_what_to_do(
    uses: tuple[Use, ...], why: str, breaks: str, remedy: str
) -> None:
    found = own(*uses)
    assert found.own
    assert why in found.why
    assert breaks in " ".join(found.breaks)
    assert remedy in found.remedies[0]
    assert "network domain" not in " ".join(found.remedies)


def test_a_pool_over_services_and_nodes_is_two_faults() -> None:
    found = own(POD, SERVICE, NODE)
    assert "pod range of a cluster covers nodes" in found.why
    assert "service range of a cluster covers pods" in found.why
    assert len(found.breaks) == 2


def test_faults_of_clusters_in_one_network_stay_their_own_beside_what_they_do_to_each_other() -> None:
    found = own(Use.NODE_SHARED, relations=(SAME,))
    assert not found.own
    assert "report the same address" in found.why
    assert "in one network" in found.why
    assert any("Node addresses collide" in each for each in found.breaks)
    milder = own(Use.POD_MASQUERADED, NODE, Use.SERVICE, relations=(Relation.ISOLATED,))
    assert milder.own


def test_what_needs_another_range_is_said_where_renumbering_helps() -> None:
    def renumbered(*uses: Use, relations: tuple[Relation, ...] = ()) -> tuple[AllocationKind, ...]:
        pairs = WorstPairs(Severity.CONFLICT, frozenset({frozenset(uses)}), frozenset(relations))
        return explain(pairs).renumbered

    assert renumbered(POD, NODE) == (AllocationKind.POD,)
    assert renumbered(Use.NODE_SHARED) == ()
    assert told(Severity.CONFLICT, POD).renumbered == (AllocationKind.POD,)
    assert told(Severity.BLOCKS_FEDERATION, SERVICE).renumbered == (AllocationKind.SERVICE,)
    assert told(Severity.LATENT, Use.SERVICE_MANAGED).renumbered == ()
    assert told(Severity.CONFLICT, SERVICE, POD).renumbered == (AllocationKind.SERVICE,)
    assert told(Severity.BLOCKS_FEDERATION, Use.PLANNED, POD).renumbered == ()
    assert told(Severity.INTENDED, POD, relations=(Relation.NAT,)).renumbered == ()


def test_pods_behind_their_nodes_addresses_hurt_nobody_in_one_network() -> None:
    found = told(Severity.LATENT, Use.POD_MASQUERADED)
    assert "in one network" in found.why
    assert "isolated" not in found.why
    assert "rebuild" not in " ".join(found.remedies)
    assert "isolated" in told(Severity.LATENT, Use.POD_MASQUERADED, relations=(Relation.ISOLATED,)).why


def test_nodes_behind_routers_that_translate_hurt_nobody_in_one_network() -> None:
    found = told(Severity.LATENT, Use.NODE_MASQUERADED)
    assert "routers that translate" in found.why
    assert "pod" not in " ".join((found.why, *found.breaks, *found.remedies)).lower()
    seen = told(Severity.CONFLICT, NODE)
    assert any("reach set node masqueraded" in each for each in seen.remedies)
    half = told(Severity.CONFLICT, NODE, Use.NODE_MASQUERADED)
    assert "cannot reach what others have there" in " ".join(half.breaks)
    for others in ((POD,), (NODE, SERVICE)):
        assert not any("reach set node" in each for each in told(Severity.CONFLICT, *others).remedies)


def test_pods_of_which_nobody_knows_whether_they_are_routed_are_called_so() -> None:
    assert "is not known" in told(Severity.CONFLICT, POD).why
    assert "is not known" in told(Severity.CONFLICT, POD, Use.POD_MASQUERADED).why
    for known in (Use.POD_ROUTED, NODE):
        assert "is not known" not in told(Severity.CONFLICT, known).why
    hidden = told(Severity.CONFLICT, Use.POD_ROUTED, Use.POD_MASQUERADED)
    assert "cannot reach what others have there" in " ".join(hidden.breaks)


@pytest.mark.parametrize("relation", [SAME, FLAT, JOIN, Relation.ISOLATED])
def test_a_range_that_the_provider_gives_to_every_cluster_is_nobodys_to_change(relation: Relation) -> None:
    found = told(Severity.LATENT, Use.SERVICE_MANAGED, relations=(relation,))
    assert "provider" in found.why
    assert "Submariner without Globalnet" in found.breaks[0]
    assert "Istio on one flat network" in found.breaks[0]
    assert "service range" not in " ".join(found.remedies)


def test_what_two_pools_both_have_is_taken_out_of_one() -> None:
    pools = remedies(Severity.CONFLICT, Use.LOADBALANCER_POOL, relations=(SAME,))
    assert "out of one of the pools" in pools
    assert "owns the address" not in pools
    assert "owns the address" in remedies(Severity.CONFLICT, Use.LOADBALANCER, relations=(SAME,))


def test_a_pair_is_explained_by_its_own_two_uses() -> None:
    found = explain_pair(Severity.CONFLICT, SAME, POD, Use.POD_MASQUERADED)
    assert found.why.startswith("Both use it for pods")
    assert found.breaks


def test_causes_are_the_pairs_that_the_rules_make_so_bad() -> None:
    sides = frozenset({frozenset({POD, SERVICE}), frozenset({SERVICE})})
    found = causes_of(WorstPairs(Severity.CONFLICT, sides, frozenset({SAME, Relation.ISOLATED})))
    assert {tuple(each) for each in found} == {(None, POD, SERVICE), (SAME, POD, SERVICE), (SAME, POD, POD)}
    assert causes_of(WorstPairs(Severity.INTENDED, sides, frozenset({SAME}))) == frozenset()


def test_a_service_range_over_nodes_hides_them_and_nodes_do_not_collide() -> None:
    text = breaks(SERVICE, NODE)
    assert "service range of one cluster covers nodes" in text
    assert "Node addresses collide" not in text


def test_a_pod_range_over_machines_hides_them() -> None:
    text = breaks(POD, NODE, Use.LOADBALANCER)
    assert "pod range of one cluster covers nodes and load balancers" in text


def test_one_address_with_two_uses() -> None:
    assert "different owners" in breaks(NODE, Use.EXTERNAL)


def test_a_plan_over_live_pods() -> None:
    text = " ".join(told(Severity.BLOCKS_FEDERATION, Use.PLANNED, POD).breaks)
    assert "planned range is already in use" in text
    assert "route is ambiguous" in text


def test_every_mix_says_something() -> None:
    for severity, kinds, relation in product(Severity, combinations_with_replacement(Use, 2), Relation):
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
        (Severity.BLOCKS_FEDERATION, (Use.PLANNED, POD), (FLAT,), ("for the plan",), ("rebuild",)),
    ],
)
def test_a_remedy_fits_the_network(
    severity: Severity,
    kinds: tuple[Use, ...],
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
    found = own(SERVICE, NODE, relations=relations)
    assert found.own
    assert "same cluster" in found.why
    assert "kube-proxy" in found.breaks[0]
    assert "neither its pods nor its nodes" in found.remedies[0]
    assert "NAT" not in " ".join(found.remedies)


def test_what_came_after_an_acceptance_is_told() -> None:
    def note(covered: int, came: int, worse: int) -> str:
        names = (NamedClusters(clusters=count, names=tuple("abcd"[:count])) for count in (covered, came, worse))
        outgrown = Outgrown(**dict(zip(("covered", "came", "worse"), names, strict=True)))
        pairs = WorstPairs(Severity.LATENT, frozenset({frozenset({POD})}), frozenset({Relation.ISOLATED}))
        return explain(pairs, outgrown=outgrown).why.partition("connected. ")[2]

    assert note(2, 1, 0) == "It was accepted for a and b only; a came later."
    assert note(6, 0, 1) == "It was accepted for a, b, c, d and 2 more only; it is worse for a now."
    assert note(0, 3, 0) == "It was accepted, but a, b and c came later."
    assert note(0, 1, 1) == "It was accepted, but a came later and it is worse for a now."
