"""OVN-Kubernetes and OpenShift: blocks in annotations, ranges in the cluster's settings, networks of users beside."""

import json
from collections.abc import Sequence

import pytest

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.ovn_kubernetes import OvnKubernetes
from periplus_spoke.collectors.ipam.reading import POD_RANGE, Reading, read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.conversion.cluster_settings import OVN_CONFIG, cluster_claims
from periplus_spoke.conversion.ipam import IpamView
from periplus_spoke.conversion.ovn_objects import (
    CLUSTER_USER_NETWORKS,
    OPENSHIFT_NETWORKS,
    ROUTE_ADVERTISEMENTS,
    USER_NETWORKS,
)

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import Object, node, pod

ADAPTER = OvnKubernetes()
FACTS = DetectFacts(cnis=("ovn-kubernetes",), groups={"k8s.ovn.org": ("v1",)}, configs={})
RANGES = {
    "clusterNetwork": [{"cidr": "10.128.0.0/14", "hostPrefix": 23}, {"cidr": "fd01::/48", "hostPrefix": 64}],
    "serviceNetwork": ["172.30.0.0/16"],
}
OPENSHIFT = {"metadata": {"name": "cluster"}, "status": RANGES}
UDN = {
    "metadata": {"name": "tenant", "namespace": "blue"},
    "spec": {"topology": "Layer3", "layer3": {"subnets": [{"cidr": "10.20.0.0/16", "hostSubnet": 24}]}},
}
CUDN = {
    "metadata": {"name": "lan"},
    "spec": {
        "network": {
            "topology": "Localnet",
            "localnet": {"subnets": ["192.168.8.0/24"], "excludeSubnets": ["192.168.8.0/25"]},
        }
    },
}
PODS = [pod("web", ("10.130.0.9", "fd01:0:0:1::9"))]


def annotated(name: str, subnets: object) -> Object:
    return node(name, annotations={"k8s.ovn.org/node-subnets": json.dumps(subnets)}, podCIDRs=["10.244.0.0/24"])


BOTH = annotated("n1", {"default": ["10.130.0.0/23", "fd01:0:0:1::/64"], "tenant": "10.20.3.0/24"})
ONE = annotated("n2", {"default": "10.131.0.0/23"})


def cluster(
    nodes: Sequence[Object] = (BOTH, ONE),
    pods: Sequence[Object] = PODS,
    openshift: Sequence[Object] = (OPENSHIFT,),
    *,
    configs: dict[str, dict[str, str]] | None = None,
    **networks: Sequence[Object],
) -> IpamView:
    """`networks` are `udns`, `cudns` and `advertised` routes."""
    custom = {
        OPENSHIFT_NETWORKS: openshift,
        USER_NETWORKS: networks.get("udns", ()),
        CLUSTER_USER_NETWORKS: networks.get("cudns", ()),
        ROUTE_ADVERTISEMENTS: networks.get("advertised", ()),
    }
    return view_of(nodes=nodes, pods=pods, cnis=("ovn-kubernetes",), custom=custom, configs=configs)


def read(view: IpamView) -> Reading:
    return read_adapters(ADAPTERS, view, FACTS, 1)


class TestOvnKubernetes(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        return [cluster(), cluster(udns=[UDN], cudns=[CUDN]), cluster([ONE], (), ())]

    def broken(self) -> IpamView:
        nodes = [annotated("n1", {"default": ["10.130.0.1/23", "rubbish"]}), annotated("n2", [1]), annotated("n3", {})]
        udn = {"metadata": {"name": "odd"}, "spec": {"layer2": {"subnets": ["0.0.0.0/0"]}}}
        return cluster(nodes, (), (), udns=[udn])

    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("cilium",), groups={}, configs={})


def test_blocks_are_the_nodes_and_hidden_behind_them() -> None:
    found = ADAPTER.allocations(cluster(), lambda _: None)
    assert {(item.cidr, item.node, item.reach) for item in found} == {
        ("10.130.0.0/23", "n1", "masqueraded"),
        ("fd01:0:0:1::/64", "n1", "masqueraded"),
        ("10.131.0.0/23", "n2", "masqueraded"),
    }
    pools = {(pool.name, pool.family): pool for pool in ADAPTER.pools(cluster(), lambda _: None)}
    assert (pools["n1", 4].capacity, pools["n1", 4].used, pools["n1", 4].free) == (512, 1, 507)
    assert (pools["clusterNetwork", 4].assigned, pools["clusterNetwork", 4].largest_free_block) == (1024, 15)


