"""Each way of joining clusters by worked cases: one that passes, one that fails, one that nobody can tell.

The sources are those of `SOURCES` in overlaps/engine/federations.py; what a case rests on is said beside it, in words
of these pages or as what follows from them.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.federations import APART, Apart
from periplus_hub.addresses.overlaps.engine.uses import Use, kinds_of
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.preflight.engine.entered import domain_not_known
from periplus_hub.addresses.preflight.engine.judge import answer, judge
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.question import Question
from periplus_hub.addresses.preflight.engine.spoken_for import SpokenFor
from periplus_hub.addresses.preflight.engine.ways_out import NO_PLACES
from periplus_hub.addresses.preflight.model import RuleResult, Verdict, WayResult
from periplus_hub.addresses.ranges.model import RangeUse

from tests.support.preflight_cases import (
    A_ROWS,
    B_ROWS,
    FORBIDDEN,
    LAB,
    US,
    cluster,
    entered,
    lacking,
    planned,
    question,
    reserved,
)

T = FederationTarget
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
POD, SERVICE, NODE = AllocationKind.POD, AllocationKind.SERVICE, AllocationKind.NODE
VPCS = (entered("10.0.0.0/16", RangeUse.VPC), entered("10.8.0.0/16", RangeUse.VPC, US))


class Case(NamedTuple):
    """What differs about the second cluster, and what decides the verdict."""

    target: FederationTarget
    verdict: Verdict
    rule: str
    """The rule that has this verdict; empty for all."""
    why: str
    rows: Sequence[tuple[Use, str]] = B_ROWS
    changes: Mapping[str, Any] = MappingProxyType({})
    both: Mapping[str, Any] = MappingProxyType({})
    spoken_for: tuple[SpokenFor, ...] = ()
    networks_entered: bool = False
    first: Sequence[tuple[Use, str]] = A_ROWS


def but(*rows: tuple[Use, str]) -> tuple[tuple[Use, str], ...]:
    """The second cluster's rows, with these instead of those of the same use, or beside them."""
    uses = {use for use, _ in rows}
    return (*(row for row in B_ROWS if row[0] not in uses), *rows)


