"""Cluster-wide ranges from what a cluster was set up with, whatever its network plugin.

In order of trust: flags of a control plane that runs as pods, the arguments that k3s and RKE2 write on their servers,
OpenShift's network, the network plugin's own configuration, kubeadm's, kube-proxy's. Flags and what a plugin is
configured with are what the allocator itself works with; the others are what somebody wrote down when the cluster was
made. What kube-proxy is started with hands out nothing and is wrong in many clusters, so it counts only where every
node and every pod agrees with it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from periplus_contract.covers import AllocationKind
from periplus_spoke.conversion import pod_reach
from periplus_spoke.conversion.cidr import (
    Fault,
    ImpossibleCidr,
    checked,
    is_within,
    parse_address,
    parse_cidr,
    told_elsewhere,
)
from periplus_spoke.conversion.flags import flag
from periplus_spoke.conversion.ipam import Allocation, ConfigMaps, IpamView, Quality, Reach, WantedKind
from periplus_spoke.conversion.node_notes import K3S_ARGUMENTS, RKE2_ARGUMENTS
from periplus_spoke.conversion.ovn_objects import OPENSHIFT_NETWORKS, Networks
from periplus_spoke.conversion.yaml_text import yaml_mapping

PROVIDER: Final = "cluster-settings"
KUBEADM: Final = "kube-system/kubeadm-config"
KUBE_PROXY: Final = "kube-system/kube-proxy"
OVN_CONFIG: Final = "ovn-kubernetes/ovn-config"
CONFIG_MAPS: Final = (KUBEADM, KUBE_PROXY, OVN_CONFIG, *pod_reach.CONFIG_MAPS)
"""That are read here, or for the reach of these ranges."""
KINDS: Final[tuple[WantedKind[Any], ...]] = (OPENSHIFT_NETWORKS,)
"""Custom kinds that are read here."""
KUBE_PROXY_PODS: Final = "kube-proxy"
CONTROLLERS: Final = "kube-controller-manager"
API_SERVER: Final = "kube-apiserver"
_THE_CLUSTER: Final = "cluster"
_SERVER: Final = "server"
_KUBEADM_KEYS: Final[Mapping[AllocationKind, str]] = {"pod": "podSubnet", "service": "serviceSubnet"}
_SERVER_FLAGS: Final[Mapping[AllocationKind, str]] = {"pod": "cluster-cidr", "service": "service-cidr"}
_DEFAULTS: Final[Mapping[AllocationKind, str]] = {"pod": "10.42.0.0/16", "service": "10.43.0.0/16"}
"""Of k3s and RKE2, for clusters whose servers are given no range (their documentation of `server`)."""


class Setting(NamedTuple):
    """A list of CIDRs as it stands somewhere, and how far it can be believed."""

    kind: AllocationKind
    text: str
    source: str
    name: str
    quality: Quality


def cluster_claims(view: IpamView, kind: AllocationKind, fault: Fault) -> list[Allocation]:
    """The cluster-wide ranges of a kind, `pod` or `service`, each once, from the most trusted source that names one."""
    by_source: dict[str, list[Allocation]] = {}
    reach = pod_reach.pod_reach(view) if kind == "pod" else ""
    for setting in _settings(view, fault):
        if setting.kind == kind:
            by_source.setdefault(setting.source, []).extend(_claims(setting, reach, fault))
    # Sources were asked in order of trust and a dict keeps it. One that names ranges of which none can be one does not
    # hide the next.
    return next((list(dict.fromkeys(claims)) for claims in by_source.values() if claims), [])


def _claims(setting: Setting, reach: Reach, fault: Fault) -> Iterator[Allocation]:
    for part in setting.text.split(","):
        where = f"{setting.name} of {setting.source}"
        if part.strip() and (network := checked(parse_cidr, part.strip(), where, fault)):
            yield Allocation(
                kind=setting.kind,
                cidr=str(network),
                provider=PROVIDER,
                source=setting.source,
                name=setting.name,
                quality=setting.quality,
                reach=reach,
            )


def _settings(view: IpamView, fault: Fault) -> Iterator[Setting]:
    yield from _flags(view)
    yield from _servers(view, fault)
    yield from _openshift(view)
    yield from _plugins(view)
    networking = kubeadm_networking(view.configs)
    for kind, key in _KUBEADM_KEYS.items():
        yield Setting(kind, networking.get(key, ""), "kubeadm-config", key, "nominal")
    yield Setting("pod", _kube_proxy_range(view.configs), "kube-proxy", "clusterCIDR", "nominal")
    given = flag(view.flags.get(KUBE_PROXY_PODS, ()), "cluster-cidr")
    agreed = ",".join(part for part in given.split(",") if _is_borne_out(part.strip(), view))
    yield Setting("pod", agreed, "kube-proxy pods", "--cluster-cidr", "derived")


def _is_borne_out(text: str, view: IpamView) -> bool:
    """Whether every node has a podCIDR in this range, and every pod its address.

    AKS starts kube-proxy with a range that no pod is in where pods get addresses of the VNet, and others give it the
    range of services. Such nodes have no podCIDR, or pods elsewhere. What is no range is told as any other is.
    """
    try:
        network = parse_cidr(text)
    except ImpossibleCidr:
        return bool(text)
    blocks = [
        [each for text in node.pod_cidrs if (each := checked(parse_cidr, text, "", told_elsewhere))]
        for node in view.nodes()
    ]
    same = [[each for each in of_node if each.version == network.version] for of_node in blocks]
    texts = (text for pod in view.pods() for text in pod.addresses)
    pods = (address for text in texts if (address := checked(parse_address, text, "", told_elsewhere)))
    return (
        view.has_pods
        and bool(same)
        and all(of_node and all(is_within(each, network) for each in of_node) for of_node in same)
        and all(each in network for each in pods if each.version == network.version)
    )


def _flags(view: IpamView) -> Iterator[Setting]:
    controllers, api_server = view.flags.get(CONTROLLERS, ()), view.flags.get(API_SERVER, ())
    yield Setting("pod", flag(controllers, "cluster-cidr"), CONTROLLERS, "--cluster-cidr", "exact")
    for component, arguments in ((API_SERVER, api_server), (CONTROLLERS, controllers)):
        name = "service-cluster-ip-range"
        yield Setting("service", flag(arguments, name), component, f"--{name}", "exact")


def _servers(view: IpamView, fault: Fault) -> Iterator[Setting]:
    """What k3s and RKE2 servers were started with; of servers that differ, every range counts."""
    for node in sorted(view.nodes()):
        for key, product in ((K3S_ARGUMENTS, "k3s"), (RKE2_ARGUMENTS, "rke2")):
            arguments = _node_arguments(node.notes.get(key, ""), node.name, fault)
            # Agents have the same annotation, and their arguments name no ranges.
            if not arguments or arguments[0] != _SERVER:
                continue
            for kind, name in _SERVER_FLAGS.items():
                given, source = flag(arguments, name), f"{product} server"
                if given:
                    yield Setting(kind, given, source, f"--{name}", "exact")
                else:
                    yield Setting(kind, _DEFAULTS[kind], source, f"{name} by default", "derived")


def _openshift(view: IpamView) -> Iterator[Setting]:
    """What OpenShift's network operator has set up; what it only was told to, where that is all there is."""
    source = "network.config.openshift.io"
    for network in view.objects(OPENSHIFT_NETWORKS):
        told: tuple[tuple[Networks, Quality], ...] = ((network.status, "exact"), (network.spec, "nominal"))
        for ranges, quality in told if network.metadata.name == _THE_CLUSTER else ():
            pods = ",".join(each.cidr for each in ranges.cluster_network or ())
            yield Setting("pod", pods, source, "clusterNetwork", quality)
            yield Setting("service", ",".join(ranges.service_network or ()), source, "serviceNetwork", quality)
            if pods:
                break


