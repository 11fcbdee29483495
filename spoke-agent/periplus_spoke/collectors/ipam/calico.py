"""Calico's own address management: IPPools, and the blocks of them that nodes hand out to their pods.

An address is in use when its block says so, which includes the nodes' tunnels. One that was released and waits is
cooling; one that an IPReservation names and nobody has is reserved; every other address of the pool is free, whichever
node's block it is in, because nodes borrow from one another.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from periplus_contract.covers import AllocationKind, Scope
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.conversion.calico_objects import (
    BGPPeer,
    BlockAffinity,
    IPAMBlock,
    IPPool,
    IPReservation,
    PoolSpec,
    is_set,
)
from periplus_spoke.conversion.cidr import (
    Fault,
    Network,
    checked,
    largest_free_block,
    parse_address,
    parse_cidr,
)
from periplus_spoke.conversion.cidr_index import CidrIndex, Covering
from periplus_spoke.conversion.cni import CALICO_CONFIGS, calico_uses_pod_cidr
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, Reach, T, WantedKind
from periplus_spoke.conversion.spans import parse_span

GROUPS: Final = ("crd.projectcalico.org", "projectcalico.org")


def _kinds(plural: str, kind: type[T], *, has_balancer_ranges: bool = False) -> tuple[WantedKind[T], WantedKind[T]]:
    """In either API group: where both are served, the second is an API server in front of the first."""
    stored, shown = GROUPS
    read = WantedKind(group=stored, plural=plural, versions=("v1",), type=kind, has_balancer_ranges=has_balancer_ranges)
    return read, msgspec.structs.replace(read, group=shown, versions=("v3",), unless=stored)


POOLS: Final = _kinds("ippools", IPPool, has_balancer_ranges=True)
BLOCKS: Final = _kinds("ipamblocks", IPAMBlock)
AFFINITIES: Final = _kinds("blockaffinities", BlockAffinity)
RESERVATIONS: Final = _kinds("ipreservations", IPReservation)
PEERS: Final = _kinds("bgppeers", BGPPeer)
_POOL: Final = "IPPool"
_BLOCK: Final = "IPAMBlock"
_AFFINITY: Final = "BlockAffinity"
_LOAD_BALANCER: Final = "LoadBalancer"


class _Block(NamedTuple):
    network: Network
    node: str
    source: str
    taken: int | None
    """A bit for each address that is not free; None where that is not known."""
    cooling: int


class _Range(NamedTuple):
    """An IPPool whose CIDR can be, and its blocks."""

    name: str
    network: Network
    spec: PoolSpec
    blocks: list[_Block]


class _Counts(NamedTuple):
    """Addresses of some blocks, as far as they lie in the pool; what is None is not known."""

    assigned: int
    used: int | None
    cooling: int | None
    reserved: int | None
    reserved_in_use: int


class Calico:
    """The adapter."""

    name: Final = "calico"
    kinds: tuple[WantedKind[Any], ...] = (*POOLS, *BLOCKS, *AFFINITIES, *RESERVATIONS, *PEERS)
    configs: tuple[str, ...] = CALICO_CONFIGS

    def detect(self, facts: DetectFacts) -> bool:
        """Where its objects are. Calico that keeps them in an etcd of its own shows none."""
        return not set(GROUPS).isdisjoint(facts.groups)

    def silent_because(self, view: IpamView) -> str:
        """Calico only enforces policies here, or pods get the addresses of their nodes' podCIDRs."""
        pools = _objects(view, POOLS)
        if not pools:
            return ""
        if calico_uses_pod_cidr(view.configs):
            return "there are IPPools, but Calico is set up to take pod addresses from the nodes' podCIDRs"
        others = set(view.cnis) - {self.name}
        if _has(view, BLOCKS) and not _objects(view, BLOCKS) and others and not _hold_pods(view, pools):
            return f"there are IPPools, but no block of them is in use beside {', '.join(sorted(others))}"
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: a pool is this cluster's."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per IPPool, and one per node that has blocks of it."""
        reserved, is_read = _reserved(view, fault), _has(view, BLOCKS)
        ranges = _read(view, fault).ranges
        pods = _pods_of(view, ranges) if view.has_pods and not is_read else None
        found: list[Pool] = []
        for each in ranges:
            found.append(_cluster_pool(each, reserved, None if pods is None else pods[each.name], is_read=is_read))
            if is_read and _scope(each.spec) == "cluster":
                found += _node_pools(each, reserved)
        return found

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """IPPools that addresses may come from, what nodes hold of them, and blocks that no pool is left for."""
        reading = _read(view, fault)
        found = [_block_of(block, "") for block in reading.orphans]
        for each in reading.ranges:
            reach = _reach(each.spec, view)
            found += _claims(each, reach, view)
            if _hands_out(each, view):
                found += [_block_of(block, reach) for block in each.blocks if block.node]
        return list(dict.fromkeys(found))