SAME_PODS, SAME_SERVICES = but((Use.POD_ROUTED, "10.1.0.0/16")), but((Use.SERVICE, "10.96.0.0/16"))
SAME_BOTH = but((Use.POD_ROUTED, "10.1.0.0/16"), (Use.SERVICE, "10.96.0.0/16"))
LB_A = (*A_ROWS, (Use.LOADBALANCER, "10.0.9.1/32"))
ANTREA = {"cnis": ("antrea",)}
IN_US = {"domain_id": US}
CASES = [
    Case(T.CILIUM_CLUSTER_MESH, PASS, "", "service ranges may be equal: only PodCIDRs and node addresses may not",
         SAME_SERVICES),
    Case(T.CILIUM_CLUSTER_MESH, FAIL, "pods-and-nodes-differ", "PodCIDR ranges in all clusters are unique", SAME_PODS),
    Case(T.CILIUM_CLUSTER_MESH, FAIL, "pods-and-nodes-differ", "and all nodes", but((Use.NODE, "10.0.1.5/32"))),
    Case(T.CILIUM_CLUSTER_MESH, FAIL, "services-hide-no-pods-or-nodes", "kube-proxy takes what is in its range",
         but((Use.SERVICE, "10.1.0.0/24"))),
    Case(T.CILIUM_CLUSTER_MESH, FAIL, "cilium-everywhere", "every cluster runs Cilium", changes={"cnis": ("calico",)}),
    Case(T.CILIUM_CLUSTER_MESH, FAIL, "mesh-names-differ", "each cluster has a unique name",
         changes={"aliases": ("cilium=a",)}),
    Case(T.CILIUM_CLUSTER_MESH, UNKNOWN, "cilium-everywhere", "the plugin was not told", changes={"cnis": ()}),
    Case(T.CILIUM_CLUSTER_MESH, UNKNOWN, "pods-and-nodes-differ", "nodes were not read", changes=lacking(NODE, POD)),
    Case(T.CILIUM_CLUSTER_MESH, FAIL, "pods-and-nodes-differ", "what collides for sure collides whatever is not known",
         SAME_PODS, lacking(NODE)),
    Case(T.CILIUM_CLUSTER_MESH, FAIL, "entered-ranges-differ", "b's pods cover an office that a reaches", changes=IN_US,
         spoken_for=(entered("10.2.5.0/24", RangeUse.OFFICE),)),

    Case(T.SUBMARINER, PASS, "", "nodes of two clusters may be equal, as in the example of the docs",
         but((Use.NODE, "10.0.1.5/32"))),
    Case(T.SUBMARINER, FAIL, "pods-and-services-differ", "non-overlapping Pod and Service CIDRs", SAME_SERVICES),
    Case(T.SUBMARINER, FAIL, "pods-and-services-differ", "pods of one, services of the other",
         but((Use.SERVICE, "10.1.128.0/24"))),
    Case(T.SUBMARINER, FAIL, "routes-hide-no-nodes", "worker node IPs on all clusters outside of the Pod/Service CIDRs",
         but((Use.NODE, "10.96.0.9/32"))),
    Case(T.SUBMARINER, FAIL, "pods-have-ipv4", "no IPv6-only setups", but((Use.POD_ROUTED, "fd00:2::/64"))),
    Case(T.SUBMARINER, UNKNOWN, "pods-and-services-differ", "services were not read", changes=lacking(SERVICE)),
    Case(T.SUBMARINER, FAIL, "entered-ranges-differ", "Submariner routes b's services over a's partner", changes=IN_US,
         spoken_for=(entered("10.97.3.0/24", RangeUse.PARTNER),)),

    Case(T.SUBMARINER, FAIL, "entered-ranges-differ", "a's pods have their own office's addresses", changes=IN_US,
         spoken_for=(entered("10.1.0.0/24", RangeUse.OFFICE),)),
    Case(T.SUBMARINER, PASS, "", "nodes live in their VPC", changes=IN_US, spoken_for=VPCS),
    Case(T.SUBMARINER, UNKNOWN, "entered-ranges-differ", "what is reserved for another may come to be", changes=IN_US,
         spoken_for=(reserved("10.1.0.0/20", POD, "c"),)),
    Case(T.SUBMARINER, PASS, "", "what is reserved for a cluster is its own", changes=IN_US,
         spoken_for=(reserved("10.1.0.0/20", POD, "a"), reserved("10.77.0.0/20", POD, "c"))),

    Case(T.SUBMARINER_GLOBALNET, PASS, "", "overlapping CIDRs are what Globalnet is for", SAME_BOTH),
    Case(T.SUBMARINER_GLOBALNET, FAIL, "global-range-free", "Globalnet hands out 242.0.0.0/8",
         but((Use.POD_ROUTED, "242.1.0.0/16"))),
    Case(T.SUBMARINER_GLOBALNET, FAIL, "global-range-free", "and so must nobody else in their networks",
         spoken_for=(entered("242.7.0.0/16", RangeUse.VPN),)),
    Case(T.SUBMARINER_GLOBALNET, FAIL, "pods-have-ipv4", "no IPv6-only setups", but((Use.POD_ROUTED, "fd00:2::/64"))),
    Case(T.SUBMARINER_GLOBALNET, UNKNOWN, "global-range-free", "nodes were not read", changes=lacking(NODE)),

    Case(T.ISTIO_MULTI_NETWORK, PASS, "", "overlapping IP or VIP ranges take several networks", SAME_BOTH),
    Case(T.ISTIO_MULTI_NETWORK, FAIL, "gateways-differ", "gateways have to be reached",
         but((Use.LOADBALANCER, "10.0.9.1/32")), first=LB_A),
    Case(T.ISTIO_MULTI_NETWORK, FAIL, "gateways-not-hidden", "a pod range hides the other's gateway",
         but((Use.POD_ROUTED, "10.0.8.0/22")), first=LB_A),
    Case(T.ISTIO_MULTI_NETWORK, UNKNOWN, "gateways-differ", "what a pool will hand out",
         but((Use.LOADBALANCER_POOL, "10.0.9.0/24")), first=LB_A),
    Case(T.ISTIO_MULTI_NETWORK, PASS, "", "pods do not matter, read or not", changes=lacking(NODE)),
    Case(T.ISTIO_MULTI_NETWORK, UNKNOWN, "gateways-differ", "load balancers were not read",
         changes=lacking(AllocationKind.LOADBALANCER)),
    Case(T.ISTIO_MULTI_NETWORK, FAIL, "entered-ranges-differ", "a's gateway has an address of b's office",
         changes=IN_US, spoken_for=(entered("10.0.9.0/24", RangeUse.OFFICE, US),), first=LB_A),

    Case(T.ISTIO_FLAT, PASS, "", "pods and services differ and are routed"),
    Case(T.ISTIO_FLAT, FAIL, "pods-differ", "one network: every instance reaches every other directly", SAME_PODS),
    Case(T.ISTIO_FLAT, FAIL, "services-differ", "overlapping VIP ranges take several networks", SAME_SERVICES),
    Case(T.ISTIO_FLAT, FAIL, "pods-routed", "pods leave behind their nodes", but((Use.POD_MASQUERADED, "10.3.0.0/16"))),
    Case(T.ISTIO_FLAT, UNKNOWN, "pods-routed", "nobody told", (*B_ROWS[1:], (Use.POD, "10.3.0.0/16"))),

    Case(T.LINKERD_GATEWAY, PASS, "", "only the gateway's address has to be reached", SAME_BOTH),
    Case(T.LINKERD_GATEWAY, FAIL, "gateways-differ", "but that one",
         but((Use.LOADBALANCER, "10.0.9.1/32")), first=LB_A),
    Case(T.LINKERD_GATEWAY, UNKNOWN, "gateways-not-hidden", "services were not read", changes=lacking(SERVICE)),

    Case(T.LINKERD_FLAT, PASS, "", "service ranges may be equal: pods are addressed", SAME_SERVICES),
    Case(T.LINKERD_FLAT, FAIL, "pods-differ", "pods must be able to address pods of the other cluster", SAME_PODS),
    Case(T.LINKERD_FLAT, FAIL, "services-hide-no-pods", "what is in the service range is no pod",
         but((Use.SERVICE, "10.1.0.0/24"))),
    Case(T.LINKERD_FLAT, UNKNOWN, "pods-routed", "nobody told", (*B_ROWS[1:], (Use.POD, "10.3.0.0/16"))),

    Case(T.ANTREA, PASS, "", "neither pods nor services overlap", both=ANTREA),
    Case(T.ANTREA, UNKNOWN, "pods-differ", "pods matter with PodIP only", SAME_PODS, both=ANTREA),
    Case(T.ANTREA, UNKNOWN, "services-differ", "services matter with ClusterIP only", SAME_SERVICES, both=ANTREA),
    Case(T.ANTREA, FAIL, "services-differ", "all clusters have one endpointIPType, and neither works", SAME_BOTH,
         both=ANTREA),
    Case(T.ANTREA, FAIL, "services-hide-no-pods", "the ClusterIP is a pod's here", but((Use.SERVICE, "10.1.0.0/24")),
         both=ANTREA),
    Case(T.ANTREA, FAIL, "antrea-everywhere", "every cluster runs Antrea"),
    Case(T.ANTREA, UNKNOWN, "gateway-nodes-differ", "if these are the gateways", but((Use.NODE, "10.0.1.5/32")),
         both=ANTREA),

    Case(T.SKUPPER, PASS, "nothing-apart", "an overlay of applications: addresses stay in their sites", SAME_BOTH,
         lacking(POD, SERVICE, NODE)),

    Case(T.VPC_PEERING, PASS, "", "AWS: VPCs whose blocks do not overlap", changes=IN_US, spoken_for=VPCS),
    Case(T.VPC_PEERING, FAIL, "vpc-ranges-differ", "AWS: no VPCs that have matching or overlapping CIDR blocks",
         changes=IN_US, spoken_for=(VPCS[0], entered("10.0.0.0/12", RangeUse.VPC, US))),
    Case(T.VPC_PEERING, FAIL, "vpc-ranges-differ", "AWS: even if only other blocks would be used", changes=IN_US,
         spoken_for=(*VPCS, entered("172.20.0.0/16", RangeUse.VPC), entered("172.20.0.0/16", RangeUse.VPC, US))),
    Case(T.VPC_PEERING, FAIL, "vpc-ranges-differ", "Azure: address spaces must not overlap, used or not", changes=IN_US,
         both={"provider": "azure"}, spoken_for=(VPCS[0], entered("10.0.128.0/17", RangeUse.VPC, US))),
    Case(T.VPC_PEERING, FAIL, "vpc-ranges-differ", "a node of b is in the VPC of a, whatever b's VPC is",
         but((Use.NODE, "10.0.7.7/32")), IN_US, spoken_for=VPCS[:1]),
    Case(T.VPC_PEERING, UNKNOWN, "vpc-ranges-differ", "nobody entered b's VPC", changes=IN_US, spoken_for=VPCS[:1]),
    Case(T.VPC_PEERING, UNKNOWN, "vpc-ranges-differ", "a node outside shows that a block is missing",
         but((Use.NODE, "10.9.7.7/32")), IN_US, spoken_for=VPCS),
    Case(T.VPC_PEERING, PASS, "", "public addresses of nodes are none of the VPC's",
         (*B_ROWS, (Use.NODE, "203.0.113.9/32")), IN_US, spoken_for=VPCS),
    Case(T.VPC_PEERING, UNKNOWN, "vpc-ranges-differ", "Google Cloud: subnets of what is peered already, too",
         changes=IN_US, both={"provider": "gcp"}, spoken_for=VPCS),
    Case(T.VPC_PEERING, PASS, "", "Google Cloud: if somebody says that all of these are entered", changes=IN_US,
         both={"provider": "gcp"}, networks_entered=True,
         spoken_for=(entered("10.0.1.0/24", RangeUse.SUBNET), entered("10.8.2.0/24", RangeUse.SUBNET, US))),
    Case(T.VPC_PEERING, FAIL, "vpc-ranges-differ", "a's routes to a third network are not b's too", changes=IN_US,
         spoken_for=(*VPCS, entered("10.8.128.0/17", RangeUse.VPC, LAB))),
    Case(T.VPC_PEERING, UNKNOWN, "vpc-ranges-differ", "pods of AWS VPC CNI show a block that nobody entered",
         but((Use.POD_MASQUERADED, "100.64.0.0/18")), IN_US, both={"cnis": ("aws-vpc-cni",)},
         spoken_for=(*VPCS, entered("10.1.0.0/16", RangeUse.VPC))),
    Case(T.VPC_PEERING, FAIL, "vpc-ranges-differ", "and lie in the other's VPC, though nobody sees them from outside",
         but((Use.POD_MASQUERADED, "100.64.0.0/18")), IN_US, both={"cnis": ("aws-vpc-cni",)},
         spoken_for=(*VPCS, entered("100.64.0.0/16", RangeUse.VPC))),
    Case(T.VPC_PEERING, PASS, "", "an overlay of Azure CNI is in no VPC", changes=IN_US, spoken_for=VPCS,
         rows=((Use.POD_MASQUERADED, "10.3.0.0/16"), *B_ROWS[1:]), both={"cnis": ("azure-cni",)},
         first=((Use.POD_MASQUERADED, "10.4.0.0/16"), *A_ROWS[1:])),
    Case(T.VPC_PEERING, FAIL, "one-cloud", "no peering from cloud to cloud", changes=IN_US | {"provider": "gcp"},
         spoken_for=VPCS),
    Case(T.VPC_PEERING, FAIL, "routes-differ", "routed pods have one next hop", SAME_PODS, IN_US, spoken_for=VPCS),
    Case(T.VPC_PEERING, UNKNOWN, "vpc-ranges-differ", "two VPCs of one domain in each other",
         spoken_for=(entered("10.0.0.0/8", RangeUse.VPC), VPCS[0])),

    Case(T.TRANSIT_GATEWAY, PASS, "", "all that is attached is entered", changes=IN_US, spoken_for=VPCS,
         networks_entered=True),
    Case(T.TRANSIT_GATEWAY, UNKNOWN, "other-networks-known", "what else is attached", changes=IN_US, spoken_for=VPCS),
    Case(T.TRANSIT_GATEWAY, FAIL, "vpc-ranges-differ", "no routing between VPCs with identical CIDRs", changes=IN_US,
         spoken_for=(VPCS[0], entered("10.0.0.0/16", RangeUse.VPC, US))),
    Case(T.TRANSIT_GATEWAY, FAIL, "entered-ranges-differ", "b's routed pods are a's office already", changes=IN_US,
         spoken_for=(*VPCS, entered("10.2.0.0/20", RangeUse.OFFICE)), networks_entered=True),

    Case(T.PLAIN_ROUTING, PASS, "", "all that is routed is entered", networks_entered=True),
    Case(T.PLAIN_ROUTING, UNKNOWN, "other-networks-known", "nobody says what else is routed"),
    Case(T.PLAIN_ROUTING, FAIL, "routes-differ", "a router has one next hop", SAME_PODS, networks_entered=True),
    Case(T.PLAIN_ROUTING, FAIL, "routes-not-hidden", "b keeps what goes to a's nodes",
         but((Use.POD_MASQUERADED, "10.0.0.0/20")), networks_entered=True),
    Case(T.PLAIN_ROUTING, FAIL, "entered-ranges-differ", "a's routed pods are its own office's",
         spoken_for=(entered("10.1.0.0/24", RangeUse.OFFICE),), networks_entered=True),
    Case(T.PLAIN_ROUTING, UNKNOWN, "routes-differ", "services were not read",
         changes=lacking(SERVICE, AllocationKind.EXTERNAL), networks_entered=True),
]  # fmt: skip


