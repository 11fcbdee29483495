"""How large a range a cluster needs: what it has, times how much it may grow, rounded up to a prefix. Pure.

Pods: whole node blocks, as many as nodes may come; of a cluster whose nodes have none, Kubernetes' default for each.
Services: one address each. Nodes: one each, and what clouds keep of every subnet. Never less than the cluster holds
now, and None where nothing is known to count: unknown is not zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal
from typing import Final, NamedTuple

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, IPV4, IPV6

KINDS: Final = (AllocationKind.POD, AllocationKind.SERVICE, AllocationKind.NODE)
"""What ranges are proposed for."""
_NODE_BLOCK: Final = {IPV4: 24, IPV6: 64}
"""Kubernetes' own default length of a node's block of pod addresses."""
_LONGEST: Final = {
    (AllocationKind.POD, IPV4): 24,
    (AllocationKind.SERVICE, IPV4): 24,
    (AllocationKind.NODE, IPV4): 28,
    (AllocationKind.POD, IPV6): 64,
    (AllocationKind.SERVICE, IPV6): 112,
    (AllocationKind.NODE, IPV6): 64,
}
"""The smallest ranges worth asking a network for; /28 is the smallest subnet of AWS."""
_SHORTEST: Final = {
    (AllocationKind.SERVICE, IPV4): 12,
    (AllocationKind.SERVICE, IPV6): 108,
}
"""The API server takes no larger service range. Others end where the private space does."""
_WIDEST: Final = {IPV4: 8, IPV6: 48}
_KEPT_OF_SUBNET: Final = 5
"""Addresses that AWS and Azure keep of every subnet; others keep fewer."""
_KEPT_OF_SERVICES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a cluster has of one kind and family: addresses in use, and the length of its largest node block."""

    addresses: int = 0
    node_block: int | None = None


_NOTHING: Final = Holding()


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a cluster has, or is said to get; None for a number that is not known."""

    nodes: int | None = None
    pods: int | None = None
    services: int | None = None
    holds: Mapping[tuple[AllocationKind, int], Holding] = field(default_factory=dict)
    """By kind and family, of every family that the cluster uses for the kind."""

    def families_of(self, kind: AllocationKind) -> frozenset[int]:
        """Those the cluster uses for it; else those it uses at all, else IPv4."""
        used = frozenset(family for held, family in self.holds if held is kind)
        return used or frozenset(family for _, family in self.holds) or frozenset((IPV4,))

    def told(self, *, nodes: int | None, pods: int | None, services: int | None) -> "Demand":
        """With the numbers that somebody gave instead of those that were counted."""
        return replace(
            self,
            nodes=self.nodes if nodes is None else nodes,
            pods=self.pods if pods is None else pods,
            services=self.services if services is None else services,
        )


class Need(NamedTuple):
    """A prefix length, and how it came about in words; None where nothing is known to count."""

    length: int | None
    why: str


def need(demand: Demand, kind: AllocationKind, family: int, growth: Decimal) -> Need:
    """For one kind and family of a cluster; `growth` is at least 1."""
    holding = demand.holds.get((kind, family), _NOTHING)
    counted = _COUNTED[kind](demand, family, growth)
    if counted is None and not holding.addresses:
        return Need(None, f"how many {_PLURAL[kind]} it has is not known")
    addresses, why = counted or (_grown(holding.addresses, growth), f"{holding.addresses:,} addresses in use")
    addresses = max(addresses, holding.addresses)
    length = FAMILY_BITS[family] - (addresses - 1).bit_length()
    length = max(min(length, _LONGEST[kind, family]), _WIDEST[family])
    if length < _SHORTEST.get((kind, family), 0):
        return Need(None, f"{why}: more than any service range may hold")
    return Need(length, why if growth == 1 else f"{why}, growth {growth.normalize():f}")


def _pods(demand: Demand, family: int, growth: Decimal) -> tuple[int, str] | None:
    holding = demand.holds.get((AllocationKind.POD, family), _NOTHING)
    length = holding.node_block or _NODE_BLOCK[family]
    block = 1 << (FAMILY_BITS[family] - length)
    # Blocks that are held and have no node any more count as well: the allocator may not give them to others.
    held = -(-holding.addresses // block) if holding.node_block else 0
    by_pods = None if demand.pods is None else -(-_grown(demand.pods, growth) // block)
    by_nodes = None if demand.nodes is None else _grown(max(demand.nodes, held), growth)
    blocks = [each for each in (by_pods, by_nodes) if each is not None]
    if not blocks:
        return None
    if by_nodes is not None and by_nodes == max(blocks):
        return max(by_nodes, 1) * block, f"{_number(max(demand.nodes or 0, held), 'node block')} of /{length}"
    return max(blocks) * block, f"{_number(demand.pods or 0, 'pod')} in node blocks of /{length}"


def _services(demand: Demand, _family: int, growth: Decimal) -> tuple[int, str] | None:
    if demand.services is None:
        return None
    return _grown(demand.services, growth) + _KEPT_OF_SERVICES, _number(demand.services, "service")


def _nodes(demand: Demand, _family: int, growth: Decimal) -> tuple[int, str] | None:
    if demand.nodes is None:
        return None
    return _grown(demand.nodes, growth) + _KEPT_OF_SUBNET, _number(demand.nodes, "node")


_COUNTED: Final = {AllocationKind.POD: _pods, AllocationKind.SERVICE: _services, AllocationKind.NODE: _nodes}
_PLURAL: Final = {
    AllocationKind.POD: "nodes and pods",
    AllocationKind.SERVICE: "services",
    AllocationKind.NODE: "nodes",
}


def _grown(number: int, growth: Decimal) -> int:
    return int((number * growth).to_integral_value(rounding=ROUND_CEILING))


def _number(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
