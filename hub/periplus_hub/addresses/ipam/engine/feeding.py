"""Which kinds of addresses each source feeds: what may still be said of a cluster that is not known whole. Pure.

| source | without it nobody knows all |
|--|--|
| nodes | nodes, pods |
| pods | pods |
| services | load balancers, external addresses |
| ServiceCIDRs | services |
| API groups | pods, load balancers |
| what shows and configures the network plugin | pods |
| objects of allocators | pods, load balancers; of those that only hand out load balancers, these |
| anything else | everything |

Where no ServiceCIDR names the range of services, what a cluster was set up with does, or the services themselves.
Flags, nodes, configurations and OpenShift's objects tell it, so that each of these feeds services too.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from periplus_contract import covers
from periplus_hub.addresses.ipam.engine.knowledge import (
    FEEDING,
    NODES,
    PODS,
    SERVICE_RANGES,
    SERVICES,
    Evidence,
    Missing,
    missing_sources,
    unstated,
)
from periplus_hub.addresses.ipam.model import AllocationKind

_K = AllocationKind
TOLD: Final = (_K.POD, _K.NODE, _K.SERVICE, _K.LOADBALANCER, _K.EXTERNAL)
"""What a cluster tells all of, or not."""
_ALL: Final = frozenset(TOLD)
_PODS: Final = frozenset({_K.POD})
_BALANCERS: Final = frozenset({_K.LOADBALANCER})
_FEEDS: Final[Mapping[str, frozenset[AllocationKind]]] = MappingProxyType(
    dict.fromkeys(FEEDING, _PODS)
    | {
        NODES: frozenset({_K.NODE, _K.POD}),
        SERVICES: frozenset({_K.LOADBALANCER, _K.EXTERNAL}),
        SERVICE_RANGES: frozenset({_K.SERVICE}),
        "apis": _PODS | _BALANCERS,
        "kube-system/control-plane": _PODS,
        "ipam/pod-range": _PODS,
        "ipam/service-range": frozenset({_K.SERVICE}),
        "ipam/kubernetes": _ALL - _PODS,
        "ipam/metallb": _BALANCERS,
        "metallb.io/ipaddresspools": _BALANCERS,
        "cilium.io/ciliumloadbalancerippools": _BALANCERS,
        "clock": _ALL,
        "allocations": _ALL,
    }
)
_ALLOCATOR: Final = _PODS | _BALANCERS
_SETTINGS: Final = frozenset({NODES, PODS, SERVICES, "apis", "kube-system/control-plane"})
"""Beside ConfigMaps and OpenShift's objects: what may name the range of services."""
_OPENSHIFT: Final = "config.openshift.io"
_NO_SETTINGS: Final = frozenset({SERVICE_RANGES, "apps/daemonsets"})
_DIVIDER: Final = "/"
_IPAM: Final = "ipam/"
_STATEMENT: Final = "allocations/"


def unknown_kinds(seen: Evidence) -> dict[AllocationKind, tuple[Missing, ...]]:
    """Kinds of which not all is known, each with what is missing for it. Of a silent spoke: as it was last heard."""
    missing = tuple(missing_sources(seen))
    ranges_told = _ranges_told(seen)
    found = {kind: tuple(_for(kind, missing, ranges_told=ranges_told)) for kind in TOLD}
    for kind in TOLD:
        cover = covers.allocations(kind.value)  # type: ignore[arg-type]  # those of TOLD are the contract's
        if not found[kind] and cover not in seen.stated:
            found[kind] = (unstated(cover),)
    return {kind: lacks for kind, lacks in found.items() if lacks}


def _for(kind: AllocationKind, missing: tuple[Missing, ...], *, ranges_told: bool) -> Iterator[Missing]:
    for each in missing:
        if kind in _fed(each.source) or (
            kind is _K.SERVICE and _names_service_range(each.source, ranges_told=ranges_told)
        ):
            yield each


def _fed(source: str) -> frozenset[AllocationKind]:
    known = _FEEDS.get(source)
    if known is not None:
        return known
    if source.startswith(_STATEMENT):
        return frozenset(kind for kind in TOLD if source == f"{_STATEMENT}{kind.value}")
    return _ALLOCATOR if _DIVIDER in source else _ALL


def _names_service_range(source: str, *, ranges_told: bool) -> bool:
    """Whether the range of services may be known from it alone."""
    if ranges_told or source in _NO_SETTINGS or source.startswith((_IPAM, _STATEMENT)):
        return False
    group, divider, _ = source.rpartition(_DIVIDER)
    is_config_map = bool(divider) and "." not in group
    return source in _SETTINGS or is_config_map or group == _OPENSHIFT


def _ranges_told(seen: Evidence) -> bool:
    """Whether ServiceCIDRs name the ranges of services: nothing else does then."""
    return any(
        each.name == SERVICE_RANGES and each.state == "ok" and not each.reason and bool(each.objects)
        for each in seen.sources
    )


_WATCHED: Final = frozenset({"", "apps", "batch", "networking.k8s.io"})
"""API groups whose objects are watched, not only listed."""
_CORE: Final = frozenset({NODES, PODS, SERVICES})


def right_to(source: str) -> str:
    """The right that reading a source takes, as in "list and watch nodes"; empty where it is no object's."""
    group, divider, name = source.rpartition(_DIVIDER)
    if source == "kube-system/control-plane":
        return "list pods in kube-system"
    if not divider:
        return f"list and watch {name}" if source in _CORE else ""
    if f"{group}/" in {_IPAM, _STATEMENT}:
        return ""
    if group in _WATCHED:
        return f"list and watch {name}.{group}"
    return f"list {name}.{group}" if "." in group else f"get the ConfigMap {name} in {group}"
