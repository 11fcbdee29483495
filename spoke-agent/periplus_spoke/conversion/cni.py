"""Which network plugins a cluster runs, from signs it shows. No sign, no name."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from periplus_spoke.conversion.objects import Node

UNKNOWN: Final = "unknown"
CILIUM_CONFIG: Final = "kube-system/cilium-config"
CALICO_CONFIGS: Final = ("kube-system/calico-config", "kube-system/canal-config")

_BY_GROUP: Final = {
    "crd.projectcalico.org": "calico",
    "projectcalico.org": "calico",
    "acn.azure.com": "azure-cni",
    "crd.antrea.io": "antrea",
    "k8s.ovn.org": "ovn-kubernetes",
    "kubeovn.io": "kube-ovn",
    "whereabouts.cni.cncf.io": "whereabouts",
    "spiderpool.spidernet.io": "spiderpool",
}
_BY_DAEMONSET: Final = {
    "aws-node": "aws-vpc-cni",
    "azure-cns": "azure-cni",
    "calico-node": "calico",
    "cilium": "cilium",
    "antrea-agent": "antrea",
    "kindnet": "kindnet",
    "kube-flannel": "flannel",
    "kube-flannel-ds": "flannel",
    "kube-router": "kube-router",
    "weave-net": "weave",
}
_SYSTEM_NAMESPACES: Final = frozenset(("kube-system", "kube-flannel", "calico-system", "cilium", "tigera-operator"))
AWS_GROUPS: Final = frozenset(("crd.k8s.amazonaws.com", "vpcresources.k8s.aws"))

_USES_POD_CIDR: Final = frozenset(("flannel", "kindnet", "kubenet", "gke", "antrea", "kube-router"))
_IGNORES_POD_CIDR: Final = frozenset(
    ("cilium", "calico", "aws-vpc-cni", "azure-cni", "ovn-kubernetes", "kube-ovn", "weave")
)


def node_signs(node: Node) -> tuple[str, ...]:
    """Plugins that have left signs on this node."""
    annotations = node.metadata.annotations or {}
    labels = node.metadata.labels or {}
    signs = []
    if annotations.get("flannel.alpha.coreos.com/kube-subnet-manager") == "true":
        signs.append("flannel")
    if "k8s.ovn.org/node-subnets" in annotations:
        signs.append("ovn-kubernetes")
    if "projectcalico.org/IPv4Address" in annotations or "projectcalico.org/IPv6Address" in annotations:
        signs.append("calico")
    if "cloud.google.com/gke-nodepool" in labels:
        signs.append("gke")
    return tuple(signs)


def detect(
    groups: Mapping[str, Collection[str]],
    signs: Iterable[str],
    daemonsets: Iterable[tuple[str, str]] | None,
    *,
    has_cilium_config: bool | None,
) -> tuple[str, ...]:
    """All plugins with a sign, sorted, or `unknown`.

    `daemonsets` are (namespace, name), None when they cannot be read; `has_cilium_config` is None when that is not
    known. The groups of Cilium and AWS alone prove little (Tetragon brings `cilium.io` too, every EKS cluster the
    AWS ones), so they need a second sign where one could be seen.
    """
    found = {_BY_GROUP[group] for group in groups if group in _BY_GROUP} | set(signs)
    running = {
        _BY_DAEMONSET[name]
        for namespace, name in daemonsets or ()
        if namespace in _SYSTEM_NAMESPACES and name in _BY_DAEMONSET
    }
    # Version v2, since Tetragon serves v1alpha1 only. With daemonsets told and none of them Cilium, the CRDs are left
    # over.
    if "v2" in groups.get("cilium.io", ()) and (has_cilium_config or (has_cilium_config is None and not daemonsets)):
        found.add("cilium")
    if daemonsets is None and not AWS_GROUPS.isdisjoint(groups):
        found.add("aws-vpc-cni")
    return tuple(sorted(found | running)) or (UNKNOWN,)


def uses_pod_cidr(cnis: Iterable[str], configs: Mapping[str, Mapping[str, str]]) -> bool | None:
    """Whether pods get their addresses from Node.spec.podCIDRs; None when that is not known.

    `configs` are ConfigMaps by `namespace/name`.
    """
    present, mode = set(cnis), configs.get(CILIUM_CONFIG, {}).get("ipam")
    if "cilium" in present and mode == "kubernetes":
        return True
    # Cilium is there and another plugin gives the addresses, so it says nothing for or against podCIDRs.
    if mode == "delegated-plugin":
        present.discard("cilium")
    if "calico" in present and calico_uses_pod_cidr(configs):
        return True
    if present & _USES_POD_CIDR:
        return True
    # After those that use them: canal is flannel for the addresses and Calico for policies alone.
    return False if present & _IGNORES_POD_CIDR else None


def calico_uses_pod_cidr(configs: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether Calico is set up with host-local. `cni_network_config` is JSON but for marks that are filled in later."""
    texts = (configs.get(name, {}).get("cni_network_config", "") for name in CALICO_CONFIGS)
    return any('"host-local"' in text and "calico-ipam" not in text for text in texts)