def _objects(view: IpamView, kinds: tuple[WantedKind[T], ...]) -> Sequence[T]:
    return next((view.objects(kind) for kind in kinds if view.has_objects(kind)), ())


def _has(view: IpamView, kinds: tuple[WantedKind[T], ...]) -> bool:
    return any(view.has_objects(kind) for kind in kinds)


def _knows(view: IpamView, kinds: tuple[WantedKind[T], ...]) -> bool:
    """Whether all objects of the kind are known, if only because there are none."""
    return _has(view, kinds) or all(map(view.has_none, kinds))


class _Reading(NamedTuple):
    ranges: list[_Range]
    orphans: list[_Block]
    """Blocks in use that lie in no IPPool: the pool was deleted, or is smaller now."""


def _read(view: IpamView, fault: Fault) -> _Reading:
    ranges = [
        _Range(pool.metadata.name, network, pool.spec, [])
        for pool in _objects(view, POOLS)
        if (network := checked(parse_cidr, pool.spec.cidr, f"{_POOL} {pool.metadata.name}", fault))
    ]
    index = CidrIndex((each.network, each) for each in ranges)
    orphans: list[_Block] = []
    for block in _blocks(view, fault):
        homes = index.overlapping(block.network)
        for home in homes:
            home.blocks.append(block)
            if home.network.prefixlen > block.network.prefixlen:
                fault(f"{block.source} {block.network} reaches beyond {_POOL} {home.name}")
        if not homes and block.taken != 0:
            orphans.append(block)
            if _has(view, POOLS):
                fault(f"{block.source} {block.network} is in use and lies in no {_POOL}")
    return _Reading(ranges, orphans)


def _blocks(view: IpamView, fault: Fault) -> Iterator[_Block]:
    """Each address once. Where blocks are not read, what nodes hold is all there is."""
    found = _told_blocks(view, fault) if _has(view, BLOCKS) else _told_affinities(view, fault)
    last: _Block | None = None
    for block in sorted(found, key=_place):
        if last and last.network.overlaps(block.network):
            if last != block:
                fault(f"{block.source} {block.network} overlaps {last.network}")
            continue
        last = block
        yield block


def _place(block: _Block) -> tuple[int, int, int]:
    return block.network.version, int(block.network.network_address), block.network.prefixlen


def _told_blocks(view: IpamView, fault: Fault) -> Iterator[_Block]:
    for block in _objects(view, BLOCKS):
        spec = block.spec
        if is_set(spec.deleted) or not (network := checked(parse_cidr, spec.cidr, _BLOCK, fault)):
            continue
        taken = spec.taken.bit_count()
        is_whole = spec.size == network.num_addresses
        if not is_whole:
            fault(f"{_BLOCK} {network} tells of {max(spec.size, 0)} of its {network.num_addresses} addresses")
        elif spec.free >= 0 and spec.free + taken != spec.size:
            fault(f"{_BLOCK} {network}: of {spec.size} addresses {taken} are allocated and {spec.free} are not")
        yield _Block(network, spec.node, _BLOCK, spec.taken if is_whole else None, spec.cooling if is_whole else 0)


def _told_affinities(view: IpamView, fault: Fault) -> Iterator[_Block]:
    for affinity in _objects(view, AFFINITIES):
        spec = affinity.spec
        if is_set(spec.deleted) or spec.type not in {None, "", "host"}:
            continue
        if network := checked(parse_cidr, spec.cidr, f"{_AFFINITY} of node {spec.node}", fault):
            yield _Block(network, spec.node, _AFFINITY, None, 0)


def _reserved(view: IpamView, fault: Fault) -> Covering:
    """What reservations name, as CIDRs or as single addresses."""
    return Covering(
        network
        for each in _objects(view, RESERVATIONS)
        for text in each.spec.reserved_cidrs or ()
        for network in checked(parse_span, text, f"IPReservation {each.metadata.name}", fault) or ()
    )


def _scope(spec: PoolSpec) -> Scope:
    return "lb" if spec.allowed_uses == [_LOAD_BALANCER] else "cluster"


def _claims(each: _Range, reach: Reach, view: IpamView) -> Iterator[Allocation]:
    """Of a pool that is disabled only while addresses of it are in use, or may be."""
    if not _hands_out(each, view):
        return
    for kind in _kinds_of(each.spec):
        yield Allocation(
            kind=kind,
            cidr=str(each.network),
            provider=Calico.name,
            source=_POOL,
            name=each.name,
            reach=reach if kind == "pod" else "",
        )


def _kinds_of(spec: PoolSpec) -> Iterator[AllocationKind]:
    uses = set(spec.allowed_uses or ("Workload",))
    if "Workload" in uses:
        yield "pod"
    elif "Tunnel" in uses:
        yield "reserved"
    if _LOAD_BALANCER in uses:
        yield "loadbalancer"


