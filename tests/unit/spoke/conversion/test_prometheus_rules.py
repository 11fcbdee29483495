"""What the labels and values of each source mean, by series as the source has them."""

from typing import Any, NamedTuple

from periplus_contract import flow_words
from periplus_contract.batch import FlowsMark
from periplus_contract.flow_words import Reporter, Verdict
from periplus_spoke.conversion.flow_sums import MEASURES, Flow, Peer, WindowSums, rows_of
from periplus_spoke.conversion.prometheus.answers import Sample
from periplus_spoke.conversion.prometheus.ends import kinds_of
from periplus_spoke.conversion.prometheus.flows import Known, SourceWindow
from periplus_spoke.conversion.prometheus.rules import RULES

from tests.support.flow_rows import NOBODY

BY_NAME = {rule.name: rule for rule in RULES}
KINDS = kinds_of([("shop", "web", "Deployment"), ("shop", "db", "StatefulSet")])
WEB = Peer(0, 0, "shop", "Deployment", "web")
DB = Peer(0, 0, "shop", "StatefulSet", "db")
START_S = 1_767_225_600

Series = tuple[str, dict[str, str], int]
"""A measure, the labels of a series, and what it rose by."""


class Told(NamedTuple):
    rows: list[tuple[Flow, dict[str, int]]]
    mark: FlowsMark


def told(source: str, *series: Series, **known: Any) -> Told:
    window = SourceWindow(BY_NAME[source], Known(KINDS, **known))
    for measure, labels, value in series:
        window.take(measure, [Sample(labels, value)])
    sums = WindowSums(1_000)
    mark = window.put(sums)
    rows = rows_of(sums.sections(START_S, 60))
    return Told([(flow, _named(row)) for flow, row in rows], mark)


def _of(cluster: str, peer: Peer) -> Peer:
    return peer._replace(cluster=f"submariner={cluster}")


def _named(row: tuple[int | None, ...]) -> dict[str, int]:
    return {name: value for name, value in zip(MEASURES, row, strict=True) if value is not None}


ISTIO = {
    "reporter": "source",
    "source_workload": "web",
    "source_workload_namespace": "shop",
    "source_cluster": "east",
    "destination_workload": "db",
    "destination_workload_namespace": "shop",
    "destination_service_name": "db",
    "destination_service_namespace": "shop",
    "destination_cluster": "east",
}
BY_SERVER = ISTIO | {"reporter": "destination"}
TO_WEST = ISTIO | {"destination_cluster": "west"}
FROM_WEST = BY_SERVER | {"source_cluster": "west"}


def test_of_what_both_proxies_of_a_cluster_tell_the_clients_report_counts() -> None:
    found = told(
        "istio",
        ("bytes_tx", ISTIO, 100),
        ("bytes_rx", ISTIO, 900),
        ("bytes_tx", BY_SERVER, 101),
        ("bytes_rx", BY_SERVER, 903),
    )
    [(flow, row)] = found.rows
    assert (flow.src, flow.dst, flow.reporter, flow.protocol) == (WEB, DB, Reporter.BOTH, 6)
    assert row == {"bytes_tx": 100, "bytes_rx": 900}
    assert (found.mark.unmeasured, found.mark.conditions, found.mark.lost) == (0, (), {})


def test_bytes_of_tcp_and_of_bodies_of_http_add_up() -> None:
    [(_, row)] = told("istio", ("bytes_tx", ISTIO, 100), ("bytes_tx", ISTIO, 20), ("bytes_rx", ISTIO, 7)).rows
    assert row == {"bytes_tx": 120, "bytes_rx": 7}


def test_a_client_without_a_proxy_is_told_by_the_server() -> None:
    outside = BY_SERVER | {"source_workload": "unknown", "source_cluster": "unknown"}
    [(flow, row)] = told("istio", ("bytes_tx", outside, 5)).rows
    assert (flow.src, flow.dst, flow.reporter, row) == (NOBODY, DB, Reporter.SERVER, {"bytes_tx": 5})


THERE = Peer(0, 0, "shop", "Workload", "web", "istio=west")


def test_a_workload_of_another_cluster_is_told_with_its_cluster_and_not_taken_for_one_of_this() -> None:
    found = told("istio", ("bytes_tx", TO_WEST, 5), ("bytes_tx", FROM_WEST, 6), ("bytes_rx", FROM_WEST, 0))
    rows = {(flow.src, flow.dst, flow.reporter): row for flow, row in found.rows}
    assert rows == {
        (WEB, THERE._replace(workload="db"), Reporter.CLIENT): {"bytes_tx": 5},
        (THERE, DB, Reporter.SERVER): {"bytes_tx": 6, "bytes_rx": 0},
    }
    assert (found.mark.observed, found.mark.unmeasured) == (2, 0)


