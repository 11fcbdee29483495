"""Whether pods are reached from outside, by what their network plugin is set up with; unknown where nothing says it."""

import json

import pytest

from periplus_spoke.conversion.cluster_settings import cluster_claims
from periplus_spoke.conversion.ipam import IpamView
from periplus_spoke.conversion.pod_reach import ANTREA_CONFIG, FLANNEL_CONFIGS, pod_reach

from tests.support.ipam_contract import view_of
from tests.support.kube_objects import node


def flannel(backend: str, *, annotated: bool = False, cnis: tuple[str, ...] = ("flannel",)) -> IpamView:
    annotations = {"flannel.alpha.coreos.com/backend-type": backend} if annotated else {}
    network = {"Network": "10.244.0.0/16", "IPv6Network": "fd00:10::/56", "Backend": {"Type": backend}}
    configs = {} if annotated else {FLANNEL_CONFIGS[0]: {"net-conf.json": json.dumps(network)}}
    return view_of(nodes=[node("n1", annotations=annotations)], cnis=cnis, configs=configs)


@pytest.mark.parametrize("annotated", [True, False])
@pytest.mark.parametrize(
    ("backend", "reach"),
    [("vxlan", "masqueraded"), ("host-gw", "masqueraded"), ("aws-vpc", "routed"), ("alloc", ""), ("of-later", "")],
)
def test_flannel_by_its_backend(backend: str, reach: str, *, annotated: bool) -> None:
    assert pod_reach(flannel(backend, annotated=annotated)) == reach


def test_nodes_with_different_backends_are_half_way_and_not_known() -> None:
    key = "flannel.alpha.coreos.com/backend-type"
    nodes = [node("a", annotations={key: "vxlan"}), node("b", annotations={key: "aws-vpc"})]
    assert pod_reach(view_of(nodes=nodes, cnis=("flannel",))) == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Backend": 7}', '{"Backend": {}}'])
def test_flannel_that_says_nothing(text: str) -> None:
    assert pod_reach(view_of(cnis=("flannel",), configs={FLANNEL_CONFIGS[0]: {"net-conf.json": text}})) == ""


def test_flannel_names_the_range_of_the_cluster_and_its_reach() -> None:
    claims = cluster_claims(flannel("vxlan"), "pod", lambda _: None)
    assert [(claim.cidr, claim.quality, claim.reach) for claim in claims] == [
        ("10.244.0.0/16", "exact", "masqueraded"),
        ("fd00:10::/56", "exact", "masqueraded"),
    ]


def test_what_another_plugin_left_behind_is_not_read() -> None:
    assert cluster_claims(flannel("vxlan", cnis=("calico",)), "pod", lambda _: None) == []
    assert pod_reach(flannel("vxlan", cnis=("calico", "flannel"))) == ""
    assert pod_reach(flannel("vxlan", cnis=("flannel", "whereabouts"))) == "masqueraded"


@pytest.mark.parametrize(
    ("text", "reach"),
    [
        ("", "masqueraded"),
        ("#trafficEncapMode: encap", "masqueraded"),
        ("trafficEncapMode: hybrid", "masqueraded"),
        ("trafficEncapMode: noEncap", ""),
        ("trafficEncapMode: noEncap\nnoSNAT: true", "routed"),
        ("trafficEncapMode: networkPolicyOnly", ""),
    ],
)
def test_antrea_by_its_mode(text: str, reach: str) -> None:
    assert pod_reach(view_of(cnis=("antrea",), configs={ANTREA_CONFIG: {"antrea-agent.conf": text}})) == reach
    assert pod_reach(view_of(cnis=("antrea",))) == ""


def test_gke_routes_pods_and_of_others_nothing_is_known() -> None:
    assert pod_reach(view_of(cnis=("gke",))) == "routed"
    for ipam, reach in (("kubernetes", "routed"), ("cluster-pool", "")):
        configs = {"kube-system/cilium-config": {"ipam": ipam}}
        assert pod_reach(view_of(cnis=("cilium", "gke"), configs=configs)) == reach
    assert pod_reach(view_of(cnis=("unknown",))) == ""
