"""Azure CNI: pods get addresses of the VNet, or of an overlay that only the nodes know.

A NodeNetworkConfig says what a node holds. In an overlay that is a block of the cluster's own range, and pods leave
behind the node's address. Otherwise it is addresses of a subnet that others use as well.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import field

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.leaks import combined, evidence
from periplus_spoke.collectors.ipam.node_blocks import NOTHING_EXCLUDED, Block, Blocks, range_pool
from periplus_spoke.collectors.ipam.pod_addresses import pod_addresses, seen_in
from periplus_spoke.conversion.cidr import Address, Fault, Network, checked, is_within, parse_cidr, told_elsewhere
from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import Allocation, IpamView, NodeFacts, Pool, Reach, WantedKind
from periplus_spoke.conversion.node_notes import AKS_NETWORK, AKS_SUBNET
from periplus_spoke.conversion.objects import Kept
from periplus_spoke.conversion.spans import parse_masked

AZURE_CNI: Final = "azure-cni"
_SOURCE: Final = "NodeNetworkConfig"
_OVERLAY: Final = "overlay"
_SUBNET_FULL: Final = "NCUpdateSubnetFullError"
_RESERVED_BY_AZURE: Final = 5
"""The first four addresses of a subnet and its last."""

Mode = Literal["overlay", "vnet", "unknown"]
_REACH: Final[dict[Mode, Reach]] = {"overlay": "masqueraded", "vnet": "routed", "unknown": ""}


class Container(Kept):
    """A network container: addresses of one family that a node holds."""

    type: str = "vnet"
    primary_ip: str = field(name="primaryIP", default="")
    """In an overlay the node's block, as a CIDR."""
    subnet_name: str = ""
    subnet_address_space: str = ""
    status: str = ""


class NodeStatus(Kept):
    """What a node was given."""

    network_containers: list[Container] | None = None


class NodeNetworkConfig(Named):
    """acn.azure.com NodeNetworkConfig; its name is the node's."""

    status: NodeStatus = field(default_factory=NodeStatus)

    @property
    def containers(self) -> list[Container]:
        """Of every family; none on a node that was given nothing yet."""
        return self.status.network_containers or []


CONFIG_KIND: Final = WantedKind(
    group="acn.azure.com", plural="nodenetworkconfigs", versions=("v1alpha",), type=NodeNetworkConfig
)