def test_a_service_of_another_cluster_is_told_with_its_cluster() -> None:
    [(flow, _)] = told("istio", ("bytes_tx", TO_WEST | {"destination_workload": "unknown"}, 5)).rows
    assert flow.dst == Peer(0, 0, "shop", "Service", "db", "istio=west")


def test_of_an_end_without_a_name_its_cluster_is_told() -> None:
    nameless = dict.fromkeys(("destination_workload", "destination_service_name"), "unknown")
    [(flow, _)] = told("istio", ("bytes_tx", TO_WEST | nameless, 5)).rows
    assert flow.dst == Peer(0, 0, cluster="istio=west")


def test_names_that_a_source_has_for_clusters_are_told_only_where_clusters_say_them_themselves() -> None:
    assert {rule.name for rule in RULES if rule.naming} == {"istio", "submariner"}


def test_flows_of_several_clusters_are_told_only_when_it_is_known_which_is_this() -> None:
    series = (
        ("bytes_tx", ISTIO, 5),
        ("bytes_tx", ISTIO | {"source_cluster": "west", "destination_cluster": "west"}, 9),
    )
    nothing = told("istio", *series)
    assert (nothing.rows, nothing.mark.conditions) == ([], (flow_words.SEVERAL_CLUSTERS,))
    assert (nothing.mark.observed, nothing.mark.unmeasured) == (2, 2)
    [(_, row)] = told("istio", *series, cluster="west").rows
    assert row == {"bytes_tx": 9}


def test_a_service_stands_for_workloads_that_are_not_known_and_a_host_outside_does_not() -> None:
    unknown = {"destination_workload": "unknown", "destination_cluster": "unknown"}
    host = unknown | {"destination_service_name": "api.example.com"}
    rows = told("istio", ("bytes_tx", ISTIO | unknown, 5), ("bytes_tx", ISTIO | host, 6)).rows
    assert {(flow.dst, row["bytes_tx"]) for flow, row in rows} == {
        (Peer(0, 0, "shop", "Service", "db"), 5),
        (NOBODY, 6),
    }


NAMED = {"destination_service": "db.shop.svc.cluster.local"}


def test_the_name_that_the_clients_proxy_tells_is_told_and_what_a_server_calls_itself_is_not() -> None:
    found = told(
        "istio",
        ("bytes_tx", ISTIO | NAMED, 100),
        ("bytes_tx", ISTIO | {"destination_service": "DB.example.com:443"}, 20),
        ("bytes_tx", BY_SERVER | {"destination_service": "other.shop.svc.cluster.local"}, 119),
        ("bytes_tx", FROM_WEST | NAMED, 7),
    )
    assert {(flow.dst, flow.reporter): row for flow, row in found.rows} == {
        (DB._replace(host="db.shop.svc.cluster.local"), Reporter.BOTH): {"bytes_tx": 100},
        (DB._replace(host="db.example.com"), Reporter.BOTH): {"bytes_tx": 20},
        (DB, Reporter.SERVER): {"bytes_tx": 7},
    }


def test_who_is_known_by_a_host_alone_is_told_by_it() -> None:
    unknown = {"destination_workload": "unknown", "destination_cluster": "unknown"}
    outside = unknown | {"destination_service": "api.example.com", "destination_service_name": "api.example.com"}
    of_set = unknown | {"destination_service": "db.shop.svc.clusterset.local"}
    no_name = unknown | {"destination_service": "unknown", "destination_service_namespace": "unknown"}
    address = unknown | {"destination_service": "203.0.113.7:443", "destination_service_name": "unknown"}
    series = [("bytes_tx", ISTIO | each, 2**at) for at, each in enumerate((outside, of_set, no_name, address))]
    assert {(flow.dst, row["bytes_tx"]) for flow, row in told("istio", *series).rows} == {
        (NOBODY._replace(host="api.example.com"), 1),
        (NOBODY._replace(host="db.shop.svc.clusterset.local"), 2),
        (NOBODY, 12),
    }


def test_a_clusterset_host_in_a_cluster_that_is_told_is_the_service_there() -> None:
    host = {"destination_workload": "unknown", "destination_service": "db.shop.svc.clusterset.local"}
    [(flow, _)] = told("istio", ("bytes_tx", TO_WEST | host, 5)).rows
    assert flow.dst == Peer(0, 0, "shop", "Service", "db", "istio=west", "db.shop.svc.clusterset.local")


