"""The ways of joining clusters, and what two clusters may not both use in each: whom an overlap stops. Pure.

| way | may not overlap between two clusters |
|--|--|
| Cilium Cluster Mesh | pods and nodes; services with another's pods or nodes |
| Submariner without Globalnet | pods and services; pods or services with another's nodes |
| Submariner with Globalnet, Skupper | nothing |
| Istio on several networks, Linkerd with gateways | load balancers; pods or services with another's load balancers |
| Istio on one network | pods; services; pods with another's services |
| Linkerd on a flat network | pods; services with another's pods |
| Antrea Multi-cluster | services or pods, as it is configured; pods with another's services; the gateways' nodes |
| VPC peering, a transit gateway, plain routing | what is reached from outside; pods or services with another's such |

The pages in `SOURCES` say it in these words:

* Cilium: "PodCIDR ranges in all clusters and all nodes must be non-conflicting and unique IP addresses."
* Submariner: "Non-overlapping Pod and Service CIDRs between clusters", "Worker node IPs on all connected clusters must
  be outside of the Pod/Service CIDR ranges." Nodes of two clusters may have equal addresses there.
* Istio: "Overlapping IP or VIP ranges for service endpoints" take several networks, joined by gateways.
* Linkerd: a flat network is one where pods "must be able to address and connect to pods in the other cluster"; else
  only the "gateway IP of the destination cluster" has to be reached.
* Antrea: "The ClusterIP endpoint type requires that Service CIDRs … must not overlap", "The PodIP endpoint type
  requires Pod CIDRs not to overlap"; all clusters of a set have one type.
* AWS: no peering of "VPCs that have matching or overlapping IPv4 or IPv6 CIDR blocks"; a transit gateway has no
  "routing between VPCs with identical CIDRs".

That a service range hides what it covers, and that a router has one next hop for an address, follows from no page but
from how kube-proxy and routers work. What is only perhaps there (pods whose reach nobody knows, the node of a gateway,
an address that a pool may still hand out), or matters only as something is configured, stops a way only perhaps.
"""

from collections.abc import Collection, Iterator, Mapping
from enum import IntEnum
from functools import cache
from itertools import combinations_with_replacement
from types import MappingProxyType
from typing import Final, NamedTuple

from periplus_hub.addresses.overlaps.engine.causes import Cause, WorstPairs
from periplus_hub.addresses.overlaps.engine.severity import pair_severity
from periplus_hub.addresses.overlaps.engine.uses import (
    ENTERED,
    NODES,
    NODES_HIDDEN,
    PODS,
    PODS_HIDDEN,
    PODS_OF_UNKNOWN_REACH,
    SERVICES,
    USES,
    Use,
)
from periplus_hub.addresses.overlaps.model import SEVERITIES, FederationTarget, Relation, Severity, Stopped

_NOTHING: Final[frozenset[Use]] = frozenset()
_PLANS: Final = frozenset({Use.PLANNED, Use.RESERVED})


class Side(NamedTuple):
    """What one cluster may not use where another has the rule's other side: for sure, or perhaps."""

    surely: frozenset[Use]
    perhaps: frozenset[Use] = _NOTHING


class Apart(NamedTuple):
    """Two sets of uses that may not overlap between two clusters.

    `asks` says that as a demand, `breaks` what happens otherwise; `depends` on what nobody told it depends whether it
    does, where the uses are only perhaps in the way.
    """

    id: str
    one: Side
    other: Side
    asks: str
    breaks: str
    depends: str = ""


class Stop(IntEnum):
    """Whether an overlap stops a way."""

    NO = 0
    PERHAPS = 1
    YES = 2