def way_of(asked: Question, target: FederationTarget) -> WayResult:
    (found,) = answer(judge(asked), [target], NO_PLACES).ways
    return found


def asked(case: Case) -> Question:
    one = cluster("a", case.first, **case.both)
    other = cluster("b", case.rows, **{**case.both, **case.changes})
    return question(one, other, spoken_for=case.spoken_for, networks_entered=case.networks_entered)


@pytest.mark.promise("preflight-passes-what-is-known")
@pytest.mark.parametrize("case", CASES, ids=[f"{each.target}: {each.why}" for each in CASES])
def test_a_way_is_judged_as_its_source_says(case: Case) -> None:
    found = way_of(asked(case), case.target)
    told = {rule.id: rule.verdict for rule in found.rules}
    assert found.verdict is case.verdict, [(rule.id, rule.verdict, rule.lacks, rule.ranges) for rule in found.rules]
    assert not case.rule or told[case.rule] is case.verdict


def test_every_way_has_a_case_of_each_verdict() -> None:
    verdicts = {(case.target, case.verdict) for case in CASES}
    needs_nothing = {(T.SKUPPER, FAIL), (T.SKUPPER, UNKNOWN)}
    assert {(target, verdict) for target in T for verdict in Verdict} - verdicts == needs_nothing


