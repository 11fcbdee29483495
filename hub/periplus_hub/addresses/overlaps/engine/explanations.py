"""Why an overlap has its severity, what it breaks and what to do: sentences for a person. Pure."""

from collections.abc import Collection
from typing import Final, NamedTuple

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.causes import Cause, WorstPairs, causes_of
from periplus_hub.addresses.overlaps.engine.faults import PODS_OVER_NODES, SERVICES_OVER_OTHERS, Fault, faults_of
from periplus_hub.addresses.overlaps.engine.federations import stopped_by, stopped_by_pair
from periplus_hub.addresses.overlaps.engine.uses import (
    ENTERED,
    KIND_OF,
    NODES,
    NODES_HIDDEN,
    PODS,
    PODS_HIDDEN,
    PODS_OF_UNKNOWN_REACH,
    Use,
    kinds_of,
)
from periplus_hub.addresses.overlaps.model import Explanation, NamedClusters, Outgrown, Relation, Severity

_KIND = AllocationKind
_ADDRESSES: Final = frozenset({_KIND.NODE, _KIND.LOADBALANCER, _KIND.EXTERNAL})
_PLANS: Final = frozenset({_KIND.PLANNED, _KIND.RESERVED})
_NOT_ROUTED: Final = PODS_OF_UNKNOWN_REACH | PODS_HIDDEN
_MASQUERADED: Final = PODS_HIDDEN | NODES_HIDDEN
_ONE_NETWORK: Final = frozenset({Relation.SAME, Relation.FLAT})

_WHY: Final = {
    Severity.CONFLICT: "The clusters are in one network, and both sides are live.",
    Severity.BLOCKS_FEDERATION: "Nothing breaks today, but these clusters cannot be joined while they share the range.",
    Severity.LATENT: "The clusters' network domains are isolated: it would hurt if they were ever connected.",
    Severity.INTENDED: "The networks are connected through NAT, so each side sees only its own meaning of the range.",
}
_WHY_ENTERED: Final = "A cluster uses, or another network has, what people entered as somebody's in the same network."
_WHY_ACCEPTED: Final = "Somebody accepted this overlap; the acceptance has a reason and an end."
_WHY_HIDDEN: Final = (
    "The clusters are in one network, but pods leave them behind their nodes' addresses, so these ranges never meet."
)
_WHY_NODES_HIDDEN: Final = (
    "The clusters are in one network, but their nodes are behind routers that translate, so these addresses never meet."
)
_WHY_MANAGED: Final = (
    "The provider gives this range to the services of every cluster, and nobody reaches it from another cluster."
)
_UNKNOWN_REACH: Final = (
    "Whether all of these pods are reached from outside their cluster is not known; they count as routed until it is."
)

_BREAKS: Final = {
    _KIND.POD: "Pod traffic to the other cluster stays in, or goes to, the wrong cluster: the route is ambiguous.",
    _KIND.SERVICE: "A mesh or clusterset cannot tell the two clusters' ClusterIPs apart.",
    _KIND.NODE: "Node addresses collide: tunnels between the clusters and API access reach the wrong machine.",
    _KIND.LOADBALANCER: "Two load balancers have one address: clients reach either of them.",
    _KIND.EXTERNAL: "Two services have one external address: clients reach either of them.",
    _KIND.RESERVED: "A reserved range is already in use elsewhere.",
    _KIND.PLANNED: "A planned range is already in use elsewhere.",
}
_BREAKS_ENTERED: Final = (
    "Hosts in a range that people entered and a cluster, or another network, have the same addresses: traffic for one "
    "of the two goes to the other, or nowhere."
)
_COVERED: Final = {
    _KIND.SERVICE: "A service range of one cluster covers {} of another: from inside, traffic to them can be taken for "
    "service traffic and lost.",
    _KIND.POD: "A pod range of one cluster covers {} of another: from inside, they cannot be reached.",
}
"""Where kinds differ, the wider range hides what lies in it."""
_PLURAL: Final = {
    _KIND.POD: "pods",
    _KIND.NODE: "nodes",
    _KIND.LOADBALANCER: "load balancers",
    _KIND.EXTERNAL: "external addresses",
}
_TWO_USES: Final = "One address has different owners in different clusters: clients reach either of them."
_HIDES: Final = (
    "Where pods or nodes are masqueraded, their cluster keeps all traffic for its range: it cannot reach what others "
    "have there."
)
_NOTHING_MEETS: Final = (
    "Nothing, as long as no pods are reached directly: Cilium Cluster Mesh, Submariner without Globalnet and routes to "
    "pods need ranges that differ."
)
_NODES_STAY_APART: Final = (
    "Nothing, as long as nobody outside reaches nodes directly: tunnels between clusters, node ports and routes to "
    "nodes need addresses that differ."
)
_MANAGED_MATTERS: Final = (
    "Nothing, except with Submariner without Globalnet, and with Istio on one flat network: they tell the services of "
    "two clusters apart by their addresses."
)

