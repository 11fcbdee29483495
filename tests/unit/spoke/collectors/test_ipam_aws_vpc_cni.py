"""AWS VPC CNI: pods have addresses of the VPC, which are told as seen and never widened."""

from collections.abc import Sequence

import pytest

from periplus_spoke.collectors.ipam.aws_vpc_cni import ENI_CONFIGS, AwsVpcCni
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.reading import POD_RANGE, read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.conversion.cni import CILIUM_CONFIG
from periplus_spoke.conversion.ipam import IpamView

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import Object, node, pod

ADAPTER = AwsVpcCni()
NODES = [
    node("a", providerID="aws:///eu-central-1a/i-0a", podCIDRs=["10.244.0.0/24"]),
    node("b", providerID="aws:///eu-central-1b/i-0b"),
]
PODS = [
    pod("web", ("10.40.3.20",), node="a"),
    pod("db", ("10.40.3.21",), node="b"),
    pod("far", ("10.40.18.9",), node="b"),
]
CUSTOM = [{"metadata": {"name": "eu-central-1a"}, "spec": {"subnet": "subnet-0a"}}]


def cluster(
    pods: Sequence[Object] = PODS,
    nodes: Sequence[Object] = NODES,
    cnis: Sequence[str] = ("aws-vpc-cni",),
    *,
    eni_configs: Sequence[Object] | None = (),
    cilium: dict[str, str] | None = None,
    settings: tuple[str, ...] | None = None,
) -> IpamView:
    custom = None if eni_configs is None else {ENI_CONFIGS: eni_configs}
    flags = None if settings is None else {"aws-node": settings}
    configs = {CILIUM_CONFIG: cilium or {}}
    return view_of(nodes=nodes, pods=pods, cnis=cnis, custom=custom, configs=configs, flags=flags)


def facts(*cnis: str) -> DetectFacts:
    return DetectFacts(cnis=cnis, groups={}, configs={})


def told(view: IpamView) -> list[tuple[str, str]]:
    return [(item.cidr, item.reach) for item in ADAPTER.allocations(view, lambda _: None)]


class TestAwsVpcCni(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        dual = pod("v6", ("10.40.3.30", "2a05:d014::30"))
        return [cluster(), cluster(eni_configs=CUSTOM), cluster(eni_configs=None), cluster(pods=[dual])]

    def broken(self) -> IpamView:
        return cluster(pods=[pod("mapped", ("::ffff:10.0.0.1",)), pod("odd", ("rubbish",))])

    def elsewhere(self) -> DetectFacts:
        return facts("calico")


def test_addresses_are_told_as_they_are_and_counted_out_of_an_unknown_number() -> None:
    found = ADAPTER.allocations(cluster(), lambda _: None)
    assert {(item.kind, item.quality, item.node) for item in found} == {("pod", "seen", "")}
    assert told(cluster()) == [("10.40.3.20/31", "routed"), ("10.40.18.9/32", "routed")]
    (pool,) = ADAPTER.pools(cluster(), lambda _: None)
    assert (pool.used, pool.capacity, pool.free, pool.quality) == (3, None, None, "derived")


def test_how_pods_of_another_subnet_leave_the_vpc_is_not_known() -> None:
    dual = [pod("v6", ("100.64.3.30", "2a05:d014::30"))]
    assert told(cluster(dual, eni_configs=CUSTOM)) == [("100.64.3.30/32", ""), ("2a05:d014::30/128", "routed")]
    assert told(cluster(dual, eni_configs=None))[0] == ("100.64.3.30/32", "")


CUSTOM_NETWORKING = "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG=true"
OWN_SUBNETS = [pod("a", ("100.64.3.30",), node="a"), pod("b", ("198.19.0.7",), node="b")]


@pytest.mark.parametrize(
    ("pods", "settings", "reach"),
    [
        (PODS, (CUSTOM_NETWORKING,), "masqueraded"),
        (PODS, (CUSTOM_NETWORKING, "AWS_VPC_K8S_CNI_EXTERNALSNAT=false"), "masqueraded"),
        (PODS, (CUSTOM_NETWORKING, "AWS_VPC_K8S_CNI_EXTERNALSNAT=true"), "routed"),
        (PODS, (CUSTOM_NETWORKING, "AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS=10.0.0.0/8"), ""),
        (PODS, (), ""),
        (OWN_SUBNETS, (), "masqueraded"),
        ([*OWN_SUBNETS, *PODS], (), ""),
    ],
)
def test_aws_node_says_how_pods_of_other_subnets_leave_the_vpc(
    pods: Sequence[Object], settings: tuple[str, ...], reach: str
) -> None:
    found = told(cluster(pods, eni_configs=CUSTOM, settings=settings))
    assert found
    assert {each for _, each in found} == {reach}


def test_pods_beside_nodes_in_a_range_for_pods_are_not_told_apart() -> None:
    nodes = [*NODES, node("c", addresses=[{"type": "InternalIP", "address": "100.64.1.9"}])]
    assert {each for _, each in told(cluster(OWN_SUBNETS, nodes, eni_configs=CUSTOM, settings=()))} == {""}


def test_what_pods_use_is_unknown_where_pods_cannot_be_read() -> None:
    view = cluster()
    view.has_pods = False
    (pool,) = ADAPTER.pools(view, lambda _: None)
    assert pool.used is None


def test_a_cluster_in_shared_subnets_lacks_no_range() -> None:
    reading = read_adapters(ADAPTERS, cluster(), facts("aws-vpc-cni"), 1)
    assert reading.sources[POD_RANGE].state == "ok"
    assert {(item.provider, item.quality) for item in reading.allocations} == {("aws-vpc-cni", "seen")}


def test_it_is_silent_where_cilium_has_taken_over() -> None:
    both = ("aws-vpc-cni", "cilium")
    assert "Cilium hands out" in ADAPTER.silent_because(cluster(cnis=both, cilium={"ipam": "cluster-pool"}))
    chained = {"ipam": "cluster-pool", "cni-chaining-mode": "aws-cni"}
    assert ADAPTER.silent_because(cluster(cnis=both, cilium=chained)) == ""
    assert ADAPTER.silent_because(cluster(cnis=both, cilium={"ipam": "eni"})) == ""


def test_pods_on_nodes_outside_of_aws_are_not_its_own() -> None:
    nodes = [*NODES, node("hall", providerID="eks-hybrid:///eu-central-1/shop/mi-0c")]
    pods = [*PODS, pod("edge", ("10.85.0.7",), node="hall")]
    view = cluster(pods, nodes, ("aws-vpc-cni", "cilium"), cilium={"ipam": "cluster-pool"})
    assert ADAPTER.silent_because(view) == ""
    assert not ADAPTER.shares_pod_range(view)
    assert "10.85.0.7/32" not in dict(told(view))


def test_thousands_of_pods_are_few_rows() -> None:
    pods = [pod(f"p{number}", (f"10.40.{number // 256}.{number % 256}",)) for number in range(4096)]
    assert [item.cidr for item in ADAPTER.allocations(cluster(pods), lambda _: None)] == ["10.40.0.0/20"]
