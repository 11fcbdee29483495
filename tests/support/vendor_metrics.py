"""What exporters of each vendor say of a small application: in namespace `shop` of cluster `east`, `web` calls `db`."""

import time
from collections.abc import Mapping
from typing import Final

from periplus_spoke.collectors.metric_rules import WINDOW_S

from tests.support.real_prometheus import Line


def window_end_s() -> int:
    """The end of the newest whole minute: a real server takes no samples of long ago."""
    return int(time.time()) // WINDOW_S * WINDOW_S


def rising(metric: str, labels: Mapping[str, str], before: float, after: float, end_s: int) -> list[Line]:
    """A counter as it was before the window that ends then, and in it."""
    return [Line(metric, labels, before, end_s - WINDOW_S - 15), Line(metric, labels, after, end_s - 15)]


ISTIO: Final = {
    "reporter": "source",
    "source_workload": "web",
    "source_workload_namespace": "shop",
    "source_principal": "spiffe://cluster.local/ns/shop/sa/web",
    "source_cluster": "east",
    "destination_workload": "db",
    "destination_workload_namespace": "shop",
    "destination_service": "db.shop.svc.cluster.local",
    "destination_service_name": "db",
    "destination_service_namespace": "shop",
    "destination_cluster": "east",
    "connection_security_policy": "unknown",
}
ISTIO_SERVER: Final = ISTIO | {"reporter": "destination", "connection_security_policy": "mutual_tls"}
ISTIO_HTTP: Final = {"request_protocol": "http", "response_code": "200", "response_flags": "-"}
OBI: Final = {
    "k8s_src_owner_name": "web",
    "k8s_src_namespace": "shop",
    "k8s_src_owner_type": "Deployment",
    "k8s_src_node_ip": "10.0.0.1",
    "k8s_dst_owner_name": "db",
    "k8s_dst_namespace": "shop",
    "k8s_dst_owner_type": "StatefulSet",
    "k8s_dst_node_ip": "10.0.0.2",
    "k8s_cluster_name": "east",
    "direction": "request",
}
OBI_BACK: Final = {
    "k8s_src_owner_name": "db",
    "k8s_src_namespace": "shop",
    "k8s_src_owner_type": "StatefulSet",
    "k8s_src_node_ip": "10.0.0.2",
    "k8s_dst_owner_name": "web",
    "k8s_dst_namespace": "shop",
    "k8s_dst_owner_type": "Deployment",
    "k8s_dst_node_ip": "10.0.0.1",
    "k8s_cluster_name": "east",
    "direction": "response",
}
NETOBSERV: Final = {
    "SrcK8S_OwnerName": "web",
    "SrcK8S_Namespace": "shop",
    "SrcK8S_OwnerType": "Deployment",
    "SrcK8S_Type": "Pod",
    "DstK8S_OwnerName": "db",
    "DstK8S_Namespace": "shop",
    "DstK8S_OwnerType": "StatefulSet",
    "DstK8S_Type": "Pod",
    "K8S_FlowLayer": "app",
}
RETINA: Final = {
    "cluster": "east",
    "source_ip": "10.1.0.7",
    "source_namespace": "shop",
    "source_pod": "web-5d9",
    "source_workload": "web",
    "destination_ip": "10.1.1.9",
    "destination_namespace": "shop",
    "destination_pod": "db-0",
    "destination_workload": "db",
}
SUBMARINER: Final = {
    "cable_driver": "libreswan",
    "local_cluster": "east",
    "local_hostname": "gateway-1",
    "local_endpoint_ip": "10.0.0.1",
    "remote_cluster": "west",
    "remote_hostname": "gateway-9",
    "remote_endpoint_ip": "10.9.0.1",
}
CILIUM: Final = {
    "direction": "egress",
    "match": "l3-l4",
    "action": "forwarded",
    "source_ip": "10.1.0.7",
    "source_namespace": "shop",
    "source_workload": "web",
    "source_workload_kind": "Deployment",
    "destination_ip": "10.9.0.8",
    "destination_namespace": "shop",
    "destination_workload": "",
    "destination_workload_kind": "",
}
"""As the node of `web` tells of a connection to a pod elsewhere, whose workload it does not know."""
CILIUM_SERVER: Final = CILIUM | {
    "direction": "ingress",
    "source_workload": "",
    "source_workload_kind": "",
    "destination_workload": "db",
    "destination_workload_kind": "StatefulSet",
}
