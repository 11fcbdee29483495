"""Cluster-wide ranges from what a cluster was set up with."""

import json

import pytest

from periplus_contract.covers import AllocationKind
from periplus_spoke.conversion.cluster_settings import KUBE_PROXY, KUBEADM, cluster_claims, kubeadm_networking
from periplus_spoke.conversion.flags import flag
from periplus_spoke.conversion.ipam import IpamView

from tests.support.ipam_contract import view_of
from tests.support.kube_objects import node, pod

CONTROLLERS = "kube-controller-manager"
KUBEADM_CONFIG = {KUBEADM: {"ClusterConfiguration": "networking: {podSubnet: 10.2.0.0/16, serviceSubnet: 10.3.0.0/16}"}}


def claims(view: IpamView, kind: AllocationKind = "pod") -> list[tuple[str, str, str, str]]:
    faults: list[str] = []
    found = cluster_claims(view, kind, faults.append)
    assert faults == []
    return [(item.cidr, item.source, item.name, item.quality) for item in found]


def server(*arguments: str, name: str = "n1", key: str = "k3s.io/node-args") -> dict[str, object]:
    return node(name, annotations={key: json.dumps(arguments)})


def test_flags_of_the_control_plane_are_what_the_allocator_works_with() -> None:
    flags = {
        CONTROLLERS: (CONTROLLERS, "--cluster-cidr=10.1.0.0/16,fd01::/48", "--service-cluster-ip-range", "10.9.0.0/16")
    }
    view = view_of(flags=flags, configs=KUBEADM_CONFIG)
    found = claims(view)
    assert found == [
        ("10.1.0.0/16", CONTROLLERS, "--cluster-cidr", "exact"),
        ("fd01::/48", CONTROLLERS, "--cluster-cidr", "exact"),
    ]
    assert claims(view, "service") == [("10.9.0.0/16", CONTROLLERS, "--service-cluster-ip-range", "exact")]


def test_kubeadm_and_kube_proxy_are_what_somebody_wrote_down() -> None:
    proxy = {KUBE_PROXY: {"config.conf": "clusterCIDR: 10.8.0.0/16"}}
    assert claims(view_of(configs=KUBEADM_CONFIG | proxy)) == [
        ("10.2.0.0/16", "kubeadm-config", "podSubnet", "nominal")
    ]
    assert claims(view_of(configs=proxy)) == [("10.8.0.0/16", "kube-proxy", "clusterCIDR", "nominal")]
    assert claims(view_of(configs=proxy), "service") == []


@pytest.mark.parametrize(("key", "product"), [("k3s.io/node-args", "k3s"), ("rke2.io/node-args", "rke2")])
def test_servers_of_k3s_and_rke2_write_their_arguments_on_their_node(key: str, product: str) -> None:
    plain = view_of(nodes=[server("agent", name="n0", key=key), server("server", key=key)])
    source = f"{product} server"
    assert claims(plain) == [("10.42.0.0/16", source, "cluster-cidr by default", "derived")]
    assert claims(plain, "service") == [("10.43.0.0/16", source, "service-cidr by default", "derived")]
    given = view_of(nodes=[server("server", "--cluster-cidr", "10.50.0.0/16,fd02::/56", key=key)])
    assert [claim[0] for claim in claims(given)] == ["10.50.0.0/16", "fd02::/56"]


@pytest.mark.parametrize(("kind", "range_"), [("pod", "10.42.0.0/16"), ("service", "10.43.0.0/16")])
def test_what_several_servers_say_alike_is_one_range(kind: AllocationKind, range_: str) -> None:
    alike = view_of(nodes=[server("server", name=name) for name in ("n1", "n2", "n3")])
    assert [claim[0] for claim in claims(alike, kind)] == [range_]


def test_of_servers_that_differ_every_range_counts() -> None:
    view = view_of(nodes=[server("server", name="n1"), server("server", "--cluster-cidr=10.50.0.0/16", name="n2")])
    assert [claim[0] for claim in claims(view)] == ["10.42.0.0/16", "10.50.0.0/16"]


def test_agents_alone_do_not_tell_what_their_servers_were_given() -> None:
    assert claims(view_of(nodes=[server("agent")])) == []


@pytest.mark.parametrize("text", ["rubbish", "[1]", "{}", "[" * 10_000])
def test_arguments_that_are_none_are_named(text: str) -> None:
    faults: list[str] = []
    view = view_of(nodes=[node("n1", annotations={"k3s.io/node-args": text})])
    assert cluster_claims(view, "pod", faults.append) == []
    assert faults == ["node-args of node n1: not a list of texts"]


