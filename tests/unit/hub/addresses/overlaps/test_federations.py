"""Whom an overlap stops: worked cases by what each project says of itself, and no more said than the pairs allow."""

from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from periplus_hub.addresses.overlaps.engine.causes import WorstPairs
from periplus_hub.addresses.overlaps.engine.explanations import explain, explain_pair
from periplus_hub.addresses.overlaps.engine.federations import APART, Stop, stop_of
from periplus_hub.addresses.overlaps.engine.severity import pair_severity
from periplus_hub.addresses.overlaps.engine.uses import Use
from periplus_hub.addresses.overlaps.model import SEVERITIES, FederationTarget, Relation, Severity, Stopped

T = FederationTarget
ALL = frozenset(T)
GATEWAYS = {T.ISTIO_MULTI_NETWORK, T.LINKERD_GATEWAY}
TRANSLATED = {T.SUBMARINER_GLOBALNET, T.SKUPPER}
ROUTES = {T.VPC_PEERING, T.TRANSIT_GATEWAY, T.PLAIN_ROUTING}
PODS_MEET = {T.CILIUM_CLUSTER_MESH, T.SUBMARINER, T.ISTIO_FLAT, T.LINKERD_FLAT}
SERVICES_MEET = {T.SUBMARINER, T.ISTIO_FLAT}


def stopped(one: Use, other: Use) -> Stopped:
    return explain_pair(Severity.LATENT, Relation.ISOLATED, one, other).stopped


@pytest.mark.promise("overlaps-say-whom-they-stop")
@pytest.mark.parametrize(
    ("one", "other", "stops", "may_stop"),
    [
        # docs.cilium.io, clustermesh: PodCIDRs of all clusters and all nodes' addresses are unique. submariner.io,
        # getting-started: pod and service CIDRs do not overlap, but with Globalnet. istio.io, deployment-models: what
        # may overlap are endpoints of different networks. antrea.io, user-guide: pods differ where endpointIPType is
        # PodIP, services where it is ClusterIP.
        (Use.POD_ROUTED, Use.POD_ROUTED, PODS_MEET | ROUTES, {T.ANTREA}),
        (Use.POD, Use.POD, PODS_MEET, ROUTES | {T.ANTREA}),
        (Use.POD_MASQUERADED, Use.POD_MASQUERADED, PODS_MEET, {T.ANTREA}),
        (Use.POD_MASQUERADED, Use.POD_ROUTED, PODS_MEET | ROUTES, {T.ANTREA}),
        # Cilium asks nothing of service ranges.
        (Use.SERVICE, Use.SERVICE, SERVICES_MEET, {T.ANTREA}),
        (Use.SERVICE_MANAGED, Use.SERVICE_MANAGED, SERVICES_MEET, {T.ANTREA}),
        (Use.SERVICE_ROUTED, Use.SERVICE_ROUTED, SERVICES_MEET | ROUTES, {T.ANTREA}),
        # docs.aws.amazon.com, vpc-peering-basics: VPCs whose CIDR blocks overlap are not peered.
        (Use.NODE, Use.NODE, {T.CILIUM_CLUSTER_MESH} | ROUTES, {T.ANTREA}),
        (Use.SERVICE, Use.NODE, {T.CILIUM_CLUSTER_MESH, T.SUBMARINER} | ROUTES, set()),
        (Use.POD, Use.NODE, {T.CILIUM_CLUSTER_MESH, T.SUBMARINER} | ROUTES, set()),
        (Use.SERVICE, Use.POD, PODS_MEET | {T.ANTREA}, ROUTES),
        # istio.io and linkerd.io, multicluster: all that has to be reached is the other side's gateway.
        (Use.LOADBALANCER, Use.LOADBALANCER, GATEWAYS | ROUTES, set()),
        (Use.LOADBALANCER_POOL, Use.LOADBALANCER_POOL, set(), GATEWAYS | ROUTES),
        (Use.POD, Use.LOADBALANCER, GATEWAYS | ROUTES, set()),
    ],
)
def test_an_overlap_stops_the_ways_in_which_its_ranges_meet(
    one: Use, other: Use, stops: set[T], may_stop: set[T]
) -> None:
    found = stopped(one, other)
    assert (set(found.stops), set(found.may_stop)) == (stops, may_stop)
    assert set(found.does_not_stop) == ALL - stops - may_stop
    assert set(found.does_not_stop) >= TRANSLATED


def test_a_plan_may_become_anything() -> None:
    found = stopped(Use.PLANNED, Use.POD)
    assert found.stops == ()
    assert set(found.may_stop) == ALL - TRANSLATED


def test_a_group_is_as_a_pair_where_nothing_else_can_be_in_it() -> None:
    pods = WorstPairs(Severity.LATENT, frozenset({frozenset({Use.POD})}), frozenset({Relation.ISOLATED}))
    assert explain(pods).stopped == stopped(Use.POD, Use.POD)


def test_a_fault_inside_one_cluster_stops_nobody_from_joining_it() -> None:
    own = WorstPairs(Severity.CONFLICT, frozenset({frozenset({Use.SERVICE, Use.NODE})}), frozenset())
    assert explain(own).stopped == Stopped()


def test_what_milder_pairs_might_stop_is_not_said_to_pass() -> None:
    """Service ranges of the same clusters may collide too: in one network that is milder than nodes that do."""
    nodes = WorstPairs(Severity.CONFLICT, frozenset({frozenset({Use.NODE})}), frozenset({Relation.SAME}))
    found = explain(nodes).stopped
    assert T.SUBMARINER in found.may_stop
    assert set(found.does_not_stop) == TRANSLATED | GATEWAYS


LIVE = [use for use in Use if use not in {Use.PLANNED, Use.RESERVED}]
PAIRS = st.lists(st.tuples(st.sampled_from(LIVE), st.sampled_from(LIVE)), min_size=1, max_size=4)


@given(PAIRS, st.sampled_from([Relation.SAME, Relation.FLAT, Relation.ISOLATED]))
def test_nothing_is_said_of_two_clusters_that_one_of_their_pairs_denies(
    pairs: list[tuple[Use, Use]], relation: Relation
) -> None:
    """Two clusters with these pairs; the explanation is given the worst of them only."""
    pairs = [pair for pair in pairs if pair_severity(relation, *pair) is not None]
    assume(pairs)
    severities = [pair_severity(relation, a, b) for a, b in pairs]
    worst = min((each for each in severities if each), key=SEVERITIES.index)
    hit = [pair for pair, severity in zip(pairs, severities, strict=True) if severity is worst]
    sides = frozenset({frozenset(a for a, _ in hit), frozenset(b for _, b in hit)})
    told = explain(WorstPairs(worst, sides, frozenset({relation}))).stopped
    for target in T:
        truth = max((stop_of(rule, a, b) for rule, (a, b) in product(APART[target], pairs)), default=Stop.NO)
        assert target not in told.stops or truth is Stop.YES
        assert target not in told.does_not_stop or truth is Stop.NO
