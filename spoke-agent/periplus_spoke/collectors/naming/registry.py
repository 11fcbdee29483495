"""All kinds of objects that say what addresses stand for. Another one is a line here."""

from typing import Final

from periplus_spoke.collectors.naming import egress, istio, linkerd, multi_cluster_services, submariner
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Meaningful

NAMING_KINDS: Final[tuple[WantedKind[Meaningful], ...]] = (
    multi_cluster_services.SERVICE_IMPORTS,
    istio.SERVICE_ENTRIES,
    istio.WORKLOAD_ENTRIES,
    linkerd.LINKS,
    submariner.ENDPOINTS,
    submariner.CLUSTERS,
    submariner.INGRESS,
    submariner.EGRESS,
    submariner.CLUSTER_EGRESS,
    egress.OVN_EGRESS,
    egress.CILIUM_EGRESS,
    egress.ANTREA_EGRESS,
)
