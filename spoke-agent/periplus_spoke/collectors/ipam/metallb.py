"""MetalLB: IPAddressPool objects, the ranges that services of type LoadBalancer get their addresses out of."""

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from msgspec import field

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.conversion.cidr import Address, Fault, Network, checked, covered, merged, parse_address
from periplus_spoke.conversion.custom_objects import Named, counted
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind
from periplus_spoke.conversion.objects import Kept
from periplus_spoke.conversion.spans import parse_span

_SOURCE: Final = "IPAddressPool"
_BYTE: Final = 256
_IPV4: Final = 4
_FAMILIES: Final[tuple[Literal[4, 6], ...]] = (4, 6)


class PoolSpec(Kept):
    """What a pool may hand out."""

    addresses: list[str] | None = None
    avoid_buggy_ips: bool | None = field(name="avoidBuggyIPs", default=None)


class PoolStatus(Kept):
    """Counters of newer releases; None where there are none."""

    assigned_ipv4: int | None = field(name="assignedIPv4", default=None)
    assigned_ipv6: int | None = field(name="assignedIPv6", default=None)
    available_ipv4: int | None = field(name="availableIPv4", default=None)
    available_ipv6: int | None = field(name="availableIPv6", default=None)


class AddressPool(Named):
    """metallb.io IPAddressPool."""

    spec: PoolSpec = field(default_factory=PoolSpec)
    status: PoolStatus = field(default_factory=PoolStatus)


POOL_KIND: Final = WantedKind(
    group="metallb.io",
    plural="ipaddresspools",
    versions=("v1beta1",),
    type=AddressPool,
    has_balancer_ranges=True,
)


class _Counters(NamedTuple):
    assigned: int
    available: int


class MetalLb:
    """The adapter."""

    name: Final = "metallb"
    kinds: tuple[WantedKind[Any], ...] = (POOL_KIND,)
    configs: tuple[str, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        """Where its objects are served."""
        return POOL_KIND.group in facts.groups

    def silent_because(self, view: IpamView) -> str:
        """Never: it has nothing to do with pods."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: it has nothing to do with pods."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per IPAddressPool and family."""
        balancers = _balancer_addresses(view)
        return [
            _pool(pool, networks, balancers, fault)
            for pool in view.objects(POOL_KIND)
            for family in _FAMILIES
            if (networks := [each for each in _ranges(pool, fault) if each.version == family])
        ]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """The CIDRs that every range of every pool is made of."""
        return [
            Allocation(
                kind="loadbalancer",
                cidr=str(network),
                provider=self.name,
                source=_SOURCE,
                name=pool.metadata.name,
                reach="routed",
            )
            for pool in view.objects(POOL_KIND)
            for network in _ranges(pool, fault)
        ]


def _ranges(pool: AddressPool, fault: Fault) -> Iterator[Network]:
    for text in pool.spec.addresses or ():
        yield from checked(parse_span, text, f"IPAddressPool {pool.title}", fault) or ()


def _balancer_addresses(view: IpamView) -> set[Address] | None:
    """Distinct: services may share one. None where services cannot be read; a cluster that has none does not exist."""
    services = list(view.services())
    texts = [text for service in services for text in service.load_balancer_ips]
    found = {checked(parse_address, text, "", _told_by_services) for text in texts}
    return {address for address in found if address} if services else None


def _told_by_services(_: str) -> None:
    """What is no address at a service is told with the services."""


def _pool(pool: AddressPool, networks: list[Network], balancers: set[Address] | None, fault: Fault) -> Pool:
    family = networks[0].version
    avoided = _buggy(networks) if pool.spec.avoid_buggy_ips and family == _IPV4 else 0
    usable = covered(networks) - avoided
    counters = _counters(pool, family, usable, fault)
    used = None if balancers is None else sum(any(each in network for network in networks) for each in balancers)
    if counters:
        used = counters.assigned
    return Pool(
        provider=MetalLb.name,
        name=pool.metadata.name,
        family=family,
        scope="lb",
        source=_SOURCE,
        quality="exact" if counters else "derived",
        cidrs=tuple(map(str, networks)),
        capacity=usable + avoided,
        used=used,
        reserved=avoided,
        free=None if used is None else max(usable - used, 0),
    )


def _counters(pool: AddressPool, family: Literal[4, 6], usable: int, fault: Fault) -> _Counters | None:
    """MetalLB's own, unless they are of another state of the pool: then services are counted."""
    status, where = pool.status, f"status of IPAddressPool {pool.title}"
    pairs = {
        4: (status.assigned_ipv4, status.available_ipv4),
        6: (status.assigned_ipv6, status.available_ipv6),
    }
    assigned, available = (counted(each, where, fault) for each in pairs[family])
    # MetalLB counts after it has taken in a pool. Just after the pool changed its status is the old one's, and the sum
    # shows it.
    if assigned is None or available is None or assigned + available != usable:
        return None
    return _Counters(assigned, available)


def _buggy(networks: list[Network]) -> int:
    """How many of these addresses end in .0 or .255, each once."""
    found = 0
    for first, last in merged(networks):
        # How many numbers up to `last` end in this byte, less those before `first`: a range may be a /8, and is not
        # walked.
        for byte in (0, _BYTE - 1):
            found += (last - byte) // _BYTE - (first - 1 - byte) // _BYTE
    return found