def test_every_rule_fails_or_is_unknown_in_some_case() -> None:
    """But for those that only matter with hundreds of clusters."""
    met = {(case.target, case.rule) for case in CASES}
    rules = {rule.id for rules in judge(asked(CASES[0])).ways.values() for rule in rules}
    assert rules - {rule for _, rule in met} == {"clusters-in-mesh"}


def test_more_clusters_than_a_mesh_takes_fail_and_more_than_its_default_are_unknown() -> None:
    def mesh(count: int) -> Verdict:
        parties: list[Party] = [
            cluster(f"c{number}", [(Use.POD_ROUTED, f"10.{number % 256}.{number // 256}.0/24")])
            for number in range(count)
        ]
        way = way_of(question(*parties), T.CILIUM_CLUSTER_MESH)
        (rule,) = (rule for rule in way.rules if rule.id == "clusters-in-mesh")
        return rule.verdict

    # docs.cilium.io: 255 clusters by default, up to 511 with maxConnectedClusters.
    assert [mesh(count) for count in (255, 256, 511, 512)] == [PASS, UNKNOWN, UNKNOWN, FAIL]


def test_a_plan_in_a_network_lives_in_its_vpc_and_elsewhere_collides_with_it() -> None:
    rows = [(Use.POD, "10.64.0.0/16"), (Use.SERVICE, "10.65.0.0/16"), (Use.NODE, "10.0.5.0/24")]
    one, kinds = cluster("a", A_ROWS), (POD, SERVICE, NODE, AllocationKind.LOADBALANCER)

    def verdict(plan: Party) -> tuple[Verdict, Verdict]:
        way = way_of(question(one, plan, spoken_for=VPCS), T.VPC_PEERING)
        by_id = {rule.id: rule.verdict for rule in way.rules}
        return by_id["vpc-ranges-differ"], by_id["entered-ranges-differ"]

    assert verdict(planned("new", rows, *kinds, domain_id=one.domain_id)) == (PASS, PASS)
    assert verdict(planned("new", rows, *kinds, domain_id=US)) == (FAIL, FAIL)
    assert verdict(planned("new", rows, *kinds)) == (UNKNOWN, UNKNOWN)


