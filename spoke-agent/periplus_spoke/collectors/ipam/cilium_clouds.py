"""What nodes have of a cloud's network, in the modes of Cilium in which pods get their addresses there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

from periplus_spoke.collectors.ipam.leaks import combined, evidence
from periplus_spoke.conversion.cidr import Address, Fault, checked, parse_address
from periplus_spoke.conversion.cilium_objects import CiliumNode
from periplus_spoke.conversion.ipam import IpamView, Pool, WantedKind
from periplus_spoke.conversion.packed import unpacked
from periplus_spoke.conversion.presence import Presence

NODES: Final = WantedKind(group="cilium.io", plural="ciliumnodes", versions=("v2",), type=CiliumNode)
_PROVIDER: Final = "cilium"
_NODE: Final = "CiliumNode"
_FAMILIES: Final[tuple[Literal[4, 6], ...]] = (4, 6)


def lost_nodes(view: IpamView) -> dict[str, str] | None:
    """CiliumNodes whose node is gone, with why; None where that cannot be told."""
    presence = view.presence(NODES)
    if presence is None:
        return None
    told = ((node.metadata.name, node.metadata.node) for node in view.objects(NODES))
    return {name: why for name, node in told if node and (why := presence.lost_node(node))}


def pools(view: IpamView, fault: Fault) -> list[Pool]:
    """What each node has of the cloud's network, and all of it; how much the network has left, only the cloud knows."""
    presence, lost = view.presence(NODES), lost_nodes(view) or {}
    nodes: list[Pool] = []
    for node in view.objects(NODES):
        name, has, held = node.metadata.name, _given(node, fault), _held(node, fault)
        if strange := len(held.keys() - has):
            fault(f"{_NODE} {name}: {strange} addresses are in use that it was not given")
        for family in _FAMILIES:
            if mine := {address for address in has if address.version == family}:
                taken = {address: held[address] for address in sorted(held.keys() & mine, key=int)}
                leaks = None if presence is None else list(_leaks(taken, name, lost.get(name, ""), presence))
                nodes.append(_node_pool(name, family, len(mine), len(taken), leaks))
    return [*(_sum(family, nodes) for family in _FAMILIES if any(p.family == family for p in nodes)), *nodes]


def checked_addresses(texts: Iterable[str], node: str, fault: Fault) -> list[Address]:
    """Of a CiliumNode; what is no address is told."""
    found = (checked(parse_address, text, f"{_NODE} {node}", fault) for text in texts)
    return [address for address in found if address]


def _given(node: CiliumNode, fault: Fault) -> set[Address]:
    return set(checked_addresses(node.spec.ipam.addresses, node.metadata.name, fault))


def _held(node: CiliumNode, fault: Fault) -> dict[Address, str]:
    """Addresses in use, with the pod or what else has them."""
    name, told = node.metadata.name, unpacked(node.status.ipam.held_by)
    return {address: owner for text, owner in told for address in checked_addresses([text], name, fault)}


def _leaks(taken: Mapping[Address, str], node: str, why_node: str, presence: Presence) -> Iterator[tuple[Address, str]]:
    for address, owner in taken.items():
        if why := why_node or (presence.lost_pod(owner, node) if "/" in owner else ""):
            yield address, why


def _node_pool(
    name: str, family: Literal[4, 6], has: int, taken: int, leaks: Sequence[tuple[Address, str]] | None
) -> Pool:
    return Pool(
        provider=_PROVIDER,
        name=name,
        family=family,
        scope="node",
        node=name,
        source=_NODE,
        quality="exact",
        capacity=has,
        assigned=has,
        used=taken - len(leaks or ()),
        leaked=None if leaks is None else len(leaks),
        free=has - taken,
        evidence=evidence(leaks or ()),
    )


def _sum(family: Literal[4, 6], nodes: Sequence[Pool]) -> Pool:
    same = [pool for pool in nodes if pool.family == family]
    leaked = [pool.leaked for pool in same if pool.leaked is not None]
    return Pool(
        provider=_PROVIDER,
        name="all nodes",
        family=family,
        scope="cluster",
        source=_NODE,
        quality="exact",
        assigned=sum(pool.assigned or 0 for pool in same),
        used=sum(pool.used or 0 for pool in same),
        leaked=sum(leaked) if len(leaked) == len(same) else None,
        evidence=combined(pool.evidence for pool in same),
    )
