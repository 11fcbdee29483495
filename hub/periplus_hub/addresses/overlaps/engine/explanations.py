"""Why an overlap has its severity, what it breaks and what to do: sentences for a person. Pure."""

from collections.abc import Collection, Iterable
from typing import Final

from periplus_hub.addresses.free.model import FreeRange
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.model import Explanation, NamedClusters, Outgrown, Relation, Severity, WorstPairs

_KIND = AllocationKind
_ADDRESSES: Final = frozenset({_KIND.NODE, _KIND.LOADBALANCER, _KIND.EXTERNAL})
_PLANS: Final = frozenset({_KIND.PLANNED, _KIND.RESERVED})
_ONE_NETWORK: Final = frozenset({Relation.SAME, Relation.FLAT})

_WHY: Final = {
    Severity.CONFLICT: "The clusters are in one network, and both sides are live.",
    Severity.BLOCKS_FEDERATION: "Nothing breaks today, but these clusters cannot be joined while they share the range.",
    Severity.LATENT: "The clusters' network domains are isolated: it would hurt if they were ever connected.",
    Severity.INTENDED: "The networks are connected through NAT, so each side sees only its own meaning of the range.",
}
_WHY_ACCEPTED: Final = "Somebody accepted this overlap; the acceptance has a reason and an end."
_WHY_SELF: Final = "The service range of a cluster covers pods or nodes of the same cluster."

_BREAKS: Final = {
    _KIND.POD: "Pod traffic to the other cluster stays in, or goes to, the wrong cluster: the route is ambiguous.",
    _KIND.SERVICE: "A mesh or clusterset cannot tell the two clusters' ClusterIPs apart.",
    _KIND.NODE: "Node addresses collide: tunnels between the clusters and API access reach the wrong machine.",
    _KIND.LOADBALANCER: "Two load balancers have one address: clients reach either of them.",
    _KIND.EXTERNAL: "Two services have one external address: clients reach either of them.",
    _KIND.RESERVED: "A reserved range is already in use elsewhere.",
    _KIND.PLANNED: "A planned range is already in use elsewhere.",
}
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
_FLAT_ONLY: Final = (
    "Cilium Cluster Mesh, Submariner without Globalnet and VPC peering refuse or misroute such clusters."
)
_SELF: Final = "kube-proxy takes traffic for pods or nodes in the service range as service traffic, and drops it."

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
_SELF_MOVE: Final = (
    "Give the cluster a service range that covers neither its pods nor its nodes: up to Kubernetes 1.32 it is fixed "
    "when the cluster is made, from 1.33 on ServiceCIDR objects can replace it."
)
_NODE_MOVE: Final = "Find out which of them owns the address, and give the other one another."
_PLAN: Final = "Choose another range for the plan or the reservation; that is free of cost now."
_NAT: Final = "Or connect them through NAT (Submariner Globalnet, gateways) and record the connection as 'nat'."
_GATEWAY: Final = "Or join them in a way that never uses the other side's ClusterIPs: gateways, Submariner Globalnet."
_APART: Final = "If their networks do not reach each other, put the clusters into different network domains."
_NOT_CONNECTED: Final = "If the networks are not connected any more, disconnect their network domains."
_NOT_WANTED: Final = "Or leave their networks apart, and take back what asks for joining them, if anything does."
_ACCEPT: Final = "If it is meant, accept the overlap with a reason and an end."
_ACCEPT_AGAIN: Final = "If that is meant too, accept it again."
_LATENT: Final = "Nothing now. Use a free range for the next cluster, and renumber before you connect these."
_INTENDED: Final = "Nothing, as long as the connection stays a NAT."
_REVIEW: Final = "Nothing until the acceptance ends; then accept it again or renumber."


def explain(
    pairs: WorstPairs, *, accepted: bool = False, outgrown: Outgrown | None = None, free: Iterable[FreeRange] = ()
) -> Explanation:
    """For a group, from what is true of its worst pairs."""
    severity = Severity.INTENDED if accepted else pairs.severity
    note = "" if outgrown is None else f" {_outgrown(outgrown)}"
    own = pairs.severity is Severity.CONFLICT and not pairs.relations & _ONE_NETWORK
    why = _WHY_SELF if own else _WHY[severity]
    remedies = [_REVIEW] if accepted else [_SELF_MOVE] if own else _remedies(pairs)
    if severity is not Severity.INTENDED and (outgrown or severity is not Severity.LATENT):
        remedies.append(_ACCEPT if outgrown is None else f"{_outgrown(outgrown)} {_ACCEPT_AGAIN}")
    return Explanation(
        why=(_WHY_ACCEPTED if accepted else why) + note,
        own=own,
        breaks=(_SELF,) if own else _breaks(pairs.kinds),
        remedies=tuple(remedies),
        suggestions=tuple(free),
    )


def _breaks(kinds: Collection[AllocationKind]) -> tuple[str, ...]:
    """One kind collides with itself; several hide each other. Which pairs there are is not known here, so no guess."""
    present = [kind for kind in _KIND if kind in kinds]
    flat_only = [_FLAT_ONLY] if _KIND.POD in present else []
    if len(present) == 1:
        return (_BREAKS[present[0]], *flat_only)
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
    return (*breaks, *flat_only)


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


def _remedies(pairs: WorstPairs) -> list[str]:
    """Whose range to change, what to do instead, and what to say if the network is not as it is recorded."""
    if pairs.severity is Severity.INTENDED:
        return [_INTENDED]
    if pairs.severity is Severity.LATENT:
        return [_LATENT]
    joinable = pairs.relations - {Relation.SAME}
    services = set(pairs.kinds) == {_KIND.SERVICE}
    ways_out = {
        _GATEWAY: services,
        _NAT: bool(joinable) and not services,
        _APART: Relation.SAME in pairs.relations,
        _NOT_CONNECTED: Relation.FLAT in pairs.relations,
        _NOT_WANTED: Relation.PLANNED in pairs.relations,
    }
    return [*_renumber(pairs.kinds), *(text for text, fits in ways_out.items() if fits)]


def _renumber(kinds: Collection[AllocationKind]) -> list[str]:
    if _PLANS & set(kinds):
        return [_PLAN]
    covering = _covering(kinds)
    if covering is not None:
        return [_UNCOVER[covering]]
    found = [text for kind, text in _RENUMBER.items() if kind in kinds]
    return [*found, _NODE_MOVE] if _ADDRESSES & set(kinds) else found


_RELATIONS: Final = {
    Relation.SAME: "in the same network domain",
    Relation.FLAT: "in network domains that are connected flat",
    Relation.PLANNED: "in network domains that somebody wants to join",
    Relation.NAT: "in network domains that are connected through NAT",
    Relation.ISOLATED: "in isolated network domains",
}


def explain_pair(
    severity: Severity, relation: Relation, a: AllocationKind, b: AllocationKind, *, accepted: bool = False
) -> Explanation:
    """For two allocations of two clusters; `severity` is what it would be without the acceptance."""
    base = explain(WorstPairs(severity, frozenset({a, b}), frozenset({relation})), accepted=accepted)
    what = f"Both use it for {a.value}s" if a is b else f"One uses it for {a.value}s, the other for {b.value}s"
    return Explanation(
        why=f"{what}; the clusters are {_RELATIONS[relation]}." + (f" {_WHY_ACCEPTED}" if accepted else ""),
        own=False,
        breaks=base.breaks,
        remedies=base.remedies,
        suggestions=(),
    )
