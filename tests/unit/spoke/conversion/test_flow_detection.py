"""Each source of flows by what it leaves in a cluster; what could not be read is unknown and never absent."""

from typing import Any

import pytest

from periplus_spoke.conversion.flow_detection import Clues, daemonset_clue, detect_sources, service_clue
from periplus_spoke.conversion.flow_sources import FlowSource
from periplus_spoke.conversion.objects import Service, Thing

from tests.support.decoding import decode


def service(namespace: str, name: str, *ports: tuple[str, int], **labels: str) -> Service:
    """As its chart makes it; in names of labels `__` is `/` and `_` is `-`."""
    keys = {key.replace("__", "/").replace("_", "-"): text for key, text in labels.items()}
    listed = [{"name": port, "port": number} for port, number in ports]
    return decode(
        Service, {"metadata": {"namespace": namespace, "name": name, "labels": keys}, "spec": {"ports": listed}}
    )


def daemonset(namespace: str, name: str, **labels: str) -> Thing:
    """A DaemonSet's metadata."""
    return decode(Thing, {"metadata": {"namespace": namespace, "name": name, "labels": labels}})


def clues(*things: Service | Thing, **more: Any) -> Clues:
    """What is kept of all of them."""
    services = [service_clue(each) for each in things if isinstance(each, Service)]
    daemonsets = [daemonset_clue(each) for each in things if not isinstance(each, Service)]
    return Clues(services=list(filter(None, services)), daemonsets=list(filter(None, daemonsets)), **more)


def of_kind(kind: str, found: Clues) -> list[FlowSource]:
    """What was found of a kind."""
    return [each for each in detect_sources(found) if each.kind == kind]


AGENTS = daemonset("periplus", "periplus-node")
CILIUM = daemonset("kube-system", "cilium")
RELAY = service("kube-system", "hubble-relay", ("", 80), k8s_app="hubble-relay")
RELAY_TLS = service("gke-managed-dpv2-observability", "hubble-relay", ("", 443), k8s_app="hubble-relay")
HUBBLE_METRICS = service("kube-system", "hubble-metrics", ("hubble-metrics", 9965), k8s_app="hubble")
ISTIOD = service("istio-system", "istiod", ("grpc-xds", 15010), ("https-dns", 15012), app="istiod")
ISTIOD_REVISION = service("mesh", "istiod-1-27", ("grpc-xds", 15010), app="istiod")
NETOBSERV = service("netobserv", "flowlogs-pipeline-prom", ("prometheus", 9401))
STACK = service(
    "p", "kp-prometheus", ("http-web", 9090), ("reloader-web", 8080), app="kube-prometheus-stack-prometheus"
)


@pytest.mark.parametrize(
    ("kind", "thing", "where", "is_tls"),
    [
        ("conntrack", AGENTS, "periplus/periplus-node", False),
        ("hubble", RELAY, "kube-system/hubble-relay:80", False),
        ("hubble", RELAY_TLS, "gke-managed-dpv2-observability/hubble-relay:443", True),
        ("goldmane", service("calico-system", "goldmane", ("", 7443)), "calico-system/goldmane:7443", True),
        ("netobserv", NETOBSERV, "netobserv/flowlogs-pipeline-prom:9401", False),
        ("netobserv", daemonset("n", "netobserv-ebpf-agent"), "n/netobserv-ebpf-agent", False),
        ("obi", daemonset("beyla", "b", **{"app.kubernetes.io/name": "beyla"}), "beyla/b", False),
        ("istio", ISTIOD, "istio-system/istiod:15010", False),
        ("istio", ISTIOD_REVISION, "mesh/istiod-1-27:15010", False),
        ("istio", daemonset("istio-system", "ztunnel", app="ztunnel"), "istio-system/ztunnel", False),
        ("retina", daemonset("kube-system", "retina-agent"), "kube-system/retina-agent", False),
        ("submariner", daemonset("s", "submariner-gateway"), "s/submariner-gateway", False),
        ("cilium-mesh", service("k", "clustermesh-apiserver", ("", 2379)), "k/clustermesh-apiserver:2379", False),
        ("cilium-mesh", HUBBLE_METRICS, "kube-system/hubble-metrics:9965", False),
    ],
)  # fmt: skip
def test_each_is_found_where_it_is(kind: str, thing: Service | Thing, where: str, is_tls: bool) -> None:
    (found,) = of_kind(kind, clues(thing))
    assert (found.state, found.where, found.is_tls) == ("found", where, is_tls)
    others = {each.kind: each.state for each in detect_sources(clues(thing)) if each.kind != kind}
    assert set(others.values()) == {"absent"}