def _plugins(view: IpamView) -> Iterator[Setting]:
    """What a network plugin that is at work here says of the whole cluster."""
    if "flannel" in view.cnis:
        network = pod_reach.flannel_network(view.configs)
        for key in ("Network", "IPv6Network"):
            yield Setting("pod", str(network.get(key) or ""), "kube-flannel-cfg", key, "exact")
    if "ovn-kubernetes" in view.cnis:
        # As the plugin's own chart writes it (templates/ovn-setup.yaml). Each range may be followed by the length of
        # the blocks that nodes get: 10.128.0.0/14/23.
        ranges = (part.split("/") for part in view.configs.get(OVN_CONFIG, {}).get("net_cidr", "").split(","))
        yield Setting("pod", ",".join("/".join(each[:2]) for each in ranges), "ovn-config", "net_cidr", "exact")
        services = view.configs.get(OVN_CONFIG, {}).get("svc_cidr", "")
        yield Setting("service", services, "ovn-config", "svc_cidr", "exact")


def _node_arguments(text: str, node: str, fault: Fault) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        fault(f"node-args of node {node}: not a list of texts")
        return ()
    return tuple(found)


def kubeadm_networking(configs: ConfigMaps) -> dict[str, str]:
    """`networking` of kubeadm's ClusterConfiguration; empty where it cannot be read."""
    networking = yaml_mapping(configs.get(KUBEADM, {}).get("ClusterConfiguration", "")).get("networking")
    return {str(key): str(value or "") for key, value in networking.items()} if isinstance(networking, dict) else {}


def _kube_proxy_range(configs: ConfigMaps) -> str:
    return str(yaml_mapping(configs.get(KUBE_PROXY, {}).get("config.conf", "")).get("clusterCIDR") or "")
