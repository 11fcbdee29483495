"""What may be called complete: nothing that was not read whole, not even when the spoke has just started again.

The hub keeps what it knew of the rest. A source that is forbidden for good holds back only what is made of it: the
tables and the kinds of allocations below are each on their own.
"""

from typing import Final

import msgspec

from periplus_contract import covers
from periplus_contract.tables import CLUSTER, FLOW_SOURCES, IP_ADDRESSES, NODES, PODS, SERVICE_CIDRS, SERVICES, SOURCES
from periplus_spoke.collectors.control_plane import SOURCE as CONTROL_PLANE
from periplus_spoke.collectors.ipam.registry import CONFIG_MAPS
from periplus_spoke.collectors.kube_proxy import SOURCE as KUBE_PROXY

_DAEMONSETS: Final = covers.workloads("DaemonSet")
_POD_SCOPES: Final = tuple(scope for scope in covers.POOL_SCOPES if scope != "service")
PLUGIN_FACTS: Final = ("apis", *CONFIG_MAPS, CONTROL_PLANE, KUBE_PROXY)
"""What says which plugin there is and how it is configured, beside the DaemonSets."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """How far things were read; `refused` is what the API server forbids and never gave."""

    listed: frozenset[str]
    """Covers of the inventory that were listed whole, or that this API server does not serve."""
    answered: frozenset[str]
    """Facts that were read, or that are known not to be there."""
    refused: frozenset[str]
    """Source names."""
    has_custom: bool = True
    """Whether every custom kind that an adapter wants was read."""
    lacks_balancer_ranges: bool = False
    """Whether a kind that says which addresses load balancers are given is served, and was never read."""

    def done(self, cover: str, source: str = "") -> bool:
        """Listed whole, or refused: it says no more."""
        return cover in self.listed or (source or cover) in self.refused

    @property
    def knows_plugin(self) -> bool:
        """Whether every sign of the network plugin that may be seen has been seen."""
        facts = all(name in self.answered or name in self.refused for name in PLUGIN_FACTS)
        return facts and self.has_custom and self.done(_DAEMONSETS, "apps/daemonsets")


def inventory_covers(listed: frozenset[str]) -> tuple[str, ...]:
    """Of a snapshot. What the spoke says of itself is always complete."""
    return tuple(sorted(listed | {CLUSTER.name, FLOW_SOURCES.name, SOURCES.name}))


def allocation_covers(seen: Evidence, *, has_ranges: bool, uses_pod_cidr: bool | None) -> tuple[str, ...]:
    """Kinds of which every source was listed; only the seen ones of a kind whose better source is refused.

    `has_ranges`: service ranges are known, which need no services beside them. `uses_pod_cidr`: what the plugin is
    known to do; while that is unknown the pods decide.
    """
    found: list[str] = []
    nodes, pods = NODES.name in seen.listed, PODS.name in seen.listed
    services, ranges = SERVICES.name in seen.listed, SERVICE_CIDRS.name in seen.listed
    if nodes:
        found.append(covers.allocations("node"))
    if services:
        found.append(covers.allocations("external"))
    if services and seen.has_custom:
        found.append(covers.allocations("loadbalancer", seen=seen.lacks_balancer_ranges))
    if (has_ranges and (ranges or "networking.k8s.io/servicecidrs" in seen.refused)) or (ranges and services):
        found.append(covers.allocations("service"))
    elif services and "networking.k8s.io/servicecidrs" in seen.refused:
        found.append(covers.allocations("service", seen=True))
    # Nodes' ranges alone may be told as complete where the plugin is known to use them; else only pods show what is
    # used.
    if nodes and seen.knows_plugin and (pods or uses_pod_cidr):
        found += [covers.allocations("pod"), covers.allocations("reserved")]
    elif pods and NODES.name in seen.refused:
        found.append(covers.allocations("pod", seen=True))
    return tuple(found)


def pool_covers(seen: Evidence) -> tuple[str, ...]:
    """Scopes of which a sample can be taken. A sample without a refused source is still the best there is."""
    found: list[str] = []
    # Every service address in use is in one of the two; where both are refused there is nothing to count.
    counted = SERVICES.name in seen.listed or IP_ADDRESSES.name in seen.listed
    tables = {SERVICES.name: SERVICES.name, SERVICE_CIDRS.name: "networking.k8s.io/servicecidrs"}
    tables[IP_ADDRESSES.name] = "networking.k8s.io/ipaddresses"
    if counted and all(seen.done(table, source) for table, source in tables.items()):
        found.append(covers.pools("service"))
    if seen.knows_plugin and all(seen.done(name) for name in (NODES.name, PODS.name)):
        found += [covers.pools(scope) for scope in _POD_SCOPES]
    return tuple(found)
