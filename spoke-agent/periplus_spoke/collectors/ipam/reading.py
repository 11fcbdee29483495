"""What all adapters together say of a cluster's pods: pools, ranges, and whether the range pods may use is known."""

import logging
from collections.abc import Collection, Iterable, Sequence
from ipaddress import ip_network
from typing import Final

import msgspec

from periplus_spoke.collectors.ipam.base import DetectFacts, IpamAdapter
from periplus_spoke.collectors.ipam.pod_addresses import addresses_outside, seen_in
from periplus_spoke.collectors.ipam.registry import LAST_RESORT
from periplus_spoke.conversion.cidr import Address, Network, is_within, told_elsewhere
from periplus_spoke.conversion.cidr_index import CidrIndex
from periplus_spoke.conversion.cluster_settings import cluster_claims
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool
from periplus_spoke.conversion.sources import Source

POD_RANGE: Final = "ipam/pod-range"
SERVICE_RANGE: Final = "ipam/service-range"
_FAULTS_SHOWN: Final = 3
_CHECK: Final = "Run 'periplus-spoke check' there: it names the rights that would tell it."
_ONLY_THE_CLOUD: Final = {
    "gke": "No right in the cluster tells it: a cluster with multi-networking has it in the GKENetworkParamSet "
    "'default', and of any other 'gcloud container clusters describe' shows it as clusterIpv4Cidr.",
}
"""What would tell the range, where the cluster itself has it only sometimes."""
_FAULT: Final = Source(
    state="failed",
    reason="spoke_fault",
    message="this IPAM adapter failed",
    remedy="Report it with the spoke's log.",
)

_log: Final = logging.getLogger(__name__)


class Reading(msgspec.Struct):
    """`sources` are rows of the table `sources` by name."""

    pools: list[Pool] = []
    allocations: list[Allocation] = []
    sources: dict[str, Source] = {}
    shares_pod_range: bool = False


def read_adapters(adapters: Sequence[IpamAdapter], view: IpamView, facts: DetectFacts, at_us: int) -> Reading:
    """Ask every adapter that is at work; then, for what none of them names, how the cluster was set up."""
    reading = Reading()
    for adapter in adapters:
        try:
            _ask(adapter, view, facts, at_us, reading)
        except Exception:  # noqa: BLE001 - a fault in one adapter must not silence the others
            _log.exception("IPAM adapter %s failed", adapter.name)
            reading.sources[f"ipam/{adapter.name}"] = _FAULT
    pods = [item for item in reading.allocations if item.kind == "pod" and not item.for_some_pods]
    if not reading.shares_pod_range:
        claimed, blocks = cluster_wide(pods), _blocks_beyond(pods)
        named = [
            item
            for item in cluster_claims(view, "pod", told_elsewhere)
            if _family(item) not in claimed or any(is_within(block, ip_network(item.cidr)) for block in blocks)
        ]
        reading.allocations += named
        pods += named
    if not pods:
        reading.pools += LAST_RESORT.pools(view, told_elsewhere)
        pods = LAST_RESORT.allocations(view, told_elsewhere)
        reading.allocations += pods
    strays = _strays(view, reading.allocations)
    reading.allocations += seen_in(LAST_RESORT.name, "observed", strays)
    reading.sources[POD_RANGE] = (
        _strays_source(strays) if strays else _pod_range(pods, view, at_us, shared=reading.shares_pod_range)
    )
    return reading


def _strays(view: IpamView, allocations: Iterable[Allocation]) -> set[Address]:
    """What pods have outside of everything that is told of pods: it was handed out of something that nobody tells."""
    return addresses_outside(view, [ip_network(item.cidr) for item in allocations if item.kind == "pod"])


def _strays_source(strays: Collection[Address]) -> Source:
    first = min(strays, key=lambda address: (address.version, int(address)))
    return _unknown(
        f"pods have addresses outside of every range that is told ({len(strays)}, such as {first}): which other range "
        "they may use is not known",
        "Where their pool was deleted or made smaller, restart these pods. Otherwise 'periplus-spoke check' names the "
        "rights that would tell which allocator gave them these addresses.",
    )


