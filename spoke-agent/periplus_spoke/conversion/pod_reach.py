"""How pods of a network plugin are reached from outside their cluster, by what the plugin is set up with.

Only of plugins whose pods get addresses of their node's block, and only where one plugin is at work.
"""

import json
from collections.abc import Mapping
from typing import Final

from periplus_spoke.conversion.cni import CILIUM_CONFIG
from periplus_spoke.conversion.ipam import ConfigMaps, IpamView, Reach
from periplus_spoke.conversion.node_notes import FLANNEL_BACKEND
from periplus_spoke.conversion.ovn_objects import ROUTE_ADVERTISEMENTS
from periplus_spoke.conversion.yaml_text import yaml_mapping

FLANNEL_CONFIGS: Final = ("kube-flannel/kube-flannel-cfg", "kube-system/kube-flannel-cfg")
ANTREA_CONFIG: Final = "kube-system/antrea-config"
CONFIG_MAPS: Final = (*FLANNEL_CONFIGS, ANTREA_CONFIG)
"""That are read here."""
FURTHER_NETWORKS: Final = frozenset(("whereabouts", "spiderpool"))
"""Allocators that work beside a network plugin."""
_CILIUMS_OWN: Final = ("cluster-pool", "multi-pool")
_BACKENDS: Final[Mapping[str, Reach]] = {
    **dict.fromkeys(("vxlan", "host-gw", "wireguard", "udp", "ipip", "ipsec"), "masqueraded"),
    **dict.fromkeys(("aws-vpc", "gce", "ali-vpc", "tencent-vpc"), "routed"),
}
"""Of flannel. Some carry pods between nodes alone, the others write routes into the cloud's network."""


def pod_reach(view: IpamView) -> Reach:
    """Of the pods of this cluster; empty where it is not known."""
    plugins = [name for name in view.cnis if name not in FURTHER_NETWORKS]
    if "gke" in plugins and view.configs.get(CILIUM_CONFIG, {}).get("ipam") not in _CILIUMS_OWN:
        return "routed"  # alias ranges, or routes of the VPC; its own Cilium and Calico leave them as they are
    match plugins:
        case ["flannel"]:
            return _of_flannel(view)
        case ["antrea"]:
            return _of_antrea(view.configs)
        case ["ovn-kubernetes"]:
            return ovn_reach(view)
        case _:
            return ""


def ovn_reach(view: IpamView) -> Reach:
    """OVN-Kubernetes hides pods behind their node, unless routes to them are advertised."""
    advertised = any("PodNetwork" in (each.spec.advertisements or ()) for each in view.objects(ROUTE_ADVERTISEMENTS))
    return "" if advertised else "masqueraded"


def flannel_network(configs: ConfigMaps) -> Mapping[str, object]:
    """`net-conf.json` of flannel; empty where it cannot be read."""
    for name in FLANNEL_CONFIGS:
        try:
            found = json.loads(configs.get(name, {}).get("net-conf.json", ""))
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def _of_flannel(view: IpamView) -> Reach:
    backends = {node.notes[FLANNEL_BACKEND] for node in view.nodes() if FLANNEL_BACKEND in node.notes}
    backend = flannel_network(view.configs).get("Backend")
    if not backends and isinstance(backend, dict):
        backends = {str(backend.get("Type"))}
    reaches = {_BACKENDS.get(each.lower(), "") for each in backends}
    # Nodes that differ, as in the middle of a change, say nothing about all pods.
    return reaches.pop() if len(reaches) == 1 else ""


def _of_antrea(configs: ConfigMaps) -> Reach:
    text = configs.get(ANTREA_CONFIG, {}).get("antrea-agent.conf")
    if text is None:
        return ""
    settings = yaml_mapping(text)
    mode = str(settings.get("trafficEncapMode") or "encap").lower()
    if mode == "noencap":
        # Without encapsulation pods are routed between nodes; whether they keep their addresses beyond is another
        # setting, and its default depends on the release.
        return "routed" if settings.get("noSNAT") is True else ""
    return "masqueraded" if mode in ("encap", "hybrid") else ""
