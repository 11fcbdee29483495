"""Cluster-wide ranges from what a cluster was set up with, whatever its network plugin.

In order of trust: flags of a control plane that runs as pods, the arguments that k3s and RKE2 write on their servers,
kubeadm's configuration, kube-proxy's. A flag is what the allocator itself works with; the others are what somebody
wrote down when the cluster was made.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from periplus_contract.covers import AllocationKind
from periplus_spoke.fold.cidr import Fault, checked, parse_cidr
from periplus_spoke.fold.flags import flag
from periplus_spoke.fold.ipam import Allocation, ConfigMaps, IpamView, Quality
from periplus_spoke.fold.node_notes import K3S_ARGUMENTS, RKE2_ARGUMENTS

PROVIDER: Final = "cluster-settings"
KUBEADM: Final = "kube-system/kubeadm-config"
KUBE_PROXY: Final = "kube-system/kube-proxy"
CONFIG_MAPS: Final = (KUBEADM, KUBE_PROXY)
"""That are read here."""
CONTROLLERS: Final = "kube-controller-manager"
API_SERVER: Final = "kube-apiserver"
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
    """The cluster-wide ranges of a kind, `pod` or `service`, from the most trusted source that names one."""
    by_source: dict[str, list[Allocation]] = {}
    for setting in _settings(view, fault):
        if setting.kind == kind:
            by_source.setdefault(setting.source, []).extend(_claims(setting, fault))
    return next((claims for claims in by_source.values() if claims), [])


def _claims(setting: Setting, fault: Fault) -> Iterator[Allocation]:
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
            )


def _settings(view: IpamView, fault: Fault) -> Iterator[Setting]:
    yield from _flags(view)
    yield from _servers(view, fault)
    networking = kubeadm_networking(view.configs)
    for kind, key in _KUBEADM_KEYS.items():
        yield Setting(kind, networking.get(key, ""), "kubeadm-config", key, "nominal")
    yield Setting("pod", _kube_proxy_range(view.configs), "kube-proxy", "clusterCIDR", "nominal")


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
            if not arguments or arguments[0] != _SERVER:
                continue
            for kind, name in _SERVER_FLAGS.items():
                given, source = flag(arguments, name), f"{product} server"
                if given:
                    yield Setting(kind, given, source, f"--{name}", "exact")
                else:
                    yield Setting(kind, _DEFAULTS[kind], source, f"{name} by default", "derived")


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
    networking = _yaml(configs.get(KUBEADM, {}).get("ClusterConfiguration", "")).get("networking")
    return {str(key): str(value or "") for key, value in networking.items()} if isinstance(networking, dict) else {}


def _kube_proxy_range(configs: ConfigMaps) -> str:
    return str(_yaml(configs.get(KUBE_PROXY, {}).get("config.conf", "")).get("clusterCIDR") or "")


def _yaml(text: str) -> dict[object, object]:
    if not text:
        return {}
    import yaml  # noqa: PLC0415 - 2 MiB that only clusters made by kubeadm need

    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