@pytest.mark.promise("preflight-passes-what-is-known")
@pytest.mark.parametrize("target", [T.SUBMARINER, T.CILIUM_CLUSTER_MESH, T.PLAIN_ROUTING])
@pytest.mark.parametrize("cidr", ["10.64.7.0/24", "10.1.7.0/24"], ids=["of the plan", "of the cluster it joins"])
def test_what_is_entered_in_a_network_that_a_plan_may_be_in_passes_only_where_nobody_is(
    target: FederationTarget, cidr: str
) -> None:
    rows = [(Use.POD_ROUTED, "10.64.0.0/16"), (Use.SERVICE, "10.65.0.0/16"), (Use.NODE, "10.66.0.0/24")]
    plan = planned("new", rows, POD, SERVICE, NODE, AllocationKind.LOADBALANCER)

    def met(*ranges: SpokenFor) -> RuleResult:
        way = way_of(question(cluster("a", A_ROWS), plan, perhaps_near=ranges), target)
        return next(rule for rule in way.rules if rule.id == "entered-ranges-differ")

    found = met(entered(cidr, RangeUse.OFFICE, LAB))
    assert (found.verdict, [each.cidr for each in found.ranges]) == (UNKNOWN, [cidr])
    assert found.lacks == (domain_not_known(["new"]),)
    assert met(entered("172.20.0.0/16", RangeUse.OFFICE, LAB)).verdict is PASS