SOURCES: Final[Mapping[FederationTarget, str]] = MappingProxyType({
    FederationTarget.CILIUM_CLUSTER_MESH: "https://docs.cilium.io/en/stable/network/clustermesh/clustermesh/",
    FederationTarget.SUBMARINER: "https://submariner.io/getting-started/",
    FederationTarget.SUBMARINER_GLOBALNET: "https://submariner.io/getting-started/architecture/globalnet/",
    FederationTarget.ISTIO_MULTI_NETWORK: "https://istio.io/latest/docs/ops/deployment/deployment-models/",
    FederationTarget.ISTIO_FLAT: "https://istio.io/latest/docs/ops/deployment/deployment-models/",
    FederationTarget.LINKERD_GATEWAY: "https://linkerd.io/2/reference/multicluster/",
    FederationTarget.LINKERD_FLAT: "https://linkerd.io/2/tasks/pod-to-pod-multicluster/",
    FederationTarget.ANTREA: "https://antrea.io/docs/main/docs/multicluster/user-guide/",
    FederationTarget.SKUPPER: "https://skupper.io/docs/overview/",
    FederationTarget.VPC_PEERING: "https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html",
    FederationTarget.TRANSIT_GATEWAY: "https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html",
    FederationTarget.PLAIN_ROUTING: "https://www.rfc-editor.org/rfc/rfc1918",
})  # fmt: skip
"""Of each way, who says what it needs."""

_POD_SIDE: Final = Side(PODS)
_PODS_PERHAPS: Final = Side(_NOTHING, PODS)
_SERVICES_PERHAPS: Final = Side(_NOTHING, SERVICES)
_SERVICE_SIDE: Final = Side(SERVICES)
_NODE_SIDE: Final = Side(NODES)
_PODS_AND_SERVICES: Final = Side(PODS | SERVICES)
_GATEWAYS: Final = Side(frozenset({Use.LOADBALANCER}), frozenset({Use.LOADBALANCER_POOL}))
_SEEN_OUTSIDE: Final = Side(
    NODES - NODES_HIDDEN
    | ENTERED
    | PODS - PODS_HIDDEN - PODS_OF_UNKNOWN_REACH
    | {Use.SERVICE_ROUTED, Use.LOADBALANCER, Use.EXTERNAL},
    PODS_OF_UNKNOWN_REACH | {Use.LOADBALANCER_POOL},
)

_PODS_DIFFER: Final = Apart(
    "pods-differ", _POD_SIDE, _POD_SIDE,
    "No two clusters use the same addresses for pods.",
    "Traffic to a pod reaches the wrong cluster's, or none.",
)  # fmt: skip
_SERVICES_DIFFER: Final = Apart(
    "services-differ", _SERVICE_SIDE, _SERVICE_SIDE,
    "No two clusters use the same addresses for services.",
    "A ClusterIP of one cluster means another service in the other.",
)  # fmt: skip
_NO_PODS_HIDDEN: Final = Apart(
    "services-hide-no-pods", _SERVICE_SIDE, _POD_SIDE,
    "No service range covers pods of another cluster.",
    "From inside the cluster with the service range, pods of the other are taken for its own services.",
)  # fmt: skip
_GATEWAYS_REACHED: Final = (
    Apart(
        "gateways-differ", _GATEWAYS, _GATEWAYS,
        "No two clusters use the same addresses for load balancers, of which the gateways are some.",
        "If a gateway gets an address that the other cluster has too, requests go to either of them.",
    ),
    Apart(
        "gateways-not-hidden", _PODS_AND_SERVICES, _GATEWAYS,
        "No pod or service range covers load balancers of another cluster.",
        "Pods cannot reach the other cluster's gateway: their own cluster keeps what goes to its own ranges.",
    ),
)  # fmt: skip
_ROUTED: Final = (
    Apart(
        "routes-differ", _SEEN_OUTSIDE, _SEEN_OUTSIDE,
        "No two clusters use the same addresses where they are reached from outside: nodes, load balancers, routed "
        "pods and services.",
        "Routers have one next hop for an address, so one of its two owners is not reached.",
    ),
    Apart(
        "routes-not-hidden", _PODS_AND_SERVICES, _SEEN_OUTSIDE,
        "No pod or service range covers what another cluster is reached at.",
        "Pods cannot reach what others have there: their own cluster keeps what goes to its own ranges.",
    ),
)  # fmt: skip


