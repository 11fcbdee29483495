"""Why an overlap has its severity, what it breaks and what to do: sentences for a person. Pure."""

from collections.abc import Iterable
from typing import Final

from periplus_hub.addresses.model import (
    AllocationKind,
    Explanation,
    FreeRange,
    NamedClusters,
    Outgrown,
    Relation,
    Severity,
)
from periplus_hub.addresses.planner import SPACES, FreeSpace, space_of
from periplus_hub.addresses.prefixes import Prefix

_KIND = AllocationKind
_ADDRESSES: Final = frozenset({_KIND.NODE, _KIND.LOADBALANCER, _KIND.EXTERNAL})

_WHY: Final = {
    Severity.CONFLICT: "The clusters share one network (or a cluster collides with itself), and both sides are live.",
    Severity.BLOCKS_FEDERATION: "Nothing breaks today, but these clusters cannot be joined while they share the range.",
    Severity.LATENT: "The clusters' network domains are isolated: it would hurt if they were ever connected.",
    Severity.INTENDED: "The networks are connected through NAT, so each side sees only its own meaning of the range.",
}
_WHY_ACCEPTED: Final = "Somebody accepted this overlap; the acceptance has a reason and an end."

_BREAKS: Final = {
    _KIND.POD: "Pod traffic to the other cluster stays in, or goes to, the wrong cluster: the route is ambiguous.",
    _KIND.SERVICE: "A mesh or clusterset cannot tell the two clusters' ClusterIPs apart.",
    _KIND.NODE: "Node addresses collide: tunnels between the clusters and API access reach the wrong machine.",
    _KIND.LOADBALANCER: "Two load balancers claim one address: clients reach either of them.",
    _KIND.EXTERNAL: "Two services claim one external address: clients reach either of them.",
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
_WHY_SELF: Final = "Ranges of one cluster cover each other that must not."
_SELF: Final = "kube-proxy takes traffic for pods or nodes in the service range as service traffic, and drops it."

_RENUMBER: Final = (
    "Give one of the clusters another range: pod and service ranges are fixed at creation, so rebuild it."
)
_SELF_MOVE: Final = (
    "Give the cluster a service range that covers neither its pods nor its nodes: the range is fixed at creation (from "
    "Kubernetes 1.33 on a second ServiceCIDR can take its place), so rebuild it or move the nodes."
)
_NAT: Final = "Connect them through NAT (Submariner Globalnet, gateways) and record the connection as 'nat'."
_SEPARATE: Final = "If they are really separate networks, put them into different network domains."
_ACCEPT: Final = "If it is meant, accept the overlap with a reason and an end."
_ACCEPT_AGAIN: Final = "If that is meant too, accept it again."
_NODE_MOVE: Final = "Move the nodes or load balancers of one cluster to another subnet or address pool."
_PLAN: Final = "Choose another range for the plan or the reservation; that is free of cost now."
_LATENT: Final = "Nothing now. Use a free range for the next cluster, and renumber before you connect these."
_INTENDED: Final = "Nothing, as long as the connection stays a NAT."
_REVIEW: Final = "Nothing until the acceptance ends; then accept it again or renumber."


def explain(
    severity: Severity,
    kinds: Iterable[AllocationKind],
    *,
    clusters: int,
    accepted: bool = False,
    outgrown: Outgrown | None = None,
    free: Iterable[FreeRange] = (),
) -> Explanation:
    """For a group (or a pair) with these kinds; `clusters` 1 means a cluster that collides with itself."""
    present = sorted(set(kinds), key=list(_KIND).index)
    note = "" if outgrown is None else f" {_outgrown(outgrown)}"
    if clusters == 1:
        return Explanation(
            why=(_WHY_ACCEPTED if accepted else _WHY_SELF) + note,
            breaks=(_SELF,),
            remedies=(_REVIEW,) if accepted else (_SELF_MOVE,),
            suggestions=tuple(free),
        )
    breaks = _breaks(present)
    if _KIND.POD in present:
        breaks.append(_FLAT_ONLY)
    return Explanation(
        why=(_WHY_ACCEPTED if accepted else _WHY[severity]) + note,
        breaks=tuple(breaks),
        remedies=_remedies(severity, frozenset(present), accepted=accepted, outgrown=outgrown),
        suggestions=tuple(free),
    )


def _breaks(present: list[AllocationKind]) -> list[str]:
    """One kind collides with itself; several hide each other. Which pairs there are is not known here, so no guess."""
    if len(present) == 1:
        return [_BREAKS[present[0]]]
    breaks = [_BREAKS[kind] for kind in present if kind in {_KIND.RESERVED, _KIND.PLANNED}]
    live = [kind for kind in present if kind in _PLURAL or kind in _COVERED]
    covering = next((kind for kind in _COVERED if kind in live), None)
    hidden = [_PLURAL[kind] for kind in live if kind in _PLURAL and kind is not covering]
    if covering is not None and hidden:
        breaks.append(_COVERED[covering].format(" and ".join(hidden)))
    elif len(live) == 1:
        breaks.append(_BREAKS[live[0]])
    elif live:
        breaks.append(_TWO_USES)
    return breaks


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


def _remedies(
    severity: Severity, kinds: frozenset[AllocationKind], *, accepted: bool, outgrown: Outgrown | None
) -> tuple[str, ...]:
    if severity is Severity.INTENDED:
        return (_REVIEW,) if accepted else (_INTENDED,)
    accept = _ACCEPT if outgrown is None else f"{_outgrown(outgrown)} {_ACCEPT_AGAIN}"
    if severity is Severity.LATENT:
        return (_LATENT,) if outgrown is None else (_LATENT, accept)
    remedies = []
    if kinds & {_KIND.PLANNED, _KIND.RESERVED}:
        remedies.append(_PLAN)
    if kinds & {_KIND.POD, _KIND.SERVICE}:
        remedies.append(_RENUMBER)
    if kinds & _ADDRESSES:
        remedies.append(_NODE_MOVE)
    return (*remedies, _NAT, _SEPARATE, accept)


_RELATIONS: Final = {
    Relation.SAME: "in the same network domain",
    Relation.FLAT: "in network domains that are connected flat",
    Relation.JOIN_REQUESTED: "in network domains that somebody wants to join",
    Relation.NAT: "in network domains that are connected through NAT",
    Relation.ISOLATED: "in isolated network domains",
}


def explain_pair(
    severity: Severity, relation: Relation, a: AllocationKind, b: AllocationKind, *, accepted: bool = False
) -> Explanation:
    """For two allocations of two clusters; `severity` is what it would be without the acceptance."""
    base = explain(Severity.INTENDED if accepted else severity, (a, b), clusters=2, accepted=accepted)
    what = f"Both use it for {a.value}s" if a is b else f"One uses it for {a.value}s, the other for {b.value}s"
    return Explanation(
        why=f"{what}; the clusters are {_RELATIONS[relation]}." + (f" {_WHY_ACCEPTED}" if accepted else ""),
        breaks=base.breaks,
        remedies=base.remedies,
        suggestions=(),
    )


def suggestions(root: Prefix, space: FreeSpace) -> tuple[FreeRange, ...]:
    """The first free range of the same size in private space."""
    if not space.knows(root):
        return ()
    found = space.first(root.family, root.length)
    if found is None:
        return (FreeRange(cidr=None, within=", ".join(map(str, SPACES[root.family]))),)
    return (FreeRange(cidr=str(found), within=str(space_of(found))),)