_RENUMBER: Final = {
    _KIND.POD: "Give one of the clusters another pod range, the smaller one if you can choose: most CNIs fix it when "
    "the cluster is made, so rebuild it.",
    _KIND.SERVICE: "Give one of the clusters another service range: up to Kubernetes 1.32 it is fixed when the cluster "
    "is made, from 1.33 on ServiceCIDR objects can replace it.",
}
_UNCOVER: Final = {
    _KIND.SERVICE: "Give the cluster with the service range another one; moving what it covers touches more.",
    _KIND.POD: "Give the cluster with the pod range another one; moving what it covers touches more.",
}
_NODE_MOVE: Final = "Find out which of them owns the address, and give the other one another."
_POOL_APART: Final = (
    "Take what both have out of one of the pools (IPAddressPool of MetalLB, CiliumLoadBalancerIPPool of Cilium): to "
    "move a single service only moves the collision to the next address."
)
_ENTERED_MOVE: Final = (
    "Give the cluster addresses that nobody has there; where what people entered is wrong or has ended, correct it "
    "with 'periplus ranges'."
)
_PLAN: Final = "Choose another range for the plan or the reservation; that is free of cost now."
_NAT: Final = "Or connect them through NAT (Submariner Globalnet, gateways) and record the connection as 'nat'."
_GATEWAY: Final = "Or join them in a way that never uses the other side's ClusterIPs: gateways, Submariner Globalnet."
_APART: Final = "If their networks do not reach each other, put the clusters into different network domains."
_SAY_REACH: Final = (
    "If the pods of one leave it behind its nodes' addresses, say so: 'periplus reach set pod masqueraded CLUSTER "
    "--reason WHY'."
)
_SAY_NODES: Final = (
    "If nobody outside reaches these nodes by their addresses, because routers translate, say so of each cluster: "
    "'periplus reach set node masqueraded CLUSTER --reason WHY'."
)
_NOT_CONNECTED: Final = "If the networks are not connected any more, disconnect their network domains."
_NOT_WANTED: Final = "Or leave their networks apart, and take back what asks for joining them, if anything does."
_ACCEPT: Final = "If it is meant, accept the overlap with a reason and an end."
_ACCEPT_AGAIN: Final = "If that is meant too, accept it again."
_LATENT: Final = "Nothing now. Use a free range for the next cluster, and renumber before you connect these."
_LATENT_HIDDEN: Final = "Nothing now. Give one of them another pod range before pods are routed between them."
_LATENT_NODES: Final = "Nothing now. Give the nodes of one of them other addresses before nodes are reached directly."
_LATENT_MANAGED: Final = "Nothing. To join them with one of these, use Globalnet, or Istio's multi-network."
_INTENDED: Final = "Nothing, as long as the connection stays a NAT."
_REVIEW: Final = "Nothing until the acceptance ends; then accept it again or renumber."


_OWN_RENUMBERED: Final = {PODS_OVER_NODES: _KIND.POD, SERVICES_OVER_OTHERS: _KIND.SERVICE}


def explain(pairs: WorstPairs, *, accepted: bool = False, outgrown: Outgrown | None = None) -> Explanation:
    """For a group, from what is true of its worst pairs."""
    severity = Severity.INTENDED if accepted else pairs.severity
    causes = causes_of(pairs)
    faults, between = faults_of(causes), _between(pairs, {each for each in causes if each.relation is not None})
    # With anything between clusters beside it, the fault is one sentence among others and not the explanation.
    own = bool(faults) and not between.uses and not between.entered
    why = [*(fault.why for fault in faults), *([] if own else [_why(between)])]
    remedies = [_REVIEW] if accepted else [*(fault.remedy for fault in faults), *([] if own else _remedies(between))]
    note = [] if outgrown is None else [_outgrown(outgrown)]
    # Nobody is asked to accept what hurts nobody; but what once was accepted and has grown is said whatever it is now.
    if severity is not Severity.INTENDED and (outgrown or severity is not Severity.LATENT):
        remedies.append(_ACCEPT if outgrown is None else f"{_outgrown(outgrown)} {_ACCEPT_AGAIN}")
    return Explanation(
        why=" ".join([*([_WHY_ACCEPTED] if accepted else why), *note]),
        own=own,
        breaks=(*(fault.breaks for fault in faults), *(() if own else _breaks(between))),
        stopped=stopped_by(pairs, causes),
        remedies=tuple(remedies),
        renumbered=() if severity is Severity.INTENDED else _renumbered(faults, between),
    )