APART: Final[Mapping[FederationTarget, tuple[Apart, ...]]] = MappingProxyType({
    FederationTarget.CILIUM_CLUSTER_MESH: (
        Apart(
            "pods-and-nodes-differ", Side(PODS | NODES), Side(PODS | NODES),
            "No two clusters use the same addresses for pods or nodes.",
            "Cilium knows every pod and node of the mesh by its address: a second owner takes it over.",
        ),
        Apart(
            "services-hide-no-pods-or-nodes", _SERVICE_SIDE, Side(PODS | NODES),
            "No service range covers pods or nodes of another cluster.",
            "From inside the cluster with the service range, pods and nodes of the other are taken for its services.",
        ),
    ),
    FederationTarget.SUBMARINER: (
        Apart(
            "pods-and-services-differ", _PODS_AND_SERVICES, _PODS_AND_SERVICES,
            "No two clusters use the same addresses for pods or services.",
            "Submariner routes whole pod and service ranges: it refuses a cluster whose ranges another has.",
        ),
        Apart(
            "routes-hide-no-nodes", _PODS_AND_SERVICES, _NODE_SIDE,
            "No pod or service range covers nodes of another cluster.",
            "Submariner's route to the other cluster's range takes over traffic to nodes that lie in it.",
        ),
    ),
    FederationTarget.SUBMARINER_GLOBALNET: (),
    FederationTarget.ISTIO_MULTI_NETWORK: _GATEWAYS_REACHED,
    FederationTarget.ISTIO_FLAT: (_PODS_DIFFER, _SERVICES_DIFFER, _NO_PODS_HIDDEN),
    FederationTarget.LINKERD_GATEWAY: _GATEWAYS_REACHED,
    FederationTarget.LINKERD_FLAT: (_PODS_DIFFER, _NO_PODS_HIDDEN),
    FederationTarget.ANTREA: (
        Apart(
            "pods-differ", _PODS_PERHAPS, _PODS_PERHAPS,
            "No two clusters use the same addresses for pods, if endpointIPType is PodIP or pods are routed.",
            "With PodIP, or enablePodToPodConnectivity, traffic to a pod reaches the wrong cluster's, or none.",
            "Whether endpointIPType of antrea-mc-controller-config is PodIP, or enablePodToPodConnectivity set, is not "
            "known: with ClusterIP, the default, pods may overlap.",
        ),
        Apart(
            "services-differ", _SERVICES_PERHAPS, _SERVICES_PERHAPS,
            "No two clusters use the same addresses for services, if endpointIPType is ClusterIP.",
            "With ClusterIP, the default, an exported service is reached at an address that means another one here.",
            "Whether endpointIPType of antrea-mc-controller-config is ClusterIP, the default, is not known: with PodIP "
            "services may overlap.",
        ),
        _NO_PODS_HIDDEN,
        Apart(
            "gateway-nodes-differ", Side(_NOTHING, NODES), Side(_NOTHING, NODES),
            "No two clusters have nodes with the same addresses as gateways.",
            "If these nodes are the clusters' gateways, no tunnel can be built between them.",
            "Which nodes are the gateways is not known: choose others than these.",
        ),
    ),
    FederationTarget.SKUPPER: (),
    FederationTarget.VPC_PEERING: _ROUTED,
    FederationTarget.TRANSIT_GATEWAY: _ROUTED,
    FederationTarget.PLAIN_ROUTING: _ROUTED,
})  # fmt: skip
"""Of each way, what has to be apart."""

_TRANSLATED: Final = Side(_NOTHING)
_REACHED_OUTSIDE: Final = _SEEN_OUTSIDE._replace(surely=_SEEN_OUTSIDE.surely - ENTERED)
REACHED: Final[Mapping[FederationTarget, Side]] = MappingProxyType({
    FederationTarget.CILIUM_CLUSTER_MESH: Side(PODS | NODES),
    FederationTarget.SUBMARINER: _PODS_AND_SERVICES,
    FederationTarget.SUBMARINER_GLOBALNET: _TRANSLATED,
    FederationTarget.ISTIO_MULTI_NETWORK: _GATEWAYS,
    FederationTarget.ISTIO_FLAT: Side(PODS, SERVICES),
    FederationTarget.LINKERD_GATEWAY: _GATEWAYS,
    FederationTarget.LINKERD_FLAT: _POD_SIDE,
    FederationTarget.ANTREA: Side(_NOTHING, PODS | SERVICES | NODES),
    FederationTarget.SKUPPER: _TRANSLATED,
    FederationTarget.VPC_PEERING: _REACHED_OUTSIDE,
    FederationTarget.TRANSIT_GATEWAY: _REACHED_OUTSIDE,
    FederationTarget.PLAIN_ROUTING: _REACHED_OUTSIDE,
})  # fmt: skip
"""Of each way, at what of its own addresses a cluster is reached from the others, and so from their networks."""