class AzureCni:
    """The adapter."""

    name: Final = AZURE_CNI
    kinds: tuple[WantedKind[Any], ...] = (CONFIG_KIND,)
    configs: tuple[str, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        """Where its objects are served or its DaemonSet is."""
        return AZURE_CNI in facts.cnis

    def silent_because(self, view: IpamView) -> str:
        """Its objects are served on every AKS cluster, also where another plugin was brought."""
        if AZURE_CNI not in view.cnis or not _has_others(view) or any(_containers(view)):
            return ""
        if any(_mode_by_label(node) for node in view.nodes()):
            return ""
        others = ", ".join(each for each in view.cnis if each != AZURE_CNI)
        return f"{CONFIG_KIND.group} is served, but no node has addresses of Azure CNI (network plugin: {others})"

    def shares_pod_range(self, view: IpamView) -> bool:
        """Where every node's pods get addresses of the VNet."""
        modes = _modes(view)
        return bool(modes) and set(modes.values()) == {"vnet"}

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """Of an overlay a pool per block and for the range; of the VNet one per node and one per subnet."""
        lost = _lost_nodes(view)
        nodes = [_with_leaks(pool, lost) for pool in _blocks(view, fault).pools(view)]
        overlay = [_overlay_pool(claim, nodes) for claim in _ranges(view, fault)]
        return [*nodes, *overlay, *_subnet_pools(view, fault)]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """The range of an overlay and its blocks; addresses of all pods that lie in none."""
        blocks = _blocks(view, fault)
        return [*_ranges(view, fault), *blocks.allocations(), *_seen(view, blocks, fault)]


def _lost_nodes(view: IpamView) -> dict[str, str] | None:
    """Nodes that are gone and still hold addresses, with why; None where that cannot be told."""
    presence = view.presence(CONFIG_KIND)
    if presence is None:
        return None
    names = (config.metadata.name for config in view.objects(CONFIG_KIND))
    return {name: why for name in names if (why := presence.lost_node(name))}


def _with_leaks(pool: Pool, lost: Mapping[str, str] | None) -> Pool:
    """A node's block; all that no pod has of it is leaked where the node is gone."""
    if lost is None or pool.free is None:
        return pool
    leaked, why = (pool.free, lost[pool.name]) if pool.name in lost else (0, "")
    told = evidence((cidr, why) for cidr in pool.cidrs if leaked)
    return msgspec.structs.replace(pool, leaked=leaked, free=pool.free - leaked, evidence=told)


def _overlay_pool(claim: Allocation, nodes: Sequence[Pool]) -> Pool:
    whole, network = range_pool(AZURE_CNI, claim, nodes), ipaddress.ip_network(claim.cidr)
    parts = [pool for pool in nodes if is_within(ipaddress.ip_network(pool.cidrs[0]), network)]
    leaked = None if any(pool.leaked is None for pool in parts) else sum(pool.leaked or 0 for pool in parts)
    return msgspec.structs.replace(whole, leaked=leaked, evidence=combined(pool.evidence for pool in parts))


def _has_others(view: IpamView) -> bool:
    return set(view.cnis) != {AZURE_CNI}


def _containers(view: IpamView) -> Iterator[tuple[NodeNetworkConfig, Container]]:
    for config in view.objects(CONFIG_KIND):
        for container in config.containers:
            yield config, container


def _modes(view: IpamView) -> dict[str, Mode]:
    types: dict[str, set[str]] = {}
    for config, container in _containers(view):
        types.setdefault(config.metadata.name, set()).add(container.type)
    is_alone = view.has_objects(CONFIG_KIND) and not _has_others(view)
    return {
        node.name: _mode_by_types(types.get(node.name))
        or _mode_by_label(node)
        or _mode_by_absence(node, is_alone=is_alone)
        for node in view.nodes()
    }


def _mode_by_absence(node: NodeFacts, *, is_alone: bool) -> Mode:
    """The oldest mode, addresses of the node's own subnet, leaves no sign; a node with podCIDRs is not in it."""
    return "vnet" if is_alone and not node.pod_cidrs else "unknown"


def _mode_by_types(types: set[str] | None) -> Mode | None:
    if not types:
        return None
    return "overlay" if _OVERLAY in types else "vnet"


def _mode_by_label(node: NodeFacts) -> Mode | None:
    if node.notes.get(AKS_NETWORK) == _OVERLAY:
        return "overlay"
    return "vnet" if node.notes.get(AKS_SUBNET) else None


def _blocks(view: IpamView, fault: Fault) -> Blocks:
    blocks = (
        Block(config.metadata.name, network)
        for config, container in _containers(view)
        if container.type == _OVERLAY
        and (network := checked(parse_masked, container.primary_ip, f"{_SOURCE} {config.title}", fault))
    )
    return Blocks(AZURE_CNI, _SOURCE, blocks, excluded=NOTHING_EXCLUDED, reach="masqueraded")


def _ranges(view: IpamView, fault: Fault) -> list[Allocation]:
    found: dict[str, Allocation] = {}
    for config, container in _containers(view):
        network = container.type == _OVERLAY and _space(config, container, fault)
        if network:
            found[str(network)] = Allocation(
                kind="pod",
                cidr=str(network),
                provider=AZURE_CNI,
                source=_SOURCE,
                name=_OVERLAY,
                reach="masqueraded",
            )
    return list(found.values())


def _space(config: NodeNetworkConfig, container: Container, fault: Fault) -> Network | None:
    return checked(parse_cidr, container.subnet_address_space, f"{_SOURCE} {config.title}", fault)


def _seen(view: IpamView, blocks: Blocks, fault: Fault) -> Iterator[Allocation]:
    modes = _modes(view)
    of_mode: dict[Mode, set[Address]] = {}
    for node, address in pod_addresses(view, fault):
        mode = modes.get(node, "unknown")
        is_anothers = mode == "unknown" and _has_others(view)
        if not is_anothers and not blocks.holding(node, address):
            of_mode.setdefault(mode, set()).add(address)
    for mode, addresses in sorted(of_mode.items()):
        yield from seen_in(AZURE_CNI, mode, addresses, _REACH[mode])


def _subnet_pools(view: IpamView, fault: Fault) -> Iterator[Pool]:
    """Subnets of the VNet that nodes hold addresses of. What others use of them is not known here."""
    subnets: dict[tuple[str, Network], bool] = {}
    for config, container in _containers(view):
        network = container.type != _OVERLAY and _space(config, container, fault)
        if network:
            key = (container.subnet_name, network)
            subnets[key] = subnets.get(key, False) or container.status == _SUBNET_FULL
    addresses = {address for _, address in pod_addresses(view, told_elsewhere)} if subnets else set()
    for (name, network), is_full in subnets.items():
        yield Pool(
            provider=AZURE_CNI,
            name=name or str(network),
            family=network.version,
            scope="cluster",
            source=_SOURCE,
            quality="derived",
            cidrs=(str(network),),
            capacity=max(network.num_addresses - _RESERVED_BY_AZURE, 0),
            used=sum(address in network for address in addresses) if view.has_pods else None,
            reserved=min(_RESERVED_BY_AZURE, network.num_addresses),
            free=0 if is_full else None,
        )
