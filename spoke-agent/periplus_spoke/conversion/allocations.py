"""Allocations and service pools that every cluster has, whatever its network plugin."""

import ipaddress
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from periplus_contract.covers import AllocationKind
from periplus_spoke.conversion.cidr import (
    Address,
    Fault,
    Network,
    checked,
    exact_cover,
    parse_address,
    parse_cidr,
    single,
)
from periplus_spoke.conversion.cluster_settings import cluster_claims
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, Quality

PROVIDER: Final = "kubernetes"
_SERVICE_CIDR: Final = "servicecidr"
_SERVICES: Final = "services"
_EXTERNAL_IP: Final = "ExternalIP"
_NODE_TYPES: Final = frozenset(("InternalIP", _EXTERNAL_IP))


class ServiceRange(NamedTuple):
    """One range that service addresses come from, and who says so."""

    name: str
    network: Network
    source: str
    quality: Quality


def core_allocations(view: IpamView, fault: Fault) -> list[Allocation]:
    """Nodes, services, load balancers and external addresses."""
    return [
        *_node_addresses(view, fault),
        *_service_ranges(view, fault),
        *_service_addresses(view, fault, "loadbalancer"),
        *_service_addresses(view, fault, "external"),
    ]


def _node_addresses(view: IpamView, fault: Fault) -> Iterator[Allocation]:
    found: list[tuple[str, Address, str]] = []
    for node in view.nodes():
        for text in node.addresses:
            kind, _, value = text.partition("=")
            if kind in _NODE_TYPES and (address := checked(parse_address, value, f"node {node.name}", fault)):
                found.append((kind, address, node.name))
    # Nodes behind one NAT have its address as their ExternalIP: it is theirs together, and that is no fault.
    holders = Counter(address for kind, address, _ in found if kind == _EXTERNAL_IP)
    for kind, address, name in found:
        node_name = "" if kind == _EXTERNAL_IP and holders[address] > 1 else name
        yield Allocation(
            kind="node", cidr=single(address), provider=PROVIDER, source="nodes", name=name, node=node_name
        )


def _service_addresses(view: IpamView, fault: Fault, kind: AllocationKind) -> Iterator[Allocation]:
    for service in view.services():
        texts = service.load_balancer_ips if kind == "loadbalancer" else service.external_ips
        for text in texts:
            if address := checked(parse_address, text, f"service {service.name}", fault):
                yield Allocation(
                    kind=kind,
                    cidr=single(address),
                    provider=PROVIDER,
                    source=_SERVICES,
                    name=service.name,
                    quality="seen",
                )


def _service_ranges(view: IpamView, fault: Fault) -> Iterator[Allocation]:
    ranges = list(service_ranges(view, fault))
    for item in ranges:
        yield Allocation(
            kind="service",
            cidr=str(item.network),
            provider=PROVIDER,
            source=item.source,
            name=item.name,
            quality=item.quality,
        )
    if not ranges:
        # Exactly the addresses that are in use, never a range guessed around them.
        for block in exact_cover(cluster_ips(view, fault)):
            yield Allocation(
                kind="service",
                cidr=str(block),
                provider=PROVIDER,
                source=_SERVICES,
                name="observed",
                quality="seen",
            )


def service_ranges(view: IpamView, fault: Fault) -> Iterator[ServiceRange]:
    """Every range of every ServiceCIDR; where there is none, what the cluster was set up with."""
    found = False
    for name, cidrs in view.service_cidrs():
        for text in cidrs:
            if network := checked(parse_cidr, text, f"ServiceCIDR {name}", fault):
                found = True
                yield ServiceRange(name, network, _SERVICE_CIDR, "exact")
    if not found:
        for claim in cluster_claims(view, "service", fault):
            yield ServiceRange(claim.name, ipaddress.ip_network(claim.cidr), claim.source, claim.quality)


def cluster_ips(view: IpamView, fault: Fault) -> set[Address]:
    """Distinct service addresses, headless services left out."""
    found = set()
    for service in view.services():
        for text in service.cluster_ips:
            if address := checked(parse_address, text, f"service {service.name}", fault):
                found.add(address)
    return found


def service_pools(view: IpamView, fault: Fault) -> list[Pool]:
    """A pool per service range and family; without ranges, a pool of unknown size that counts what is used."""
    exact = [checked(parse_address, text, f"IPAddress {text}", fault) for text in view.service_addresses()]
    # IPAddress objects are what the API server itself counts by; services may be missing some of a moment ago.
    used = {address for address in exact if address} or cluster_ips(view, fault)
    ranges = list(service_ranges(view, fault))
    pools = [
        _service_pool(item, sum(address in item.network for address in used), exact=bool(exact)) for item in ranges
    ]
    if ranges:
        return pools
    return [
        Pool(
            provider=PROVIDER,
            name="services",
            family=version,
            scope="service",
            source="ipaddress" if exact else _SERVICES,
            quality="exact" if exact else "derived",
            used=count,
        )
        for version in (4, 6)
        if (count := sum(address.version == version for address in used))
    ]


def _service_pool(item: ServiceRange, used: int, *, exact: bool) -> Pool:
    usable = service_capacity(item.network)
    return Pool(
        provider=PROVIDER,
        name=item.name,
        family=item.network.version,
        scope="service",
        source=item.source,
        quality="exact" if exact else "derived",
        cidrs=(str(item.network),),
        capacity=item.network.num_addresses,
        used=used,
        reserved=item.network.num_addresses - usable,
        free=max(usable - used, 0),
    )


def service_capacity(network: Network) -> int:
    """Addresses the API server can hand out: without network and, for IPv4, broadcast address."""
    excluded = 2 if isinstance(network, ipaddress.IPv4Network) else 1
    return max(network.num_addresses - excluded, 0)
