"""Spiderpool: pools of addresses of networks outside of the cluster, and the subnets that pools are made from."""

from typing import Any, Final, NamedTuple

import msgspec
from msgspec import field

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.leaks import evidence
from periplus_spoke.collectors.ipam.pod_addresses import families_inside
from periplus_spoke.conversion.cidr import Fault, Network, checked, covered
from periplus_spoke.conversion.custom_objects import Named, counted
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind
from periplus_spoke.conversion.objects import Kept
from periplus_spoke.conversion.packed import packed, packed_line, unpacked
from periplus_spoke.conversion.presence import Presence
from periplus_spoke.conversion.spans import parse_span, without

_GROUP: Final = "spiderpool.spidernet.io"
_VIRTUAL_MACHINES: Final = "kubevirt.io"
"""Addresses of virtual machines are theirs, not those of the pods that run them."""


class PoolSpec(Kept):
    """What a pool may hand out."""

    ips: list[str] | None = None
    exclude_ips: list[str] | None = field(name="excludeIPs", default=None)


class _Holder(msgspec.Struct):
    """Who has an address."""

    pod: str = ""


def _holders(text: str) -> str | None:
    try:
        found = msgspec.json.decode(text, type=dict[str, _Holder])
    except msgspec.MsgspecError:
        return None
    return packed(packed_line(address, holder.pod) for address, holder in found.items())


class PoolStatus(Kept):
    """Spiderpool's own counters."""

    total_ip_count: int | None = field(name="totalIPCount", default=None)
    allocated_ip_count: int | None = field(name="allocatedIPCount", default=None)
    allocated_ips: str | None = field(name="allocatedIPs", default=None)
    """JSON of who has which address."""
    held_by: str | None = None
    """The same packed; None where it cannot be understood."""

    def __post_init__(self) -> None:
        self.held_by = _holders(self.allocated_ips or "{}")
        self.allocated_ips = None


class SpiderRange(Named):
    """SpiderIPPool or SpiderSubnet."""

    spec: PoolSpec = field(default_factory=PoolSpec)
    status: PoolStatus = field(default_factory=PoolStatus)


POOLS: Final = WantedKind(group=_GROUP, plural="spiderippools", versions=("v2beta1",), type=SpiderRange)
SUBNETS: Final = WantedKind(group=_GROUP, plural="spidersubnets", versions=("v2beta1",), type=SpiderRange)
_POOL: Final = "SpiderIPPool"
_SOURCES: Final = ((POOLS, _POOL), (SUBNETS, "SpiderSubnet"))


class _Range(NamedTuple):
    source: str
    pool: SpiderRange
    networks: list[Network]


class Spiderpool:
    """The adapter."""

    name: Final = "spiderpool"
    kinds: tuple[WantedKind[Any], ...] = (POOLS, SUBNETS)
    configs: tuple[str, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        """Where its objects are served."""
        return _GROUP in facts.groups

    def silent_because(self, view: IpamView) -> str:
        """Never: it works beside or instead of a network plugin."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: a pool names the addresses that are this cluster's."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per object, with its own counters."""
        presence = None if view.serves(_VIRTUAL_MACHINES) else view.presence(POOLS)
        return [pool for found in _ranges(view, fault) for pool in _pools(found, presence, fault)]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """What may be handed out, without what is excluded, as the fewest CIDRs."""
        ranges = _ranges(view, fault)
        own = families_inside(view, [network for found in ranges for network in found.networks])
        return [
            Allocation(
                kind="pod",
                cidr=str(network),
                provider=self.name,
                source=found.source,
                name=found.pool.metadata.name,
                for_some_pods=network.version not in own,
            )
            for found in ranges
            for network in found.networks
        ]


def _ranges(view: IpamView, fault: Fault) -> list[_Range]:
    return [
        _Range(source, pool, _networks(pool.spec, f"{source} {pool.title}", fault))
        for wanted, source in _SOURCES
        for pool in view.objects(wanted)
    ]


def _networks(spec: PoolSpec, where: str, fault: Fault) -> list[Network]:
    included, excluded = (
        [network for text in texts or () for network in checked(parse_span, text, where, fault) or ()]
        for texts in (spec.ips, spec.exclude_ips)
    )
    return without(included, excluded)


def _pools(found: _Range, presence: Presence | None, fault: Fault) -> list[Pool]:
    families = sorted({network.version for network in found.networks})
    told = found.pool.status if len(families) == 1 else PoolStatus()  # counters are of both families together
    return [
        _pool(found, [each for each in found.networks if each.version == family], told, presence, fault)
        for family in families
    ]


def _leaks(status: PoolStatus, presence: Presence | None, where: str, fault: Fault) -> list[tuple[str, str]] | None:
    """Addresses whose pod is gone, each with why; None where that cannot be told."""
    if status.held_by is None:
        fault(f"{where}: allocatedIPs is no JSON of pods")
    if presence is None or status.held_by is None:
        return None
    held = ((address, pod) for address, pod in unpacked(status.held_by) if "/" in pod)
    return [(address, why) for address, pod in held if (why := presence.lost_pod(pod))]


def _pool(found: _Range, networks: list[Network], status: PoolStatus, presence: Presence | None, fault: Fault) -> Pool:
    where = f"status of {found.source} {found.pool.title}"
    total = counted(status.total_ip_count, where, fault)
    used = counted(status.allocated_ip_count, where, fault)
    free = total - used if total is not None and used is not None and used <= total else None
    leaks = _leaks(status, presence if found.source == _POOL and free is not None else None, where, fault)
    lost = (leaks or [])[:used]
    return Pool(
        provider=Spiderpool.name,
        name=found.pool.metadata.name,
        family=networks[0].version,
        scope="cluster",
        source=found.source,
        quality="nominal" if free is None else "exact",
        cidrs=tuple(map(str, networks)),
        capacity=covered(networks) if free is None else total,
        used=None if free is None or used is None else used - len(lost),
        leaked=None if leaks is None else len(lost),
        free=free,
        evidence=evidence(lost),
    )