def _hands_out(each: _Range, view: IpamView) -> bool:
    if not each.spec.disabled or not _has(view, BLOCKS):
        return True
    return any(block.taken is None or block.taken for block in each.blocks)


def _reach(spec: PoolSpec, view: IpamView) -> Reach:
    """From the pool's settings; nothing where a router that they do not name may know the way."""
    is_private = bool(spec.disable_bgp_export) or (not _objects(view, PEERS) and _knows(view, PEERS))
    if spec.nat_outgoing:
        return "masqueraded" if is_private and spec.is_encapsulated else ""
    if spec.disable_bgp_export:
        return ""
    has_peers = bool(_objects(view, PEERS))
    return "routed" if has_peers or not spec.is_encapsulated else ""


def _block_of(block: _Block, reach: Reach) -> Allocation:
    return Allocation(
        kind="pod",
        cidr=str(block.network),
        provider=Calico.name,
        source=block.source,
        name=block.node or str(block.network),
        node=block.node,
        reach=reach,
    )


def _cluster_pool(each: _Range, reserved: Covering, pods: int | None, *, is_read: bool) -> Pool:
    network = each.network
    counts = _count(each, each.blocks, reserved)
    set_aside = [_within(each.network, block.network) for block in each.blocks] + list(reserved.networks(network))
    used, apart = (counts.used, counts.cooling) if is_read else (pods, None)
    blocked = None if counts.reserved is None else reserved.count(network) - counts.reserved_in_use
    return Pool(
        provider=Calico.name,
        name=each.name,
        family=network.version,
        scope=_scope(each.spec),
        source=_POOL,
        quality="exact" if is_read else "derived",
        cidrs=(str(network),),
        capacity=network.num_addresses,
        assigned=counts.assigned,
        used=used,
        reserved=blocked,
        cooling=apart,
        free=_rest(network.num_addresses, used, apart, blocked),
        largest_free_block=largest_free_block(network, set_aside),
    )


def _node_pools(each: _Range, reserved: Covering) -> Iterator[Pool]:
    """What each node holds of a pool. It may take more, from the pool or of what other nodes hold."""
    by_node: dict[str, list[_Block]] = defaultdict(list)
    for block in each.blocks:
        if block.node:
            by_node[block.node].append(block)
    for node, blocks in by_node.items():
        counts = _count(each, blocks, reserved)
        yield Pool(
            provider=Calico.name,
            name=each.name,
            family=each.network.version,
            scope="node",
            node=node,
            source=_BLOCK,
            quality="exact",
            cidrs=tuple(str(block.network) for block in blocks),
            capacity=counts.assigned,
            assigned=counts.assigned,
            used=counts.used,
            reserved=counts.reserved,
            cooling=counts.cooling,
            free=_rest(counts.assigned, counts.used, counts.cooling, counts.reserved),
        )


def _rest(capacity: int, *parts: int | None) -> int | None:
    """What is left; not known where a part is not."""
    known = [part for part in parts if part is not None]
    return capacity - sum(known) if len(known) == len(parts) else None


def _within(pool: Network, block: Network) -> Network:
    """The part of a block that lies in the pool; they overlap, so one of them lies in the other."""
    return block if block.prefixlen >= pool.prefixlen else pool


def _count(each: _Range, blocks: Sequence[_Block], reserved: Covering) -> _Counts:
    assigned = used = cooling = blocked = blocked_in_use = 0
    for block in blocks:
        part = _within(each.network, block.network)
        assigned += part.num_addresses
        if block.taken is None:
            continue
        shift = int(part.network_address) - int(block.network.network_address)
        window = (1 << part.num_addresses) - 1
        taken, resting = block.taken >> shift & window, block.cooling >> shift & window
        mask = reserved.mask(part)
        used += (taken & ~resting).bit_count()
        cooling += resting.bit_count()
        blocked += (mask & ~taken).bit_count()
        blocked_in_use += (mask & taken).bit_count()
    if any(block.taken is None for block in blocks):
        return _Counts(assigned, None, None, None, 0)
    return _Counts(assigned, used, cooling, blocked, blocked_in_use)


def _pods_of(view: IpamView, ranges: Sequence[_Range]) -> Counter[str]:
    """How many addresses of each pool pods are seen to have."""
    index = CidrIndex((each.network, each.name) for each in ranges)
    found: Counter[str] = Counter()
    for pod in view.pods():
        for text in pod.addresses:
            if address := checked(parse_address, text, "", lambda _: None):
                found.update(index.around(address))
    return found


def _hold_pods(view: IpamView, pools: Iterable[IPPool]) -> bool:
    """Whether any pod has an address of these pools."""
    networks = (checked(parse_cidr, pool.spec.cidr, "", lambda _: None) for pool in pools)
    index = CidrIndex((network, network) for network in networks if network)
    texts = (text for pod in view.pods() for text in pod.addresses)
    addresses = (checked(parse_address, text, "", lambda _: None) for text in texts)
    return any(address and index.around(address) for address in addresses)