def _renumbered(faults: Collection[Fault], between: "_Between") -> tuple[AllocationKind, ...]:
    """What of pods, services and nodes needs another range; not what a provider gives, nor what is only planned."""
    found = {kind for fault, kind in _OWN_RENUMBERED.items() if fault in faults}
    kinds = frozenset(between.kinds)
    if not between.managed and not _PLANS & kinds:
        covering = _covering(kinds)
        found |= kinds if covering is None else {covering}
    return tuple(kind for kind in (_KIND.POD, _KIND.SERVICE, _KIND.NODE) if kind in found)


class _Between(NamedTuple):
    """What of a group is between clusters: without uses, nothing but what `entered` says."""

    severity: Severity
    uses: frozenset[Use]
    entered: bool
    """Whether there is also what collides with ranges that people entered."""
    relations: frozenset[Relation]
    unknown_reach: bool
    """Whether it would be milder, were all pods known to be masqueraded of which nobody knows."""
    hides: bool
    """Whether pods or nodes that nobody sees from outside collide with such that are seen."""
    seen_nodes: bool
    """Whether nothing but nodes collides in one network, and would not, were they known to be masqueraded."""

    @property
    def managed(self) -> bool:
        """Whether there are only ranges that a provider gives to every cluster."""
        return self.uses == {Use.SERVICE_MANAGED}

    @property
    def never_meet(self) -> bool:
        """Whether, where it hurts nobody yet, that is because what collides stays inside its clusters."""
        return bool(self.relations) and self.relations <= _ONE_NETWORK

    @property
    def kinds(self) -> tuple[AllocationKind, ...]:
        """Of the uses."""
        return kinds_of(self.uses)


def _between(pairs: WorstPairs, among: Collection[Cause]) -> _Between:
    """From the causes between clusters; from all that is there, where nothing explains the severity any more."""
    # The severity is stored and the relations are of now: between a change and the register's next run nothing may
    # explain it. Said of everything that is there, the words are vague and not wrong.
    if not among and not causes_of(pairs):
        every = frozenset().union(*pairs.sides)
        return _Between(
            pairs.severity,
            every - ENTERED,
            bool(every & ENTERED),
            pairs.relations,
            unknown_reach=False,
            hides=False,
            seen_nodes=False,
        )
    entered = [each for each in among if {each.a, each.b} & ENTERED]
    in_one_network = [{each.a, each.b} for each in among if each.relation in _ONE_NETWORK]
    alike = [both for both in in_one_network if both <= PODS or both <= NODES]
    return _Between(
        pairs.severity,
        frozenset(use for each in among for use in (each.a, each.b) if each not in entered),
        bool(entered),
        frozenset(each.relation for each in among if each.relation is not None),
        unknown_reach=any(both & PODS_OF_UNKNOWN_REACH and both <= _NOT_ROUTED for both in alike),
        hides=any(both & _MASQUERADED and both - _MASQUERADED for both in alike),
        seen_nodes=all(both <= NODES for both in in_one_network)
        and any(both - NODES_HIDDEN for both in in_one_network),
    )


def _why(between: _Between) -> str:
    if between.severity is not Severity.LATENT:
        entered = between.entered and between.severity is Severity.CONFLICT
        why = [_WHY[between.severity]] if between.uses or not entered else []
        why += [_WHY_ENTERED] if entered else []
        return " ".join([*why, *([_UNKNOWN_REACH] if between.unknown_reach else [])])
    if between.managed:
        return _WHY_MANAGED
    if not between.never_meet:
        return _WHY[Severity.LATENT]
    return _WHY_NODES_HIDDEN if _KIND.NODE in between.kinds else _WHY_HIDDEN


def _breaks(between: _Between) -> tuple[str, ...]:
    if between.severity is Severity.LATENT and between.managed:
        return (_MANAGED_MATTERS,)
    if between.severity is Severity.LATENT and between.never_meet:
        return (_NODES_STAY_APART if _KIND.NODE in between.kinds else _NOTHING_MEETS,)
    entered = [_BREAKS_ENTERED] if between.entered else []
    return (*entered, *(_breaks_of(between.kinds) if between.uses else ()), *([_HIDES] if between.hides else []))


