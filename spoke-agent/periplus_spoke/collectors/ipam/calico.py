"""Calico's own address management: IPPools, and the blocks of them that nodes hand out to their pods.

An address is in use when its block says so, which includes the nodes' tunnels. One that was released and waits is
cooling; one that an IPReservation names and nobody has is reserved; every other address of the pool is free, whichever
node's block it is in, because nodes borrow from one another.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from periplus_contract.covers import AllocationKind
from periplus_spoke.collectors.ipam import calico_pools
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.calico_ranges import (
    AFFINITIES,
    BLOCKS,
    GROUPS,
    INSTALLATIONS,
    LOAD_BALANCER,
    NAME,
    PEERS,
    POOL,
    POOLS,
    RESERVATIONS,
    SETTINGS,
    Block,
    Range,
    has,
    knows,
    objects,
    read_ranges,
)
from periplus_spoke.conversion.calico_objects import IPPool, PoolSpec
from periplus_spoke.conversion.cidr import Fault, checked, parse_address, parse_cidr, told_elsewhere
from periplus_spoke.conversion.cidr_index import CidrIndex
from periplus_spoke.conversion.cni import CALICO_CONFIGS, calico_uses_pod_cidr
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, Reach, WantedKind


class Calico:
    """The adapter."""

    name: Final = NAME
    kinds: tuple[WantedKind[Any], ...] = (
        *(*POOLS, *BLOCKS, *AFFINITIES, *RESERVATIONS, *PEERS, *SETTINGS),
        INSTALLATIONS,
    )
    configs: tuple[str, ...] = CALICO_CONFIGS

    def detect(self, facts: DetectFacts) -> bool:
        """Where its objects are. Calico that keeps them in an etcd of its own shows none."""
        return not set(GROUPS).isdisjoint(facts.groups)

    def silent_because(self, view: IpamView) -> str:
        """Calico only enforces policies here, or pods get the addresses of their nodes' podCIDRs."""
        pools = objects(view, POOLS)
        if not pools:
            return ""
        if calico_uses_pod_cidr(view.configs):
            return "there are IPPools, but Calico is set up to take pod addresses from the nodes' podCIDRs"
        others = set(view.cnis) - {self.name}
        # Four signs together, because a pool that is wrongly taken for unused is a range that nobody compares.
        if has(view, BLOCKS) and not objects(view, BLOCKS) and others and not _hold_pods(view, pools):
            return f"there are IPPools, but no block of them is in use beside {', '.join(sorted(others))}"
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: a pool is this cluster's."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per IPPool, and one per node that has blocks of it."""
        return calico_pools.pools(view, fault)

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """IPPools that addresses may come from, what nodes hold of them, and blocks that no pool is left for."""
        reading = read_ranges(view, fault)
        found = [_block_of(block, "") for block in reading.orphans]
        for each in reading.ranges:
            reach = _reach(each.spec, view)
            found += _claims(each, reach, view)
            if _hands_out(each, view):
                found += [_block_of(block, reach) for block in each.blocks if block.node]
        return list(dict.fromkeys(found))


def _claims(each: Range, reach: Reach, view: IpamView) -> Iterator[Allocation]:
    """Of a pool that is disabled only while addresses of it are in use, or may be."""
    if not _hands_out(each, view):
        return
    for kind in _kinds_of(each.spec):
        yield Allocation(
            kind=kind,
            cidr=str(each.network),
            provider=Calico.name,
            source=each.source,
            name=each.name,
            quality="exact" if each.source == POOL else "derived",
            reach=reach if kind == "pod" else "",
        )


def _kinds_of(spec: PoolSpec) -> Iterator[AllocationKind]:
    uses = set(spec.allowed_uses or ("Workload",))
    if "Workload" in uses:
        yield "pod"
    elif "Tunnel" in uses:
        yield "reserved"
    if LOAD_BALANCER in uses:
        yield "loadbalancer"


def _hands_out(each: Range, view: IpamView) -> bool:
    if not each.spec.disabled or not has(view, BLOCKS):
        return True
    return any(block.in_use for block in each.blocks)


def _reach(spec: PoolSpec, view: IpamView) -> Reach:
    """From the pool's settings; nothing where a router that they do not name may know the way."""
    # Without knowing the peers nothing is private: a router that learned the routes reaches pods past any NAT.
    is_private = bool(spec.disable_bgp_export) or (not objects(view, PEERS) and knows(view, PEERS))
    if spec.nat_outgoing:
        return "masqueraded" if is_private and spec.is_encapsulated else ""
    if spec.disable_bgp_export:
        return ""
    has_peers = bool(objects(view, PEERS))
    return "routed" if has_peers or not spec.is_encapsulated else ""


def _block_of(block: Block, reach: Reach) -> Allocation:
    return Allocation(
        kind="pod",
        cidr=str(block.network),
        provider=Calico.name,
        source=block.source,
        name=block.node or str(block.network),
        node=block.node,
        reach=reach,
    )


def _hold_pods(view: IpamView, pools: Iterable[IPPool]) -> bool:
    """Whether any pod has an address of these pools."""
    networks = (checked(parse_cidr, pool.spec.cidr, "", told_elsewhere) for pool in pools)
    index = CidrIndex((network, network) for network in networks if network)
    texts = (text for pod in view.pods() for text in pod.addresses)
    addresses = (checked(parse_address, text, "", told_elsewhere) for text in texts)
    return any(address and index.around(address) for address in addresses)
