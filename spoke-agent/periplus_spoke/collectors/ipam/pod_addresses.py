"""Addresses that pods have, for adapters that have nothing better to tell of them, or count by them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter

from periplus_spoke.conversion.cidr import (
    Address,
    Fault,
    Network,
    checked,
    exact_cover,
    merged,
    parse_address,
    told_elsewhere,
)
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, Reach


def pod_addresses(view: IpamView, fault: Fault) -> Iterator[tuple[str, Address]]:
    """(node, address) of pods that hold addresses; the node is empty while it is not known."""
    for pod in view.pods():
        for text in pod.addresses:
            if address := checked(parse_address, text, f"pod {pod.name}", fault):
                yield pod.node or "", address


def families_inside(view: IpamView, networks: Iterable[Network]) -> frozenset[int]:
    """Families that pods have addresses of, all of them inside these networks: there they are the pods' own."""
    stretches = _stretches(networks)
    inside: set[int] = set()
    outside: set[int] = set()
    for _, address in pod_addresses(view, told_elsewhere):
        (inside if _is_inside(int(address), stretches[address.version]) else outside).add(address.version)
    return frozenset(inside - outside)


def addresses_outside(view: IpamView, networks: Iterable[Network]) -> set[Address]:
    """What pods have outside of all these networks."""
    stretches = _stretches(networks)
    addresses = (address for _, address in pod_addresses(view, told_elsewhere))
    return {address for address in addresses if not _is_inside(int(address), stretches[address.version])}


def _stretches(networks: Iterable[Network]) -> dict[int, list[tuple[int, int]]]:
    """By family."""
    by_family: dict[int, list[Network]] = {4: [], 6: []}
    for network in networks:
        by_family[network.version].append(network)
    return {family: merged(same) for family, same in by_family.items()}


def _is_inside(address: int, stretches: list[tuple[int, int]]) -> bool:
    at = bisect_right(stretches, address, key=itemgetter(0)) - 1
    return at >= 0 and address <= stretches[at][1]


def seen_in(provider: str, name: str, addresses: Iterable[Address], reach: Reach = "") -> list[Allocation]:
    """These addresses of pods and no others, as `seen`."""
    return [
        Allocation(
            kind="pod",
            cidr=str(block),
            provider=provider,
            source="pods",
            name=name,
            quality="seen",
            reach=reach,
        )
        for block in exact_cover(addresses)
    ]


def uncounted_pools(provider: str, name: str, addresses: set[Address], *, has_pods: bool) -> list[Pool]:
    """A pool for each family that pods have addresses of: how many are used, out of an unknown number."""
    return [
        Pool(
            provider=provider,
            name=name,
            family=version,
            scope="cluster",
            source="pods",
            quality="derived",
            used=count if has_pods else None,
        )
        for version in (4, 6)
        if (count := sum(address.version == version for address in addresses))
    ]
