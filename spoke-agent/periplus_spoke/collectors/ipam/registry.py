"""All IPAM adapters, in order of trust. A new allocator is one line here."""

from typing import Any, Final

from periplus_spoke.collectors.ipam.antrea import Antrea
from periplus_spoke.collectors.ipam.aws_vpc_cni import AwsVpcCni
from periplus_spoke.collectors.ipam.azure_cni import AzureCni
from periplus_spoke.collectors.ipam.base import IpamAdapter
from periplus_spoke.collectors.ipam.calico import Calico
from periplus_spoke.collectors.ipam.cilium import Cilium
from periplus_spoke.collectors.ipam.gke import Gke
from periplus_spoke.collectors.ipam.kube_ovn import KubeOvn
from periplus_spoke.collectors.ipam.metallb import MetalLb
from periplus_spoke.collectors.ipam.node_podcidr import NodePodCidr
from periplus_spoke.collectors.ipam.observed import ObservedPods
from periplus_spoke.collectors.ipam.ovn_kubernetes import OvnKubernetes
from periplus_spoke.collectors.ipam.spiderpool import Spiderpool
from periplus_spoke.collectors.ipam.whereabouts import Whereabouts
from periplus_spoke.conversion import cluster_settings
from periplus_spoke.conversion.cni import CILIUM_CONFIG
from periplus_spoke.conversion.ipam import WantedKind

ADAPTERS: Final[tuple[IpamAdapter, ...]] = (
    AwsVpcCni(),
    AzureCni(),
    Gke(),
    OvnKubernetes(),
    Calico(),
    Cilium(),
    KubeOvn(),
    Antrea(),
    Spiderpool(),
    Whereabouts(),
    MetalLb(),
    NodePodCidr(),
)
LAST_RESORT: Final[IpamAdapter] = ObservedPods()
"""Asked for pod ranges when none of the adapters has any."""

WANTED_KINDS: Final[tuple[WantedKind[Any], ...]] = tuple(
    dict.fromkeys((*cluster_settings.KINDS, *(kind for adapter in ADAPTERS for kind in adapter.kinds)))
)
"""Custom kinds that are read."""
CONFIG_MAPS: Final = tuple(
    dict.fromkeys((CILIUM_CONFIG, *cluster_settings.CONFIG_MAPS, *(name for each in ADAPTERS for name in each.configs)))
)
"""ConfigMaps that are read, as `namespace/name`."""