def test_only_istios_labels_have_the_name_that_was_asked_for() -> None:
    assert {rule.name for rule in RULES if rule.dst.host or rule.src.host} == {"istio"}


OBI = {
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
    "beyla_ip": "10.0.0.1",
}


def reversed_of(labels: dict[str, str]) -> dict[str, str]:
    """The packets back, as the server's node tells of them."""
    back = {name.replace("_src_", "_DST_").replace("_dst_", "_src_").lower(): each for name, each in labels.items()}
    return back | {"direction": "response", "beyla_ip": "10.0.0.2"}


def test_packets_between_two_nodes_are_counted_where_they_were_sent() -> None:
    other_node = OBI | {"beyla_ip": "10.0.0.2"}
    found = told("obi", ("bytes_tx", OBI, 100), ("bytes_tx", other_node, 100), ("bytes_tx", reversed_of(OBI), 30))
    [(flow, row)] = found.rows
    assert (flow.src, flow.dst, flow.reporter) == (WEB, DB, Reporter.BOTH)
    assert row == {"bytes_tx": 100, "bytes_rx": 30}


def test_packets_from_outside_are_counted_where_they_arrived() -> None:
    outside = OBI | {"k8s_src_owner_name": "", "k8s_src_node_ip": "", "src_address": "192.0.2.7"}
    at_gateway = outside | {"beyla_ip": "10.0.0.9"}
    [(flow, row)] = told("obi", ("bytes_tx", outside | {"beyla_ip": "10.0.0.2"}, 8), ("bytes_tx", at_gateway, 8)).rows
    assert (flow.src, flow.reporter, row) == (Peer(0, 0xFFFFC0000207), Reporter.SERVER, {"bytes_tx": 8})


def test_bytes_are_unknown_where_two_nodes_may_have_counted_them() -> None:
    unsaid = OBI | {"beyla_ip": ""}
    found = told("obi", ("bytes_tx", unsaid, 200))
    [(flow, row)] = found.rows
    assert (flow.src, flow.dst, row) == (WEB, DB, {})
    assert (found.mark.unmeasured, found.mark.conditions) == (1, (flow_words.NODE_LABELS_MISSING,))


NETOBSERV = {
    "SrcK8S_OwnerName": "web",
    "SrcK8S_Namespace": "shop",
    "SrcK8S_OwnerType": "Deployment",
    "DstK8S_OwnerName": "db",
    "DstK8S_Namespace": "shop",
    "DstK8S_OwnerType": "StatefulSet",
}


def test_sampled_bytes_are_scaled_up_once_and_the_rate_is_told() -> None:
    [(flow, row)] = told("netobserv", ("bytes_tx", NETOBSERV, 3), ("bytes_tx", NETOBSERV, 1), sampling=50).rows
    assert (flow.sampling, row) == (50, {"bytes_tx": 200})


def test_sampled_bytes_are_unknown_while_the_rate_is() -> None:
    found = told("netobserv", ("bytes_tx", NETOBSERV, 3), sampling=None)
    [(flow, row)] = found.rows
    assert (flow.sampling, row, found.mark.unmeasured) == (1, {}, 1)
    assert found.mark.conditions == (flow_words.SAMPLING_UNKNOWN,)


def test_what_is_received_from_the_cluster_itself_is_not_asked_for() -> None:
    received = [each for each in BY_NAME["netobserv"].counters if "ingress" in each.metric]
    assert {each.where for each in received} == {'SrcK8S_OwnerName=""'}
    ingress = [each.where for each in BY_NAME["retina"].counters if "ingress" in each.where]
    assert all('source_workload=~"|unknown"' in where for where in ingress)


def test_the_kind_of_a_retina_workload_comes_from_the_inventory() -> None:
    labels = {"source_workload": "web", "source_namespace": "shop", "destination_workload": "other", "cluster": "east"}
    labels |= {"destination_namespace": "shop"}
    [(flow, _)] = told("retina", ("bytes_tx", labels, 3)).rows
    assert (flow.src, flow.dst) == (WEB, Peer(0, 0, "shop", "Workload", "other"))


