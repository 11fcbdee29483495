"""OVN-Kubernetes: each node holds a block, in an annotation; users may define further networks.

Networks of users are apart from each other and may have the same addresses, so what a node holds of them is not told.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.node_blocks import Block, Blocks, range_pools
from periplus_spoke.conversion.cidr import Fault, Network, checked, parse_cidr
from periplus_spoke.conversion.cluster_settings import cluster_claims
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, Reach, WantedKind
from periplus_spoke.conversion.node_notes import OVN_SUBNETS
from periplus_spoke.conversion.ovn_objects import (
    CLUSTER_USER_NETWORKS,
    ROUTE_ADVERTISEMENTS,
    USER_NETWORKS,
    NetworkSpec,
)
from periplus_spoke.conversion.pod_reach import ovn_reach
from periplus_spoke.conversion.spans import without

OVN_KUBERNETES: Final = "ovn-kubernetes"
_SOURCE: Final = "node-subnets"
_DEFAULT: Final = "default"
_EXCLUDED: Final = {4: 4, 6: 3}
"""Network, gateway, the node's own port and, for IPv4, broadcast address."""


class _UserNetwork(NamedTuple):
    title: str
    source: str
    network: Network
    reach: Reach
    is_namespaced: bool


class OvnKubernetes:
    """The adapter."""

    name: Final = OVN_KUBERNETES
    kinds: tuple[WantedKind[Any], ...] = (ROUTE_ADVERTISEMENTS, USER_NETWORKS, CLUSTER_USER_NETWORKS)
    configs: tuple[str, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        """Where nodes carry its annotation or its objects are served."""
        return OVN_KUBERNETES in facts.cnis

    def silent_because(self, view: IpamView) -> str:
        """Never."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: a node's block is that node's."""
        del view
        return False

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per node and family, one per range of the cluster, one per range of a user's network."""
        nodes = _blocks(view, fault).pools(view)
        ranges = range_pools(self.name, cluster_claims(view, "pod", fault), nodes) if nodes else ()
        return [*nodes, *ranges, *(_user_pool(each) for each in _user_networks(view, fault))]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """Blocks of the nodes and ranges of users' networks. The cluster's range is in its settings."""
        users = [
            Allocation(
                kind="pod",
                cidr=str(each.network),
                provider=self.name,
                source=each.source,
                name=each.title,
                reach=each.reach,
                for_some_pods=True,
            )
            for each in _user_networks(view, fault)
        ]
        return [*_blocks(view, fault).allocations(), *users]


def _blocks(view: IpamView, fault: Fault) -> Blocks:
    blocks = [
        Block(node.name, network)
        for node in view.nodes()
        for text in _subnets(node.notes.get(OVN_SUBNETS, ""), node.name, fault)
        if (network := checked(parse_cidr, text, f"{_SOURCE} of node {node.name}", fault))
    ]
    return Blocks(OVN_KUBERNETES, _SOURCE, blocks, excluded=_EXCLUDED, reach=ovn_reach(view))


def _subnets(text: str, node: str, fault: Fault) -> list[str]:
    if not text:
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    subnets = found.get(_DEFAULT, []) if isinstance(found, dict) else None
    listed = [subnets] if isinstance(subnets, str) else subnets
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        fault(f"{_SOURCE} of node {node}: not a list of CIDRs by network")
        return []
    return listed


def _user_networks(view: IpamView, fault: Fault) -> Iterator[_UserNetwork]:
    hidden = ovn_reach(view)
    for single in view.objects(USER_NETWORKS):
        where = f"UserDefinedNetwork {single.title}"
        for network, reach in _networks(single.spec, hidden, where, fault):
            yield _UserNetwork(single.title, "UserDefinedNetwork", network, reach, is_namespaced=True)
    for wide in view.objects(CLUSTER_USER_NETWORKS):
        where = f"ClusterUserDefinedNetwork {wide.title}"
        for network, reach in _networks(wide.spec.network, hidden, where, fault):
            yield _UserNetwork(wide.title, "ClusterUserDefinedNetwork", network, reach, is_namespaced=False)


def _networks(spec: NetworkSpec, hidden: Reach, where: str, fault: Fault) -> Iterator[tuple[Network, Reach]]:
    def parsed(texts: list[str] | None) -> list[Network]:
        return [network for text in texts or () if (network := checked(parse_cidr, text, where, fault))]

    yield from ((each, hidden) for each in parsed([subnet.cidr for subnet in spec.layer3.subnets or ()]))
    layer2 = without(parsed(spec.layer2.subnets), parsed(spec.layer2.reserved_subnets))
    yield from ((each, hidden) for each in layer2)
    outside = without(parsed(spec.localnet.subnets), parsed(spec.localnet.exclude_subnets))
    yield from ((each, "routed") for each in outside)


def _user_pool(found: _UserNetwork) -> Pool:
    return Pool(
        provider=OVN_KUBERNETES,
        name=found.title,
        family=found.network.version,
        scope="namespace" if found.is_namespaced else "cluster",
        source=found.source,
        quality="nominal",
        cidrs=(str(found.network),),
        capacity=found.network.num_addresses,
    )
