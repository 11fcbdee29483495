"""CiliumLoadBalancerIPPools: what services of type LoadBalancer get addresses of."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from periplus_spoke.conversion.cidr import Fault, Network, checked, covered, parse_address, told_elsewhere
from periplus_spoke.conversion.cidr_index import CidrIndex
from periplus_spoke.conversion.cilium_objects import Block, CiliumLoadBalancerIPPool
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind
from periplus_spoke.conversion.spans import parse_span

POOLS: Final = WantedKind(
    group="cilium.io",
    plural="ciliumloadbalancerippools",
    versions=("v2", "v2alpha1"),
    type=CiliumLoadBalancerIPPool,
    has_balancer_ranges=True,
)
_PROVIDER: Final = "cilium"
_POOL: Final = "CiliumLoadBalancerIPPool"
_ENDS: Final = 2
_FAMILIES: Final[tuple[Literal[4, 6], ...]] = (4, 6)


class _Range(NamedTuple):
    """A pool's ranges of one family."""

    pool: CiliumLoadBalancerIPPool
    family: Literal[4, 6]
    networks: tuple[Network, ...]
    reserved: int
    used: int


def pools(view: IpamView, fault: Fault) -> list[Pool]:
    """One per pool and family. In use is what any service has of it."""
    return [_pool(each) for each in _ranges(view, fault)]


def allocations(view: IpamView, fault: Fault) -> list[Allocation]:
    """The ranges of pools; of a disabled one while a service has an address of it."""
    return [
        Allocation(
            kind="loadbalancer", cidr=str(network), provider=_PROVIDER, source=_POOL, name=each.pool.metadata.name
        )
        for each in _ranges(view, fault)
        if each.used or not each.pool.spec.disabled
        for network in each.networks
    ]


def _ranges(view: IpamView, fault: Fault) -> Iterator[_Range]:
    texts = {text for service in view.services() for text in service.load_balancer_ips}
    held = [address for text in texts if (address := checked(parse_address, text, "", told_elsewhere))]
    for pool in view.objects(POOLS):
        spec = pool.spec
        pieces = [_networks(block, pool.metadata.name, fault) for block in (*(spec.blocks or ()), *(spec.cidrs or ()))]
        for family in _FAMILIES:
            same = [[each for each in piece if each.version == family] for piece in pieces]
            networks = tuple(dict.fromkeys(network for piece in same for network in piece))
            if networks:
                index = CidrIndex((network, network) for network in networks)
                ends = sum(_kept(piece) for piece in same) if spec.allow_first_last == "No" else 0
                yield _Range(pool, family, networks, ends, sum(bool(index.around(address)) for address in held))


def _kept(piece: list[Network]) -> int:
    """The first and the last address of a block, if there are others."""
    return _ENDS if sum(each.num_addresses for each in piece) > _ENDS else 0


def _networks(block: Block, name: str, fault: Fault) -> list[Network]:
    text = block.cidr or f"{block.start or ''}-{block.stop or block.start or ''}"
    return checked(parse_span, text, f"{_POOL} {name}", fault) or []


def _pool(each: _Range) -> Pool:
    capacity = max(covered(each.networks) - each.reserved, 0)
    return Pool(
        provider=_PROVIDER,
        name=each.pool.metadata.name,
        family=each.family,
        scope="lb",
        source=_POOL,
        quality="derived",
        cidrs=tuple(map(str, each.networks)),
        capacity=capacity,
        used=each.used,
        free=max(capacity - each.used, 0),
    )