def test_a_service_that_leads_to_exporters_is_the_source_beside_another_sign_of_it() -> None:
    mesh = service("kube-system", "clustermesh-apiserver", ("", 2379))
    [alone] = of_kind("cilium-mesh", clues(mesh))
    [found] = of_kind("cilium-mesh", clues(mesh, HUBBLE_METRICS))
    assert (alone.has_pages, found.has_pages, found.where) == (False, True, "kube-system/hubble-metrics:9965")


@pytest.mark.parametrize(
    ("thing", "where", "path"),
    [
        (service("monitoring", "prometheus-operated", ("web", 9090), operated_prometheus="true"), ":9090", ""),
        (STACK, ":9090", ""),
        (service("p", "prometheus-server", ("http", 80), app_kubernetes_io__name="prometheus"), ":80", ""),
        (service("istio-system", "prometheus", ("http", 9090)), ":9090", ""),
        (service("p", "thanos-query", ("grpc", 10901), ("http", 9090)), ":9090", ""),
        (service("p", "vmselect", ("http", 8481)), ":8481", "/select/0/prometheus"),
        (service("p", "mimir-query-frontend", ("http-metrics", 8080), ("grpc", 9095)), ":8080", "/prometheus"),
    ],
)  # fmt: skip
def test_services_that_answer_as_prometheus_does(thing: Service, where: str, path: str) -> None:
    (found,) = of_kind("prometheus", clues(thing))
    assert found.where == f"{thing.metadata.namespace}/{thing.metadata.name}{where}"
    assert found.path == path


def test_openshift_takes_https_alone() -> None:
    (found,) = of_kind("prometheus", clues(service("openshift-monitoring", "thanos-querier", ("web", 9091))))
    assert found.is_tls


def test_a_prometheus_of_the_cluster_comes_before_a_store_of_many() -> None:
    store = service("a", "thanos-query", ("http", 9090))
    own = service("z", "prometheus-operated", ("web", 9090))
    assert [each.service for each in of_kind("prometheus", clues(store, own))] == [
        "prometheus-operated",
        "thanos-query",
    ]


@pytest.mark.parametrize(
    "thing",
    [
        service("p", "prometheus-node-exporter", ("metrics", 9100)),
        service("p", "prometheus-operator", ("https", 443)),
        service("p", "kp-thanos", ("grpc", 10901)),
        service("shop", "web", ("http", 80)),
        service("p", "prometheus", ("grpc", 10901)),
    ],
)
def test_what_is_no_prometheus(thing: Service) -> None:
    assert service_clue(thing) is None


def test_what_could_not_be_read_is_unknown_and_says_why() -> None:
    forbidden = clues(unread={"services": "Services may not be listed", "daemonsets": "DaemonSets may not be listed"})
    assert {each.state for each in detect_sources(forbidden)} == {"unknown"}
    assert of_kind("hubble", forbidden)[0].missing == "Services may not be listed"
    assert of_kind("conntrack", forbidden)[0].missing == "DaemonSets may not be listed"


def test_what_was_seen_is_found_though_the_rest_is_unread() -> None:
    partly = clues(RELAY, unread={"services": "Services are not listed whole yet"})
    assert of_kind("hubble", partly)[0].state == "found"
    assert of_kind("goldmane", partly)[0].state == "unknown"


def test_the_command_for_nodes_without_agents() -> None:
    (missing,) = of_kind("conntrack", clues())
    assert missing.command == "periplus join-token create --agents-of CLUSTER"


def test_hubble_is_enabled_where_cilium_is() -> None:
    moved = daemonset("cilium", "cilium")
    assert (
        of_kind("hubble", clues(CILIUM, cnis=("cilium",)))[0].command == "cilium hubble enable --namespace kube-system"
    )
    assert of_kind("hubble", clues(moved, cnis=("cilium",)))[0].command == "cilium hubble enable --namespace cilium"
    assert of_kind("hubble", clues(cnis=("calico",)))[0].command == ""


@pytest.mark.parametrize("setting", ["kube-proxy-replacement", "install-no-conntrack-iptables-rules"])
def test_agents_are_no_remedy_where_cilium_passes_conntrack(setting: str) -> None:
    past = {"cnis": ("cilium",), "cilium_config": {setting: "true"}}
    (absent,) = of_kind("conntrack", clues(**past))
    (found,) = of_kind("conntrack", clues(AGENTS, **past))
    assert absent.command == ""
    assert "past conntrack" in absent.missing
    assert "past conntrack" in found.missing