def test_openshift_says_the_ranges_of_the_cluster() -> None:
    reading = read(cluster())
    assert reading.sources[POD_RANGE].state == "ok"
    wide = {(item.cidr, item.quality, item.reach) for item in reading.allocations if not item.node}
    assert wide == {("10.128.0.0/14", "exact", "masqueraded"), ("fd01::/48", "exact", "masqueraded")}
    (services,) = cluster_claims(cluster(), "service", lambda _: None)
    assert (services.cidr, services.quality, services.source) == (
        "172.30.0.0/16",
        "exact",
        "network.config.openshift.io",
    )


def test_what_the_network_operator_has_not_set_up_yet_is_only_written_down() -> None:
    view = cluster(openshift=[{"metadata": {"name": "cluster"}, "spec": RANGES}])
    assert {claim.quality for claim in cluster_claims(view, "pod", lambda _: None)} == {"nominal"}
    assert cluster_claims(cluster(openshift=[{"metadata": {"name": "other"}, "status": RANGES}]), "pod", print) == []


def test_without_openshift_its_own_configuration_says_them() -> None:
    configs = {OVN_CONFIG: {"net_cidr": "10.128.0.0/14/23,fd01::/48/64", "svc_cidr": "172.30.0.0/16"}}
    view = cluster(openshift=(), configs=configs)
    assert [claim.cidr for claim in cluster_claims(view, "pod", print)] == ["10.128.0.0/14", "fd01::/48"]
    assert [claim.cidr for claim in cluster_claims(view, "service", print)] == ["172.30.0.0/16"]
    assert read(cluster(openshift=())).sources[POD_RANGE].reason == "range_not_known"


def test_advertised_pods_are_not_hidden() -> None:
    advertised = [{"metadata": {"name": "bgp"}, "spec": {"advertisements": ["PodNetwork"]}}]
    view = cluster(advertised=advertised)
    assert {item.reach for item in ADAPTER.allocations(view, lambda _: None)} == {""}
    egress = cluster(advertised=[{"metadata": {"name": "ips"}, "spec": {"advertisements": ["EgressIP"]}}])
    assert {item.reach for item in ADAPTER.allocations(egress, lambda _: None)} == {"masqueraded"}


def test_networks_of_users_are_ranges_without_blocks_and_say_nothing_about_the_clusters() -> None:
    view = cluster(openshift=(), udns=[UDN], cudns=[CUDN])
    users = [item for item in ADAPTER.allocations(view, lambda _: None) if not item.node]
    assert {(item.cidr, item.name, item.reach) for item in users} == {
        ("10.20.0.0/16", "blue/tenant", "masqueraded"),
        ("192.168.8.128/25", "lan", "routed"),
    }
    assert read(view).sources[POD_RANGE].reason == "range_not_known"
    scopes = {pool.name: pool.scope for pool in ADAPTER.pools(view, lambda _: None)}
    assert (scopes["blue/tenant"], scopes["lan"]) == ("namespace", "cluster")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"default": 7}', '{"default": [7]}', "[" * 9000])
def test_annotations_that_cannot_be_are_named(text: str) -> None:
    faults: list[str] = []
    view = cluster([node("n1", annotations={"k8s.ovn.org/node-subnets": text}), ONE], ())
    assert {item.node for item in ADAPTER.allocations(view, faults.append)} == {"n2"}
    assert bool(faults) is bool(text)


def test_thousands_of_nodes() -> None:
    nodes = [annotated(f"n{n}", {"default": f"10.{128 + n // 128}.{n % 128 * 2}.0/23"}) for n in range(500)]
    assert len(ADAPTER.pools(cluster(nodes, ()), lambda _: None)) == 502


def test_a_cluster_network_that_was_extended_is_a_pool_per_range() -> None:
    """OpenShift appends to clusterNetwork: the first keeps its name, and so what is known of it."""
    ranges = [{"cidr": "10.128.0.0/14", "hostPrefix": 23}, {"cidr": "10.132.0.0/14", "hostPrefix": 23}]
    network = {"metadata": {"name": "cluster"}, "status": {"clusterNetwork": ranges}}
    view = cluster([annotated("n1", {"default": "10.130.0.0/23"})], (), [network])
    pools = {pool.name: pool.assigned for pool in ADAPTER.pools(view, lambda _: None) if pool.scope == "cluster"}
    assert pools == {"clusterNetwork": 512, "clusterNetwork 10.132.0.0/14": 0}