def test_impossible_ranges_are_named_and_the_next_source_counts() -> None:
    faults: list[str] = []
    view = view_of(flags={CONTROLLERS: ("--cluster-cidr=10.1.0.1/16,x",)}, configs=KUBEADM_CONFIG)
    assert [item.cidr for item in cluster_claims(view, "pod", faults.append)] == ["10.2.0.0/16"]
    assert len(faults) == 2
    assert all("--cluster-cidr of kube-controller-manager" in fault for fault in faults)


def test_kubeadm_configurations_of_any_shape() -> None:
    for text in ("", "a: [", "7", "networking: 3", "networking: {}", "networking: [a]"):
        assert kubeadm_networking({KUBEADM: {"ClusterConfiguration": text}}) == {}
    assert kubeadm_networking({}) == {}


def test_the_last_of_equal_flags_counts() -> None:
    assert flag(("--a", "1", "--a=2", "--ab=3"), "a") == "2"
    assert flag(("--a",), "a") == ""


PROXY = "kube-proxy"


def proxied(cidr: str, pods: list[dict[str, object]], *nodes: dict[str, object]) -> IpamView:
    return view_of(nodes=nodes, pods=pods, flags={PROXY: ("kube-proxy", f"--cluster-cidr={cidr}")})


@pytest.mark.parametrize(
    ("cidr", "pods", "nodes", "found"),
    [
        ("10.1.0.0/16", ["10.1.0.9"], [["10.1.0.0/24"], ["10.1.1.0/24"]], ["10.1.0.0/16"]),
        ("10.1.0.0/16", [], [["10.1.0.0/24"]], ["10.1.0.0/16"]),
        ("10.1.0.0/16", ["10.1.0.9"], [["10.1.0.0/24"], ["10.2.1.0/24"]], []),
        ("10.1.0.0/16", ["10.1.0.9"], [["10.1.0.0/24"], []], []),
        ("10.1.0.0/16", ["10.9.0.9"], [["10.1.0.0/24"]], []),
        ("10.1.0.0/16", [], [], []),
        ("10.224.0.0/12", ["10.224.0.9"], [[], []], []),
        ("10.96.0.0/12", ["10.1.0.9"], [["10.1.0.0/24"]], []),
        ("10.1.0.0/16,fd00::/48", ["10.1.0.9"], [["10.1.0.0/24", "fd00::/64"]], ["10.1.0.0/16", "fd00::/48"]),
        ("10.1.0.0/16, fd00::/48", ["10.1.0.9"], [["10.1.0.0/24"]], ["10.1.0.0/16"]),
        ("fd00::/48", ["fd00::9"], [["10.1.0.0/24", "fd00::/64"]], ["fd00::/48"]),
        ("", ["10.1.0.9"], [["10.1.0.0/24"]], []),
    ],
)
def test_what_kube_proxy_is_started_with_counts_where_all_nodes_and_pods_are_in_it(
    cidr: str, pods: list[str], nodes: list[list[str]], found: list[str]
) -> None:
    given = [node(f"n{at}", podCIDRs=blocks) for at, blocks in enumerate(nodes)]
    view = proxied(cidr, [pod("a", (text,)) for text in pods], *given)
    assert claims(view) == [(text, "kube-proxy pods", "--cluster-cidr", "derived") for text in found]


def test_anything_else_counts_more_than_what_kube_proxy_is_started_with() -> None:
    view = view_of(
        nodes=[node("n1", podCIDRs=["10.2.0.0/24"])],
        flags={PROXY: ("--cluster-cidr=10.2.0.0/15",)},
        configs=KUBEADM_CONFIG,
    )
    assert [claim[1] for claim in claims(view)] == ["kubeadm-config"]


def test_what_is_no_range_is_named() -> None:
    faults: list[str] = []
    view = proxied("10.1.0.1/16,rubbish,0.0.0.0/0,10.1.0.0/16,", [], node("n1", podCIDRs=["10.1.0.0/24"]))
    assert [item.cidr for item in cluster_claims(view, "pod", faults.append)] == ["10.1.0.0/16"]
    assert len(faults) == 3
    assert all(fault.startswith("--cluster-cidr of kube-proxy pods: ") for fault in faults)
