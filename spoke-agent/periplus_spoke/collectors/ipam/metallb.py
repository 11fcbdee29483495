"""MetalLB: the ranges that services of type LoadBalancer get their addresses out of.

They are IPAddressPools, before 0.14 also AddressPools, and before 0.13 text in a ConfigMap.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from msgspec import field

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.conversion.cidr import (
    Address,
    Fault,
    Network,
    checked,
    covered,
    merged,
    parse_address,
    told_elsewhere,
)
from periplus_spoke.conversion.custom_objects import Named, ObjectName, counted
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind
from periplus_spoke.conversion.objects import Kept
from periplus_spoke.conversion.spans import parse_span
from periplus_spoke.conversion.yaml_text import yaml_mapping

_SOURCE: Final = "IPAddressPool"
_CONFIG_MAP: Final = "ConfigMap"
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
    """metallb.io IPAddressPool or AddressPool."""

    spec: PoolSpec = field(default_factory=PoolSpec)
    status: PoolStatus = field(default_factory=PoolStatus)


POOL_KIND: Final = WantedKind(
    group="metallb.io",
    plural="ipaddresspools",
    versions=("v1beta1",),
    type=AddressPool,
    has_balancer_ranges=True,
)


OLD_POOL_KIND: Final = WantedKind(
    group="metallb.io",
    plural="addresspools",
    versions=("v1beta1", "v1alpha1"),
    type=AddressPool,
    has_balancer_ranges=True,
)
OLD_CONFIG: Final = "metallb-system/config"
"""The ConfigMap of MetalLB before 0.13."""
_KINDS: Final = ((POOL_KIND, _SOURCE), (OLD_POOL_KIND, "AddressPool"))


class _Told(NamedTuple):
    source: str
    pool: AddressPool

    @property
    def where(self) -> str:
        """For faults."""
        return f"{self.source} {self.pool.title}"


class _Counters(NamedTuple):
    assigned: int
    available: int


class MetalLb:
    """The adapter."""

    name: Final = "metallb"
    kinds: tuple[WantedKind[Any], ...] = (POOL_KIND, OLD_POOL_KIND)
    configs: tuple[str, ...] = ()
    """The old ConfigMap is none of them: its name is so common that a right to read it would be one to read others."""

    def detect(self, facts: DetectFacts) -> bool:
        """Where its objects are served, or its ConfigMap could be read."""
        return POOL_KIND.group in facts.groups or OLD_CONFIG in facts.configs

    def silent_because(self, view: IpamView) -> str:
        """Never: it has nothing to do with pods."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: it has nothing to do with pods."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per pool of MetalLB and family."""
        balancers = _balancer_addresses(view)
        return [
            _pool(told, networks, balancers, fault)
            for told in _told(view, fault)
            for family in _FAMILIES
            if (networks := [each for each in _ranges(told, fault) if each.version == family])
        ]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """The CIDRs that every range of every pool is made of."""
        return [
            Allocation(
                kind="loadbalancer",
                cidr=str(network),
                provider=self.name,
                source=told.source,
                name=told.pool.metadata.name,
                reach="routed",
            )
            for told in _told(view, fault)
            for network in _ranges(told, fault)
        ]


def _told(view: IpamView, fault: Fault) -> Iterator[_Told]:
    for kind, source in _KINDS:
        yield from (_Told(source, pool) for pool in view.objects(kind))
    if not view.has_objects(POOL_KIND):
        yield from (_Told(_CONFIG_MAP, pool) for pool in _written(view.configs.get(OLD_CONFIG, {}), fault))


def _written(config: Mapping[str, str], fault: Fault) -> Iterator[AddressPool]:
    """Pools as MetalLB before 0.13 has them; what is no pool is told."""
    text, where = config.get("config", ""), f"{_CONFIG_MAP} {OLD_CONFIG}"
    written = yaml_mapping(text)
    pools = written.get("address-pools")
    if text and not written:
        fault(f"{where}: it is no mapping")
    if pools is not None and not isinstance(pools, list):
        fault(f"{where}: address-pools is no list")
    if not isinstance(pools, list):
        return
    for each in pools:
        addresses = each.get("addresses") if isinstance(each, dict) else None
        if not isinstance(addresses, list):
            fault(f"{where}: one of address-pools has no list of addresses")
            continue
        spec = PoolSpec(addresses=[str(one) for one in addresses], avoid_buggy_ips=each.get("avoid-buggy-ips") is True)
        yield AddressPool(metadata=ObjectName(name=str(each.get("name") or "")), spec=spec)


def _ranges(told: _Told, fault: Fault) -> Iterator[Network]:
    for text in told.pool.spec.addresses or ():
        yield from checked(parse_span, text, told.where, fault) or ()


def _balancer_addresses(view: IpamView) -> set[Address] | None:
    """Distinct: services may share one. None where services cannot be read; a cluster that has none does not exist."""
    services = list(view.services())
    texts = [text for service in services for text in service.load_balancer_ips]
    found = {checked(parse_address, text, "", told_elsewhere) for text in texts}
    return {address for address in found if address} if services else None


def _pool(told: _Told, networks: list[Network], balancers: set[Address] | None, fault: Fault) -> Pool:
    family, pool = networks[0].version, told.pool
    avoided = _buggy(networks) if pool.spec.avoid_buggy_ips and family == _IPV4 else 0
    usable = covered(networks) - avoided
    counters = _counters(told, family, usable, fault)
    used = None if balancers is None else sum(any(each in network for network in networks) for each in balancers)
    if counters:
        used = counters.assigned
    return Pool(
        provider=MetalLb.name,
        name=pool.metadata.name,
        family=family,
        scope="lb",
        source=told.source,
        quality="exact" if counters else "derived",
        cidrs=tuple(map(str, networks)),
        capacity=usable + avoided,
        used=used,
        reserved=avoided,
        free=None if used is None else max(usable - used, 0),
    )


def _counters(told: _Told, family: Literal[4, 6], usable: int, fault: Fault) -> _Counters | None:
    """MetalLB's own, unless they are of another state of the pool: then services are counted."""
    status, where = told.pool.status, f"status of {told.where}"
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
