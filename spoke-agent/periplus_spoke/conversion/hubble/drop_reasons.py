"""Names of Cilium's reasons to drop a packet, as `drop_reason` of the contract has them."""

from typing import Final

_NAMES: Final = {
    132: "invalid_source_ip",
    133: "policy_denied",
    134: "invalid_packet",
    135: "invalid_header",
    137: "unknown_l4_protocol",
    139: "unsupported_l3_protocol",
    140: "missed_tail_call",
    150: "unknown_l3_target",
    151: "stale_or_unroutable_ip",
    155: "ct_map_insertion_failed",
    157: "fragmentation_not_supported",
    158: "service_backend_not_found",
    160: "no_tunnel_endpoint",
    161: "proxy_map_insertion_failed",
    162: "rate_limit_horizon",
    163: "unknown_ct_state",
    164: "local_host_unreachable",
    165: "no_policy_configuration",
    167: "no_mapping_for_nat",
    168: "unsupported_protocol_for_nat",
    169: "fib_lookup_failed",
    170: "encapsulation_prohibited",
    171: "invalid_identity",
    172: "unknown_sender",
    174: "is_a_cluster_ip",
    177: "denied_by_source_range",
    181: "policy_deny",
    182: "vlan_filtered",
    189: "auth_required",
    192: "invalid_cluster_id",
    194: "no_egress_gateway",
    195: "unencrypted_traffic",
    196: "ttl_exceeded",
    197: "no_node_id",
    198: "rate_limited",
    202: "host_not_ready",
    203: "endpoint_not_ready",
    204: "no_egress_ip",
}


def drop_reason(number: int) -> str:
    """A word; of a reason without one here, Cilium's number."""
    return _NAMES.get(number, f"cilium_{number}") if number else ""