def stop_of(rule: Apart, a: Use, b: Use) -> Stop:
    """Whether an overlap of these uses of two clusters breaks the rule. A plan may become anything."""
    found = Stop.NO
    for one, other in ((a, b), (b, a)):
        # A rule has two sides, and a pair no order: either use may be on either side.
        if one in rule.one.surely and other in rule.other.surely:
            return Stop.YES
        if may_be(one, rule.one) and may_be(other, rule.other):
            found = Stop.PERHAPS
    return found


def may_be(use: Use, side: Side) -> bool:
    """Whether a cluster may have a side of a rule with this use."""
    return use in side.surely or use in side.perhaps or use in _PLANS


@cache
def way_stop(target: FederationTarget, a: Use, b: Use) -> Stop:
    """Whether an overlap of these uses of two clusters stops a way of joining them."""
    return max((stop_of(rule, a, b) for rule in APART[target]), default=Stop.NO)


def stopped_by(pairs: WorstPairs, causes: Collection[Cause]) -> Stopped:
    """Which ways of joining the clusters that a group hits worst it stops.

    `causes` are those of the pairs. Milder pairs of these clusters are not known: what they could stop, the group may.
    """
    if not any(cause.relation is not None for cause in causes):
        return Stopped()
    milder = frozenset(_milder(pairs))
    return _stopped({target: _of(target, causes, milder) for target in FederationTarget})


def stopped_by_pair(a: Use, b: Use) -> Stopped:
    """Which ways of joining two clusters an overlap of these two uses stops."""
    return _stopped({target: way_stop(target, a, b) for target in FederationTarget})


def _stopped(found: Mapping[FederationTarget, Stop]) -> Stopped:
    stops, may_stop, does_not_stop = (
        tuple(target for target, stop in found.items() if stop is wanted)
        for wanted in (Stop.YES, Stop.PERHAPS, Stop.NO)
    )
    return Stopped(stops=stops, may_stop=may_stop, does_not_stop=does_not_stop)


def _of(target: FederationTarget, causes: Collection[Cause], milder: Collection[tuple[Use, Use]]) -> Stop:
    """Every use of a side takes part in one of its causes: if each of them stops the way, one that is there does."""
    by_use: dict[Use, list[Stop]] = {}
    for cause in causes:
        stop = Stop.NO if cause.relation is None else way_stop(target, cause.a, cause.b)
        for use in {cause.a, cause.b}:
            by_use.setdefault(use, []).append(stop)
    # Which of a use's causes is there is not known, only that one is. So only what all of them stop is stopped for
    # sure.
    if any(min(stops) is Stop.YES for stops in by_use.values()):
        return Stop.YES
    perhaps = any(max(stops) > Stop.NO for stops in by_use.values())
    return Stop.PERHAPS if perhaps or any(way_stop(target, a, b) for a, b in milder) else Stop.NO


def _milder(pairs: WorstPairs) -> Iterator[tuple[Use, Use]]:
    """Uses that the same clusters may have in milder pairs, which are not told; a plan stops nothing yet.

    Two ranges that a provider gives to every cluster are in a group of what hurts more only if one of them is hit so.
    """
    managed = any(Use.SERVICE_MANAGED in side for side in pairs.sides)
    for relation in pairs.relations:
        for a, b in _milder_than(pairs.severity, relation):
            if managed or not a is b is Use.SERVICE_MANAGED or pairs.severity is Severity.CONFLICT:
                yield a, b


@cache
def _milder_than(severity: Severity, relation: Relation) -> tuple[tuple[Use, Use], ...]:
    live = [use for use in USES if use not in _PLANS]
    return tuple(
        (a, b)
        for a, b in combinations_with_replacement(live, 2)
        if (found := pair_severity(relation, a, b)) and SEVERITIES.index(found) > SEVERITIES.index(severity)
    )