@pytest.mark.promise("preflight-passes-what-is-known")
def test_globalnet_is_unknown_where_a_plan_may_be_in_a_network_that_uses_its_range() -> None:
    plan = planned("new", [], POD, SERVICE, NODE, AllocationKind.LOADBALANCER)
    vpn = entered("242.7.0.0/16", RangeUse.VPN, LAB)
    way = way_of(question(cluster("a", A_ROWS), plan, perhaps_near=[vpn]), T.SUBMARINER_GLOBALNET)
    found = next(rule for rule in way.rules if rule.id == "global-range-free")
    assert (found.verdict, found.lacks) == (UNKNOWN, (domain_not_known(["new"]),))


@pytest.mark.promise("preflight-passes-what-is-known")
@pytest.mark.parametrize("kind", [POD, SERVICE, NODE, AllocationKind.LOADBALANCER, AllocationKind.EXTERNAL])
def test_no_rule_about_what_is_not_known_of_one_cluster_passes_and_all_others_stand(kind: AllocationKind) -> None:
    """The rules that are about a kind, and only these, change where a cluster lacks it; each names what is missing."""
    whole = judge(question(cluster("a", A_ROWS), cluster("b", B_ROWS, **IN_US), spoken_for=VPCS))
    lacks = judge(question(cluster("a", A_ROWS), cluster("b", B_ROWS, **IN_US, **lacking(kind)), spoken_for=VPCS))
    for target in T:
        about = {rule.id for rule in APART[target] if kind in kinds_of(_uses(rule))}
        before = {rule.id: rule.verdict for rule in whole.ways[target]}
        for rule in lacks.ways[target]:
            if rule.id in about:
                assert (rule.verdict, len(rule.lacks)) == (UNKNOWN, 1), (target, rule.id)
                assert f"of b are known without {FORBIDDEN.source} (forbidden)" in rule.lacks[0]
            elif rule.id in {each.id for each in APART[target]}:
                assert rule.verdict is before[rule.id], (target, rule.id)
            elif before[rule.id] is PASS:
                assert rule.verdict in {PASS, UNKNOWN}


def _uses(rule: Apart) -> frozenset[Use]:
    return frozenset().union(*(side.surely | side.perhaps for side in (rule.one, rule.other)))
