"""Antrea: pools for pods of some namespaces or networks, and for addresses that come from outside.

All other pods get addresses of their node's podCIDR.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from msgspec import field

from periplus_contract.covers import AllocationKind, Scope
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.leaks import evidence
from periplus_spoke.conversion.cidr import Fault, Network, checked, covered, parse_address, told_elsewhere
from periplus_spoke.conversion.custom_objects import Named, counted
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind
from periplus_spoke.conversion.objects import Kept
from periplus_spoke.conversion.packed import packed, packed_line, unpacked
from periplus_spoke.conversion.presence import Presence
from periplus_spoke.conversion.spans import parse_masked, span_cover

_FAMILIES: Final[tuple[Literal[4, 6], ...]] = (4, 6)


class IpRange(Kept):
    """A CIDR, or a first and last address."""

    cidr: str = ""
    start: str = ""
    end: str = ""


class Ranges(Kept):
    """What a pool may hand out."""

    ip_ranges: list[IpRange] | None = None


class Usage(Kept):
    """Antrea's own counters."""

    total: int | None = None
    used: int | None = None


class _Pod(Kept):
    name: str | None = None
    namespace: str | None = None


class _StatefulSet(Kept):
    """Keeps an address for a pod of its own."""


class _Owner(Kept):
    pod: _Pod | None = None
    stateful_set: _StatefulSet | None = None


class _Address(Kept):
    """Who has an address."""

    ip_address: str | None = None
    owner: _Owner | None = None

    def packed(self) -> str:
        """Its address and pod; nothing where no pod has it, or where that may come back to it."""
        pod = self.owner.pod if self.owner and not self.owner.stateful_set else None
        return packed_line(self.ip_address or "", f"{pod.namespace}/{pod.name}") if pod and pod.name else ""


class PoolStatus(Kept):
    """Of a pool."""

    usage: Usage = field(default_factory=Usage)
    ip_addresses: list[_Address] | None = None
    held_by: str = ""
    """Address and pod of each that a pod has, packed."""

    def __post_init__(self) -> None:
        self.held_by = packed(each.packed() for each in self.ip_addresses or ())
        self.ip_addresses = None


class AntreaPool(Named):
    """crd.antrea.io IPPool or ExternalIPPool."""

    spec: Ranges = field(default_factory=Ranges)
    status: PoolStatus = field(default_factory=PoolStatus)


_GROUP: Final = "crd.antrea.io"
_VERSIONS: Final = ("v1beta1", "v1alpha2")
POD_POOLS: Final = WantedKind(group=_GROUP, plural="ippools", versions=_VERSIONS, type=AntreaPool)
EXTERNAL_POOLS: Final = WantedKind(
    group=_GROUP, plural="externalippools", versions=_VERSIONS, type=AntreaPool, has_balancer_ranges=True
)


class _Use(NamedTuple):
    wanted: WantedKind[AntreaPool]
    source: str
    kind: AllocationKind
    scope: Scope


_USES: Final = (
    _Use(POD_POOLS, "IPPool", "pod", "namespace"),
    _Use(EXTERNAL_POOLS, "ExternalIPPool", "loadbalancer", "external"),
)


class Antrea:
    """The adapter."""

    name: Final = "antrea"
    kinds: tuple[WantedKind[Any], ...] = (POD_POOLS, EXTERNAL_POOLS)
    configs: tuple[str, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        """Where its objects are served or its DaemonSet is."""
        return self.name in facts.cnis

    def silent_because(self, view: IpamView) -> str:
        """Never."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: a pool is for this cluster."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per pool and family."""
        return [
            _pool(use, pool, networks, view.presence(use.wanted), fault)
            for use in _USES
            for pool in view.objects(use.wanted)
            for family in _FAMILIES
            if (networks := [each for each in _networks(use, pool, fault) if each.version == family])
        ]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """The CIDRs that every range of every pool is made of."""
        return [
            Allocation(
                kind=use.kind,
                cidr=str(network),
                provider=self.name,
                source=use.source,
                name=pool.metadata.name,
                reach="routed",
                for_some_pods=use.kind == "pod",
            )
            for use in _USES
            for pool in view.objects(use.wanted)
            for network in _networks(use, pool, fault)
        ]


def _networks(use: _Use, pool: AntreaPool, fault: Fault) -> Iterator[Network]:
    where = f"{use.source} {pool.title}"
    for each in pool.spec.ip_ranges or ():
        text = each.cidr or f"{each.start}-{each.end}"
        yield from checked(_parse, text, where, fault) or ()


def _parse(text: str) -> list[Network]:
    first, dash, last = text.partition("-")
    return span_cover(parse_address(first), parse_address(last)) if dash else [parse_masked(text)]


def _leaks(pool: AntreaPool, presence: Presence | None) -> list[tuple[str, str]]:
    """Addresses whose pod is gone, each with why."""
    if presence is None:
        return []
    return [(address, why) for address, pod in unpacked(pool.status.held_by) if (why := presence.lost_pod(pod))]


def _pool(use: _Use, pool: AntreaPool, networks: list[Network], presence: Presence | None, fault: Fault) -> Pool:
    where = f"status of {use.source} {pool.title}"
    mixed = len({each.version for each in _networks(use, pool, told_elsewhere)}) > 1  # counters are of both together
    total = None if mixed else counted(pool.status.usage.total, where, fault)
    used = None if mixed else counted(pool.status.usage.used, where, fault)
    is_counted = total is not None and used is not None and used <= total
    knows_leaks = is_counted and presence is not None and use.wanted is POD_POOLS
    lost = _leaks(pool, presence)[:used] if knows_leaks else []
    return Pool(
        provider=Antrea.name,
        name=pool.metadata.name,
        family=networks[0].version,
        scope=use.scope,
        source=use.source,
        quality="exact" if is_counted else "nominal",
        cidrs=tuple(map(str, networks)),
        capacity=total if is_counted else covered(networks),
        used=used - len(lost) if used is not None and is_counted else None,
        leaked=len(lost) if knows_leaks else None,
        free=total - used if total is not None and used is not None and is_counted else None,
        evidence=evidence(lost),
    )
