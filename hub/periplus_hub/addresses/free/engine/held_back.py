"""Ranges that are somebody's already, wherever clusters run: never proposed, or proposed last. Pure.

Everything outside private space is held back by itself: ranges are only ever looked for in `SPACES`. It is listed here
where people might think otherwise, with the reason.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Final, NamedTuple

from periplus_hub.addresses.prefixes.prefix import IPV4, IPV6, Prefix, parse

SPACES: Final = {
    IPV4: tuple(parse(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")),
    IPV6: (parse("fd00::/8"),),
}
"""RFC 1918 and RFC 6598; RFC 4193 for IPv6. By address."""


class Use(StrEnum):
    """Whether a range that is held back is ever proposed."""

    NEVER = "never"
    LAST = "last"
    """Only when nothing else is free."""


class HeldBack(NamedTuple):
    """A range, who holds it, why, and where that is written. `providers` says where only; empty is everywhere."""

    cidr: str
    use: Use
    holder: str
    why: str
    source: str
    providers: frozenset[str] = frozenset()


def _never(cidr: str, holder: str, why: str, source: str, *providers: str) -> HeldBack:
    return HeldBack(cidr, Use.NEVER, holder, why, source, frozenset(providers))


def _last(cidr: str, holder: str, why: str, source: str, *providers: str) -> HeldBack:
    return HeldBack(cidr, Use.LAST, holder, why, source, frozenset(providers))


_RFC: Final = "https://www.rfc-editor.org/rfc/rfc"
_OVN: Final = "OVN-Kubernetes (OpenShift)"
_OVN_DOCS: Final = (
    "https://docs.redhat.com/en/documentation/openshift_container_platform/4.22/html/networking/cidr-range-definitions"
)
_AKS: Final = "Azure Kubernetes Service"
_AKS_WHY: Final = "refused for services, pods and the virtual network"
_AKS_DOCS: Final = "https://learn.microsoft.com/en-us/azure/aks/concepts-network-ip-address-planning"
_VPC_DOCS: Final = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"
_DEFAULT_VPC: Final = "https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc.html"
_EKS_DOCS: Final = "https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html"
_GKE_DOCS: Final = "https://docs.cloud.google.com/kubernetes-engine/docs/concepts/alias-ips"
_SUBNET_DOCS: Final = "https://docs.cloud.google.com/vpc/docs/subnets"
_ALIBABA_DOCS: Final = "https://www.alibabacloud.com/help/en/cs/user-guide/acs-cluster-network-planning"
_HUAWEI_DOCS: Final = "https://support.huaweicloud.com/eu/vpc_faq/vpc_faq_0004.html"
_DOCKER_DOCS: Final = (
    "https://docs.mirantis.com/mke/3.5/install/plan-deployment/mcr-considerations/default-address-pools.html"
)
_KUBE_OVN_DOCS: Final = "https://github.com/kubeovn/kube-ovn/blob/master/dist/images/install.sh"
_KUBEADM_DOCS: Final = "https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init/"
_CLOUD_ITSELF: Final = "services of the cloud itself: refused for VPCs"
_DEFAULT: Final = "the next cluster that is made with defaults takes it"

HELD_BACK: Final = (
    _never("0.0.0.0/8", "Internet standard", "this network: never an address of somebody", f"{_RFC}1122"),
    _never("127.0.0.0/8", "every host", "loopback", f"{_RFC}1122"),
    _never("169.254.0.0/16", "every host", "link-local: clouds' metadata, NodeLocal DNSCache", f"{_RFC}3927"),
    _never("169.254.0.0/17", _OVN, "masquerade subnet, of clusters installed since 4.17", _OVN_DOCS),
    _never("192.0.2.0/24", "Internet standard", "documentation; refused by AKS", f"{_RFC}5737"),
    _never("198.18.0.0/15", "Internet standard", "benchmarks of network devices", f"{_RFC}2544"),
    _never("224.0.0.0/4", "Internet standard", "multicast", f"{_RFC}5771"),
    _never("240.0.0.0/4", "Internet standard", "reserved; many hosts and devices drop it", f"{_RFC}1112"),
    _never("34.118.224.0/20", "Google Kubernetes Engine", "services of every cluster, not routed", _GKE_DOCS),
    _never("100.64.0.0/16", _OVN, "join subnet", _OVN_DOCS),
    _never("100.64.0.0/16", "Kube-OVN", "join subnet", _KUBE_OVN_DOCS),
    _never("100.65.0.0/16", "OpenShift, hosted control planes", "join subnet", _OVN_DOCS),
    _never("100.88.0.0/16", _OVN, "transit switch subnet", _OVN_DOCS),
    _never("100.64.0.0/10", "Alibaba Cloud", _CLOUD_ITSELF, _ALIBABA_DOCS, "alibaba"),
    _never("100.64.0.0/10", "Huawei Cloud", _CLOUD_ITSELF, _HUAWEI_DOCS, "huawei"),
    _never("172.17.0.0/16", "Docker", "bridge of every Docker host; AWS services use it too", _VPC_DOCS),
    _never("172.30.0.0/16", _AKS, _AKS_WHY, _AKS_DOCS, "azure"),
    _never("172.31.0.0/16", _AKS, _AKS_WHY, _AKS_DOCS, "azure"),
    _never("172.31.0.0/16", "Amazon Web Services", "default VPC of every account and region", _DEFAULT_VPC),
    _last("100.64.0.0/10", "carriers", "shared between networks: carriers' NAT, overlay VPNs", f"{_RFC}6598"),
    _last("192.168.0.0/16", "offices, homes, Calico", "behind most routers and VPNs; Calico's default", f"{_RFC}1918"),
    _last("10.0.0.0/16", "AKS, OpenShift", f"services of AKS, machines of OpenShift: {_DEFAULT}", _OVN_DOCS),
    _last("10.16.0.0/16", "Kube-OVN", f"pods: {_DEFAULT}", _KUBE_OVN_DOCS),
    _last("10.42.0.0/15", "K3s and RKE2", f"pods and services: {_DEFAULT}", "https://docs.k3s.io/cli/server"),
    _last("10.96.0.0/12", "kubeadm", f"services: {_DEFAULT}", _KUBEADM_DOCS),
    _last("10.100.0.0/16", "Amazon EKS", f"services: {_DEFAULT}", _EKS_DOCS),
    _last("172.20.0.0/16", "Amazon EKS", f"services: {_DEFAULT}", _EKS_DOCS),
    _last("172.18.0.0/16", "Docker", "the first network beside the bridge: Swarm, Compose, kind", _DOCKER_DOCS),
    _last("10.128.0.0/14", "OpenShift", f"pods: {_DEFAULT}", _OVN_DOCS),
    _last("10.132.0.0/14", "OpenShift, hosted control planes", f"pods: {_DEFAULT}", _OVN_DOCS),
    _last("172.30.0.0/16", "OpenShift", f"services: {_DEFAULT}", _OVN_DOCS),
    _last("10.244.0.0/16", "flannel, kind, AKS overlay", f"pods: {_DEFAULT}", "https://kind.sigs.k8s.io/docs/user/configuration/"),
    _last("10.128.0.0/9", "Google Cloud", "subnets of auto mode networks", _SUBNET_DOCS, "gcp"),
    _never("::1/128", "every host", "loopback", f"{_RFC}4291"),
    _never("fe80::/10", "every host", "link-local", f"{_RFC}4291"),
    _never("ff00::/8", "Internet standard", "multicast", f"{_RFC}4291"),
    _never("2001:db8::/32", "Internet standard", "documentation", f"{_RFC}3849"),
    _never("fd00::/16", "people who count from one", "not random: kind, guides, AWS (fd00:ec2::)", f"{_RFC}4193"),
    _never("fd20::/20", "Google Cloud", "internal IPv6 ranges of networks", _SUBNET_DOCS),
    _never("fd69::/112", _OVN, "masquerade subnet, of clusters installed since 4.17", _OVN_DOCS),
    _never("fd97::/64", _OVN, "transit switch subnet", _OVN_DOCS),
    _never("fd98::/64", _OVN, "join subnet", _OVN_DOCS),
)  # fmt: skip


def held_back(use: Use, family: int, providers: Collection[str]) -> tuple[Prefix, ...]:
    """Those of one family that hold where clusters run on these providers."""
    rows = (row for row in HELD_BACK if row.use is use and (not row.providers or row.providers & set(providers)))
    return tuple(prefix for prefix in (parse(row.cidr) for row in rows) if prefix.family == family)


def why_held_back(prefix: Prefix, providers: Collection[str]) -> HeldBack | None:
    """The range that is never given to anybody and that this one touches."""
    for row in HELD_BACK:
        if row.use is Use.NEVER and (not row.providers or row.providers & set(providers)):
            held = parse(row.cidr)
            if held.covers(prefix) or prefix.covers(held):
                return row
    return None