def cluster_wide(pods: Iterable[Allocation]) -> frozenset[int]:
    """Families of which a range is known that pods of the whole cluster may use."""
    return frozenset(_family(item) for item in pods if _is_wide(item))


def _blocks_beyond(pods: Sequence[Allocation]) -> list[Network]:
    """Blocks of nodes that lie in no range of the whole cluster: two plugins are at work, or a range is missing."""
    wide = CidrIndex((each, each) for each in (ip_network(item.cidr) for item in pods if _is_wide(item)))
    blocks = [ip_network(item.cidr) for item in pods if item.node and item.quality != "seen"]
    return [block for block in blocks if not any(is_within(block, each) for each in wide.overlapping(block))]


def _is_wide(item: Allocation) -> bool:
    return not item.node and item.quality != "seen" and not item.for_some_pods


def faults_source(faults: Iterable[str], at_us: int) -> Source:
    """How a source that was read went, with what in it cannot be."""
    distinct = sorted(set(faults))
    if not distinct:
        return Source(state="ok", as_of_us=at_us)
    more = f" and {len(distinct) - _FAULTS_SHOWN} more" if len(distinct) > _FAULTS_SHOWN else ""
    return Source(
        state="failed",
        reason="impossible_cidr",
        message="; ".join(distinct[:_FAULTS_SHOWN]) + more,
        remedy="Correct these objects; they are left out of pools and allocations.",
        objects=len(distinct),
    )


def service_range(services: Iterable[Allocation], at_us: int) -> Source:
    """Whether the range that services may use is known."""
    found = [item for item in services if item.kind == "service"]
    if found and all(item.quality != "seen" for item in found):
        return Source(state="ok", as_of_us=at_us)
    return _unknown(
        "which range its services may use is not known: there is no ServiceCIDR, and no setting of the control plane "
        "that names one can be read",
    )


def _ask(adapter: IpamAdapter, view: IpamView, facts: DetectFacts, at_us: int, reading: Reading) -> None:
    silence = adapter.silent_because(view)
    if silence:
        reading.sources[f"ipam/{adapter.name}"] = Source(
            state="absent",
            reason="not_used_for_pods",
            message=silence,
            remedy="Nothing: the ranges pods really use are told instead.",
        )
        return
    if not adapter.detect(facts):
        return
    faults: list[str] = []
    pools, allocations = adapter.pools(view, faults.append), adapter.allocations(view, faults.append)
    reading.sources[f"ipam/{adapter.name}"] = faults_source(faults, at_us)
    reading.shares_pod_range |= adapter.shares_pod_range(view)
    reading.pools += pools
    reading.allocations += allocations


def _pod_range(pods: Sequence[Allocation], view: IpamView, at_us: int, *, shared: bool) -> Source:
    known = cluster_wide(pods) - {block.version for block in _blocks_beyond(pods)}
    lacking = frozenset(_family(item) for item in pods) - known
    if shared or (known and not lacking):
        return Source(state="ok", as_of_us=at_us)
    families = " and ".join(f"IPv{family}" for family in sorted(lacking))
    which = f"which {families} range" if families and known else "which range"
    blocks = " beyond those that its nodes hold now" if any(item.node for item in pods) else ""
    plugin = ", ".join(view.cnis)
    message = f"{which} its pods may use{blocks} is not known (network plugin: {plugin})"
    remedies = [_ONLY_THE_CLOUD[name] for name in view.cnis if name in _ONLY_THE_CLOUD]
    return _unknown(message, *remedies[:1])


def _unknown(message: str, remedy: str = _CHECK) -> Source:
    return Source(state="failed", reason="range_not_known", message=message, remedy=remedy)


def _family(item: Allocation) -> int:
    return ip_network(item.cidr).version