def _breaks_of(kinds: Collection[AllocationKind]) -> tuple[str, ...]:
    """One kind collides with itself; several hide each other. Which pairs there are is not known here, so no guess."""
    present = [kind for kind in _KIND if kind in kinds]
    if len(present) == 1:
        return (_BREAKS[present[0]],)
    breaks = [_BREAKS[kind] for kind in present if kind in _PLANS]
    live = [kind for kind in present if kind not in _PLANS]
    covering = _covering(kinds)
    if covering is not None:
        hidden = [_PLURAL[kind] for kind in live if kind in _PLURAL and kind is not covering]
        breaks.append(_COVERED[covering].format(" and ".join(hidden)))
    elif len(live) == 1:
        breaks.append(_BREAKS[live[0]])
    elif live:
        breaks.append(_TWO_USES)
    return tuple(breaks)


def _covering(kinds: Collection[AllocationKind]) -> AllocationKind | None:
    """The kind whose range hides what the others are."""
    covering = next((kind for kind in _COVERED if kind in kinds), None)
    hidden = any(kind in _PLURAL and kind is not covering for kind in kinds)
    return covering if hidden else None


def _outgrown(outgrown: Outgrown) -> str:
    """What there is beyond the acceptance, in a sentence."""
    only = f" for {_names(outgrown.covered)} only" if outgrown.covered.clusters else ""
    news = [f"{_names(outgrown.came)} came later"] if outgrown.came.clusters else []
    if outgrown.worse.clusters:
        news.append(f"it is worse for {_names(outgrown.worse)} now")
    return f"It was accepted{only}{';' if only else ', but'} {' and '.join(news)}."


def _names(some: NamedClusters) -> str:
    names, more = list(some.names), some.clusters - len(some.names)
    if more:
        names.append(f"{more} more")
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _remedies(between: _Between) -> list[str]:
    """Whose range to change, what to do instead, and what to say if the network is not as it is recorded."""
    if between.severity is Severity.INTENDED:
        return [_INTENDED]
    if between.severity is Severity.LATENT:
        return [_latent(between)]
    joinable = between.relations - {Relation.SAME}
    # What collides in services alone is only met by who uses the other side's ClusterIPs.
    services = set(between.kinds) == {_KIND.SERVICE}
    ways_out = {
        _GATEWAY: services,
        _SAY_REACH: between.unknown_reach,
        _SAY_NODES: between.seen_nodes,
        _NAT: bool(joinable) and not services,
        _APART: Relation.SAME in between.relations,
        _NOT_CONNECTED: Relation.FLAT in between.relations,
        _NOT_WANTED: Relation.PLANNED in between.relations,
    }
    entered = [_ENTERED_MOVE] if between.entered else []
    return [*entered, *_renumber(between.uses), *(text for text, fits in ways_out.items() if fits)]


def _latent(between: _Between) -> str:
    if between.managed:
        return _LATENT_MANAGED
    if not between.never_meet:
        return _LATENT
    return _LATENT_NODES if _KIND.NODE in between.kinds else _LATENT_HIDDEN


def _renumber(uses: Collection[Use]) -> list[str]:
    kinds = frozenset(kinds_of(uses))
    if _PLANS & kinds:
        return [_PLAN]
    covering = _covering(kinds)
    if covering is not None:
        return [_UNCOVER[covering]]
    found = [text for kind, text in _RENUMBER.items() if kind in kinds]
    if Use.LOADBALANCER_POOL in uses:
        return [*found, _POOL_APART]
    return [*found, _NODE_MOVE] if _ADDRESSES & kinds else found


_RELATIONS: Final = {
    Relation.SAME: "in the same network domain",
    Relation.FLAT: "in network domains that are connected flat",
    Relation.PLANNED: "in network domains that somebody wants to join",
    Relation.NAT: "in network domains that are connected through NAT",
    Relation.ISOLATED: "in isolated network domains",
}


def explain_pair(
    severity: Severity, relation: Relation, one: Use, other: Use, *, accepted: bool = False
) -> Explanation:
    """For two allocations of two clusters; `severity` is what it would be without the acceptance."""
    sides = frozenset({frozenset({one}), frozenset({other})})
    base = explain(WorstPairs(severity, sides, frozenset({relation})), accepted=accepted)
    a, b = KIND_OF[one], KIND_OF[other]
    what = f"Both use it for {a.value}s" if a is b else f"One uses it for {a.value}s, the other for {b.value}s"
    return Explanation(
        why=f"{what}; the clusters are {_RELATIONS[relation]}." + (f" {_WHY_ACCEPTED}" if accepted else ""),
        own=False,
        breaks=base.breaks,
        stopped=stopped_by_pair(one, other),
        remedies=base.remedies,
        renumbered=base.renumbered,
    )
