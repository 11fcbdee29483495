"""Calico's kinds, and its pools with the blocks that lie in them."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from periplus_spoke.conversion.calico_installation import Installation
from periplus_spoke.conversion.calico_objects import (
    BGPPeer,
    BlockAffinity,
    BlockSpec,
    IPAMBlock,
    IPAMConfig,
    IPPool,
    IPReservation,
    PoolSpec,
    is_set,
)
from periplus_spoke.conversion.cidr import Fault, Network, checked, parse_cidr
from periplus_spoke.conversion.cidr_index import CidrIndex
from periplus_spoke.conversion.ipam import IpamView, T, WantedKind

NAME: Final = "calico"
GROUPS: Final = ("crd.projectcalico.org", "projectcalico.org")


def _both(plural: str, kind: type[T], *, has_balancer_ranges: bool = False) -> tuple[WantedKind[T], WantedKind[T]]:
    """In either API group: where both are served, the second is an API server in front of the first."""
    stored, shown = GROUPS
    read = WantedKind(group=stored, plural=plural, versions=("v1",), type=kind, has_balancer_ranges=has_balancer_ranges)
    return read, msgspec.structs.replace(read, group=shown, versions=("v3",), unless=stored)


POOLS: Final = _both("ippools", IPPool, has_balancer_ranges=True)
BLOCKS: Final = _both("ipamblocks", IPAMBlock)
AFFINITIES: Final = _both("blockaffinities", BlockAffinity)
RESERVATIONS: Final = _both("ipreservations", IPReservation)
PEERS: Final = _both("bgppeers", BGPPeer)
SETTINGS: Final = (
    WantedKind(group=GROUPS[0], plural="ipamconfigs", versions=("v1",), type=IPAMConfig),
    WantedKind(group=GROUPS[1], plural="ipamconfigurations", versions=("v3",), type=IPAMConfig, unless=GROUPS[0]),
)
INSTALLATIONS: Final = WantedKind(
    group="operator.tigera.io", plural="installations", versions=("v1",), type=Installation
)
POOL: Final = "IPPool"
BLOCK: Final = "IPAMBlock"
_AFFINITY: Final = "BlockAffinity"
_INSTALLATION: Final = "Installation"
LOAD_BALANCER: Final = "LoadBalancer"


class Block(NamedTuple):
    """A part of a pool."""

    network: Network
    node: str
    source: str
    spec: BlockSpec | None
    """Who has its addresses; None where that is not known."""

    @property
    def in_use(self) -> bool:
        """Whether any address of it is, as far as is known."""
        return self.spec is None or bool(self.spec.taken)


class Range(NamedTuple):
    """A pool whose CIDR can be, and its blocks."""

    name: str
    network: Network
    spec: PoolSpec
    source: str
    blocks: list[Block]


def objects(view: IpamView, kinds: tuple[WantedKind[T], ...]) -> Sequence[T]:
    """Of whichever API group is read."""
    return next((view.objects(kind) for kind in kinds if view.has_objects(kind)), ())


def has(view: IpamView, kinds: tuple[WantedKind[T], ...]) -> bool:
    """Whether the kind was read in either API group."""
    return any(view.has_objects(kind) for kind in kinds)


def knows(view: IpamView, kinds: tuple[WantedKind[T], ...]) -> bool:
    """Whether all objects of the kind are known, if only because there are none."""
    return has(view, kinds) or all(map(view.has_none, kinds))


class Reading(NamedTuple):
    """All pools, each with its blocks."""

    ranges: list[Range]
    orphans: list[Block]
    """Blocks in use that lie in no IPPool: the pool was deleted, or is smaller now."""


def read_ranges(view: IpamView, fault: Fault) -> Reading:
    """The pools that there are; where they may not be read, those that the operator was to make."""
    ranges = [
        Range(name, network, spec, source, [])
        for name, spec, source in _told_pools(view)
        if (network := checked(parse_cidr, spec.cidr, f"{source} {name}", fault))
    ]
    index = CidrIndex((each.network, each) for each in ranges)
    orphans: list[Block] = []
    for block in _blocks(view, fault):
        homes = index.overlapping(block.network)
        for home in homes:
            home.blocks.append(block)
            if home.network.prefixlen > block.network.prefixlen:
                fault(f"{block.source} {block.network} reaches beyond {POOL} {home.name}")
        if not homes and block.in_use:
            orphans.append(block)
    return Reading(ranges, orphans)


def _told_pools(view: IpamView) -> Iterator[tuple[str, PoolSpec, str]]:
    for pool in objects(view, POOLS):
        yield pool.metadata.name, pool.spec, POOL
    if not has(view, POOLS):
        for each in view.objects(INSTALLATIONS):
            for told in each.pools():
                yield told.name or told.cidr, told.spec(), _INSTALLATION


def _blocks(view: IpamView, fault: Fault) -> Iterator[Block]:
    """Each address once. Where blocks are not read, what nodes hold is all there is."""
    found = _told_blocks(view, fault) if has(view, BLOCKS) else _told_affinities(view, fault)
    last: Block | None = None
    # CIDRs in this order either lie in the last one or are apart from it, so one look back finds every overlap.
    for block in sorted(found, key=_place):
        if last and last.network.overlaps(block.network):
            if last != block:
                fault(f"{block.source} {block.network} overlaps {last.network}")
            continue
        last = block
        yield block


def _place(block: Block) -> tuple[int, int, int]:
    return block.network.version, int(block.network.network_address), block.network.prefixlen


def _told_blocks(view: IpamView, fault: Fault) -> Iterator[Block]:
    for block in objects(view, BLOCKS):
        spec = block.spec
        if is_set(spec.deleted) or not (network := checked(parse_cidr, spec.cidr, BLOCK, fault)):
            continue
        taken = spec.taken.bit_count()
        # Otherwise no bit of it can be told to be an address's. It still counts as handed out: forgetting it would call
        # its addresses free.
        is_whole = spec.size == network.num_addresses
        if not is_whole:
            fault(f"{BLOCK} {network} tells of {max(spec.size, 0)} of its {network.num_addresses} addresses")
        elif spec.free >= 0 and spec.free + taken != spec.size:
            fault(f"{BLOCK} {network}: of {spec.size} addresses {taken} are allocated and {spec.free} are not")
        yield Block(network, spec.node, BLOCK, spec if is_whole else None)


def _told_affinities(view: IpamView, fault: Fault) -> Iterator[Block]:
    for affinity in objects(view, AFFINITIES):
        spec = affinity.spec
        if is_set(spec.deleted) or spec.type not in {None, "", "host"}:
            continue
        if network := checked(parse_cidr, spec.cidr, f"{_AFFINITY} of node {spec.node}", fault):
            yield Block(network, spec.node, _AFFINITY, None)
