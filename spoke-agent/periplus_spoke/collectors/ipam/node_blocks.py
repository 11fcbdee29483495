"""Blocks of pod addresses that nodes hold, and the pools they are: one per block, and one per range they come from."""

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from periplus_spoke.conversion.cidr import (
    Address,
    Network,
    checked,
    covered,
    is_within,
    largest_free_block,
    parse_address,
    told_elsewhere,
)
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, PoolQuality, Reach

HOST_LOCAL_EXCLUDED: Final[Mapping[int, int]] = {4: 3, 6: 2}
"""Network, gateway and, for IPv4, broadcast address are never handed out (containernetworking host-local)."""
NOTHING_EXCLUDED: Final[Mapping[int, int]] = {4: 0, 6: 0}


class Block(msgspec.Struct, frozen=True):
    """A range that only pods of this node get addresses of."""

    node: str
    network: Network


class Blocks:
    """All of one allocator; `excluded` is how many addresses of a block are never handed out, by family."""

    def __init__(
        self, provider: str, source: str, blocks: Iterable[Block], *, excluded: Mapping[int, int], reach: Reach = ""
    ) -> None:
        self._provider = provider
        self._source = source
        self._reach = reach
        self._excluded = excluded
        self.all = list(dict.fromkeys(blocks))
        self.by_node: dict[str, list[Network]] = {}
        for block in self.all:
            self.by_node.setdefault(block.node, []).append(block.network)

    def allocations(self) -> list[Allocation]:
        """A claim for each block."""
        return [
            Allocation(
                kind="pod",
                cidr=str(block.network),
                provider=self._provider,
                source=self._source,
                name=block.node,
                node=block.node,
                reach=self._reach,
            )
            for block in self.all
        ]

    def pools(self, view: IpamView) -> list[Pool]:
        """A pool for each block; pods with an address in their node's block use it."""
        used: Counter[tuple[str, Network]] = Counter()
        for pod in view.pods():
            for address in told_addresses(pod.addresses):
                used.update((pod.node or "", each) for each in self.holding(pod.node, address))
        return [self._pool(block, used[block.node, block.network] if view.has_pods else None) for block in self.all]

    def holding(self, node: str | None, address: Address) -> list[Network]:
        """Blocks of this node that the address lies in."""
        return [network for network in self.by_node.get(node or "", ()) if address in network]

    def _pool(self, block: Block, used: int | None) -> Pool:
        size = block.network.num_addresses
        excluded = min(self._excluded[block.network.version], size)
        return Pool(
            provider=self._provider,
            name=block.node,
            family=block.network.version,
            scope="node",
            node=block.node,
            source=self._source,
            quality="derived",
            cidrs=(str(block.network),),
            capacity=size,
            # All of it counts as assigned: what a node holds is handed out to no other node, used or not.
            assigned=size,
            used=used,
            reserved=excluded,
            free=None if used is None else max(size - excluded - used, 0),
        )


def told_addresses(texts: Iterable[str]) -> Iterator[Address]:
    """Addresses of a pod; what is none is told elsewhere."""
    for text in texts:
        if address := checked(parse_address, text, "pod", told_elsewhere):
            yield address


def range_pools(provider: str, claims: Iterable[Allocation], nodes: Sequence[Pool]) -> Iterator[Pool]:
    """One per range. Of those with one name all but the first are called by their range too: a pool is known by it."""
    known: set[tuple[str, int]] = set()
    for claim in claims:
        pool = range_pool(provider, claim, nodes)
        if (pool.name, pool.family) in known:
            pool = msgspec.structs.replace(pool, name=f"{pool.name} {claim.cidr}")
        known.add((pool.name, pool.family))
        yield pool


def range_pool(provider: str, claim: Allocation, nodes: Sequence[Pool], quality: PoolQuality = "derived") -> Pool:
    """The pool of a range that nodes hold blocks of. Free is what no node was given, used or not."""
    network = ipaddress.ip_network(claim.cidr)
    inside = [pool for pool in nodes if is_within(ipaddress.ip_network(pool.cidrs[0]), network)]
    # Not known for one is not known for the sum: a sum of the others would look like a number.
    used = None if any(pool.used is None for pool in nodes) else sum(pool.used or 0 for pool in inside)
    blocks = {ipaddress.ip_network(pool.cidrs[0]) for pool in inside}
    assigned = covered(blocks)
    return Pool(
        provider=provider,
        name=claim.name,
        family=network.version,
        scope="cluster",
        source=claim.source,
        quality=quality,
        cidrs=(str(network),),
        capacity=network.num_addresses,
        assigned=assigned,
        used=used,
        free=network.num_addresses - assigned,
        largest_free_block=largest_free_block(network, blocks),
    )