def test_two_gateways_tell_of_one_tunnel_as_its_two_ends() -> None:
    east = {
        "local_cluster": "east",
        "local_endpoint_ip": "10.0.0.1",
        "remote_cluster": "west",
        "remote_endpoint_ip": "10.9.0.1",
    }
    west = {
        "local_cluster": "west",
        "local_endpoint_ip": "10.9.0.1",
        "remote_cluster": "east",
        "remote_endpoint_ip": "10.0.0.1",
    }
    [(of_east, first)] = told("submariner", ("bytes_tx", east, 10), ("bytes_rx", east, 4)).rows
    [(of_west, second)] = told("submariner", ("bytes_tx", west, 4), ("bytes_rx", west, 10)).rows
    assert first == second == {"bytes_tx": 10, "bytes_rx": 4}
    one, other = Peer(0, 0xFFFF0A000001), Peer(0, 0xFFFF0A090001)
    # Each names the cluster of the other end, and of its own the address alone.
    assert (of_east.src, of_east.dst, of_east.reporter) == (one, _of("west", other), Reporter.CLIENT)
    assert (of_west.src, of_west.dst, of_west.reporter) == (_of("east", one), other, Reporter.SERVER)


def test_what_did_not_rise_is_no_row_and_what_is_not_told_is_not_zero() -> None:
    found = told("istio", ("bytes_tx", ISTIO, 0), ("bytes_rx", ISTIO, 0), ("bytes_tx", TO_WEST, 4))
    [(_, row)] = found.rows
    assert (row, found.mark.observed) == ({"bytes_tx": 4}, 2)


def test_series_that_went_backwards_are_counted_as_lost() -> None:
    found = told("istio", ("bytes_tx", ISTIO, 4), ("bytes_tx", {"periplus_lost": "counter_reset"}, 3))
    assert found.mark.lost == {flow_words.LOST_RESET: 3}


def test_a_reporter_that_is_neither_end_is_not_counted() -> None:
    found = told("istio", ("bytes_tx", ISTIO | {"reporter": "waypoint"}, 4))
    assert (found.rows, found.mark.lost) == ([], {flow_words.LOST_UNREADABLE: 1})


CILIUM = {
    "direction": "egress",
    "match": "l3-l4",
    "source_workload": "web",
    "source_workload_kind": "Deployment",
    "source_namespace": "shop",
    "source_ip": "10.1.0.7",
    "destination_workload": "",
    "destination_namespace": "shop",
    "destination_ip": "10.9.0.8",
}
OTHER_END = Peer(0, 0xFFFF0A090008)


def test_an_end_that_ciliums_node_does_not_know_is_its_address_and_each_node_tells_its_own_end() -> None:
    ingress = {
        "direction": "ingress",
        "source_namespace": "shop",
        "source_ip": "10.1.0.7",
        "destination_workload": "db",
        "destination_workload_kind": "StatefulSet",
        "destination_namespace": "shop",
        "destination_ip": "10.9.0.8",
    }
    found = told("cilium-mesh", ("connections_opened", CILIUM, 3), ("connections_opened", ingress, 3))
    assert {(flow.src, flow.dst, flow.reporter): row for flow, row in found.rows} == {
        (WEB, OTHER_END, Reporter.CLIENT): {"connections_opened": 3},
        (Peer(0, 0xFFFF0A010007), DB, Reporter.SERVER): {"connections_opened": 3},
    }
    assert (found.mark.observed, found.mark.unmeasured, found.mark.conditions) == (2, 2, ())


def test_two_pods_of_one_node_are_told_by_both_sides_for_the_hub_to_merge() -> None:
    both = CILIUM | {"destination_workload": "db", "destination_workload_kind": "StatefulSet"}
    found = told(
        "cilium-mesh", ("connections_opened", both, 3), ("connections_opened", both | {"direction": "ingress"}, 3)
    )
    assert [(flow.src, flow.dst, flow.reporter) for flow, _ in found.rows] == [
        (WEB, DB, Reporter.CLIENT),
        (WEB, DB, Reporter.SERVER),
    ]


def test_denials_are_flows_of_their_own() -> None:
    window = SourceWindow(BY_NAME["cilium-mesh"], Known(KINDS))
    for counter, value in zip(BY_NAME["cilium-mesh"].counters, (3, 4, 5), strict=True):
        window.take(counter.measure, [Sample(CILIUM, value)], counter.verdict)
    sums = WindowSums(1_000)
    window.put(sums)
    rows = [(flow.verdict, _named(row)) for flow, row in rows_of(sums.sections(START_S, 60))]
    assert sorted(rows) == [
        (Verdict.FORWARDED, {"connections_opened": 3}),
        (Verdict.DROPPED, {"failures_other": 5}),
        (Verdict.AUDITED, {"connections_opened": 4}),
    ]


def test_metrics_without_labels_of_ends_say_what_is_missing() -> None:
    found = told("cilium-mesh", ("connections_opened", {"direction": "ingress", "match": "none"}, 7))
    assert found.mark.conditions == (flow_words.END_LABELS_MISSING,)
    assert [(flow.src, flow.dst) for flow, _ in found.rows] == [(NOBODY, NOBODY)]
