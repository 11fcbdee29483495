"""The sources that are read from Prometheus, one rule each: the best source of bytes first, then what has no bytes."""

from typing import Final

from periplus_contract.flow_words import FlowCollector, Verdict
from periplus_spoke.conversion.prometheus.rule import Counter, EndLabels, FlowRule, Seen

_TCP: Final = 6

# Packets are counted on the interfaces of each node, so that one between two nodes is counted by both.
_OBI: Final = FlowRule(
    name="obi",
    collector=FlowCollector.OBI,
    src=EndLabels("k8s_src_owner_name", "k8s_src_namespace", "k8s_src_owner_type", address="src_address"),
    dst=EndLabels("k8s_dst_owner_name", "k8s_dst_namespace", "k8s_dst_owner_type", address="dst_address"),
    counters=(
        Counter("(obi|beyla)_network_flow_bytes_total", "bytes_tx"),
        Counter("(obi|beyla)_network_flow_packets_total", "packets_tx"),
    ),
    cluster="k8s_cluster_name",
    direction="direction",
    seen=Seen(
        sender="k8s_src_node_ip",
        receiver="k8s_dst_node_ip",
        tellers=("obi_ip", "beyla_ip"),
        remedy="show the attributes k8s.src.node.ip, k8s.dst.node.ip and obi.ip (beyla.ip) of the network metrics: "
        "without them, bytes that both nodes count cannot be told from others",
    ),
)

# Egress only: what a node of the cluster received from a node of the cluster was counted there already.
_NETOBSERV: Final = FlowRule(
    name="netobserv",
    collector=FlowCollector.NETOBSERV,
    src=EndLabels("SrcK8S_OwnerName", "SrcK8S_Namespace", "SrcK8S_OwnerType"),
    dst=EndLabels("DstK8S_OwnerName", "DstK8S_Namespace", "DstK8S_OwnerType"),
    counters=(
        Counter("netobserv_workload_egress_bytes_total", "bytes_tx"),
        Counter("netobserv_workload_egress_packets_total", "packets_tx"),
        Counter("netobserv_workload_ingress_bytes_total", "bytes_tx", 'SrcK8S_OwnerName=""'),
        Counter("netobserv_workload_ingress_packets_total", "packets_tx", 'SrcK8S_OwnerName=""'),
    ),
    cluster="K8S_ClusterName",
    sampling="netobserv_(agent_sampling_rate|(workload|namespace|node)_sampling)",
)

# "Sent" is what the server sends, and "received" what the client sent. Bodies of HTTP are counted by sidecars, which
# count no TCP bytes for it; a waypoint would count again what the ztunnels on both sides of it have counted.
_ISTIO: Final = FlowRule(
    name="istio",
    collector=FlowCollector.ISTIO,
    src=EndLabels("source_workload", "source_workload_namespace", cluster="source_cluster"),
    dst=EndLabels(
        "destination_workload",
        "destination_workload_namespace",
        cluster="destination_cluster",
        service="destination_service_name",
        service_namespace="destination_service_namespace",
        host="destination_service",
    ),
    counters=tuple(
        Counter(metric, measure, 'reporter=~"source|destination"')
        for metric, measure in (
            ("istio_tcp_received_bytes_total", "bytes_tx"),
            ("istio_tcp_sent_bytes_total", "bytes_rx"),
            ("istio_request_bytes_sum", "bytes_tx"),
            ("istio_response_bytes_sum", "bytes_rx"),
            ("istio_tcp_connections_opened_total", "connections_opened"),
            ("istio_tcp_connections_closed_total", "connections_closed"),
        )
    ),
    protocol=_TCP,
    naming="istio",
    reporter="reporter",
)

# As with NetObserv, what was received counts only where no node of the cluster sent it.
_RETINA: Final = FlowRule(
    name="retina",
    collector=FlowCollector.RETINA,
    src=EndLabels("source_workload", "source_namespace"),
    dst=EndLabels("destination_workload", "destination_namespace"),
    counters=tuple(
        Counter(f"networkobservability_adv_forward_{what}", measure, where)
        for what, measure in (("bytes", "bytes_tx"), ("count", "packets_tx"))
        for where in ('direction="egress"', 'direction="ingress",source_workload=~"|unknown"')
    ),
    cluster="cluster",
)

# What goes through the tunnels between gateways, whoever it is of. Each side counts both directions.
_SUBMARINER: Final = FlowRule(
    name="submariner",
    collector=FlowCollector.SUBMARINER,
    src=EndLabels(cluster="local_cluster", address="local_endpoint_ip"),
    dst=EndLabels(cluster="remote_cluster", address="remote_endpoint_ip"),
    counters=(
        Counter("submariner_gateway_tx_bytes", "bytes_tx"),
        Counter("submariner_gateway_rx_bytes", "bytes_rx"),
    ),
    cluster="local_cluster",
    naming="submariner",
    is_oriented_by_cluster=True,
)

# Cilium decides on each new connection once at its client and once at its server, and on each packet that it denies. It
# knows the workload of a pod on its own node alone, never that of another cluster; of others it has the address.
_CILIUM_MESH: Final = FlowRule(
    name="cilium-mesh",
    collector=FlowCollector.CILIUM_MESH,
    src=EndLabels("source_workload", "source_namespace", "source_workload_kind", address="source_ip"),
    dst=EndLabels(
        "destination_workload", "destination_namespace", "destination_workload_kind", address="destination_ip"
    ),
    counters=tuple(
        Counter(
            "hubble_policy_verdicts_total",
            measure,
            f'direction=~"egress|ingress",match!~"l7/.*",action=~"{actions}"',
            verdict,
        )
        for actions, measure, verdict in (
            ("forwarded|redirected", "connections_opened", Verdict.FORWARDED),
            ("audit", "connections_opened", Verdict.AUDITED),
            ("dropped", "failures_other", Verdict.DROPPED),
        )
    ),
    reporter="direction",
    is_hubbles=True,
)

RULES: Final = (_OBI, _NETOBSERV, _ISTIO, _RETINA, _SUBMARINER, _CILIUM_MESH)
