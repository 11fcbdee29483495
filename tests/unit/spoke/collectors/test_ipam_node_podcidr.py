"""Pod ranges of nodes: believed when the plugin uses them, or when the pods say so."""

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.node_podcidr import NodePodCidr
from periplus_spoke.collectors.ipam.observed import ObservedPods
from periplus_spoke.conversion.ipam import IpamView

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import node, pod

KUBEADM = {"kube-system/kubeadm-config": {"ClusterConfiguration": "networking: {podSubnet: '10.244.0.0/16,fd00::/48'}"}}
DUAL = node("n1", podCIDRs=["10.244.0.0/24", "fd00:0:0:1::/64"])
ADAPTER = NodePodCidr()


def facts(*cnis: str, ipam: str = "") -> DetectFacts:
    return DetectFacts(cnis=cnis, groups={}, configs={"kube-system/cilium-config": {"ipam": ipam}})


def ordinary() -> IpamView:
    return view_of(
        nodes=[DUAL, node("n2", podCIDR="10.244.1.0/24")],
        pods=[
            pod("a", ("10.244.0.5", "fd00:0:0:1::5")),
            pod("b", ("10.244.1.7",), node="n2"),
            pod("host", ("192.168.0.10",), host_network=True),
            pod("done", ("10.244.0.9",), phase="Succeeded"),
            pod("waiting"),
        ],
        configs=KUBEADM,
    )


def broken() -> IpamView:
    return view_of(nodes=[node("n1", podCIDRs=["10.244.0.1/24", "0.0.0.0/0", "::ffff:10.0.0.0/120", "rubbish"])])


class TestNodePodCidr(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        return [ordinary()]

    def broken(self) -> IpamView:
        return broken()

    def elsewhere(self) -> DetectFacts:
        return facts("aws-vpc-cni")


class TestObservedPods(IpamAdapterContract):
    adapter = ObservedPods()
    last_resort = True

    def ordinary(self) -> list[IpamView]:
        return [ordinary()]

    def broken(self) -> IpamView:
        return view_of(pods=[pod("mapped", ("::ffff:10.0.0.1",))])

    def elsewhere(self) -> DetectFacts:
        return facts("flannel")


def test_used_counts_pods_that_hold_an_address_of_their_node() -> None:
    pools = {(pool.name, pool.family): pool for pool in ADAPTER.pools(ordinary(), lambda _: None)}
    n1 = pools["n1", 4]
    assert (n1.capacity, n1.assigned, n1.used, n1.free, n1.quality) == (256, 256, 1, 252, "derived")
    assert pools["n1", 6].capacity == 2**64
    assert pools["n1", 6].used == 1
    cluster = pools["podSubnet", 4]
    assert (cluster.scope, cluster.capacity, cluster.assigned, cluster.used) == ("cluster", 65_536, 512, 2)
    assert cluster.free == 65_536 - 512
    assert (n1.reserved, pools["n1", 6].reserved, cluster.largest_free_block) == (3, 2, 17)


def test_a_cluster_has_free_what_no_node_was_given() -> None:
    """A node's block is that node's, however few pods it has; one given twice by mistake is gone once."""
    nodes = [node("n1", podCIDR="10.244.0.0/17"), node("n2", podCIDR="10.244.128.0/18")]
    view = view_of(nodes=[*nodes, node("n3", podCIDR="10.244.128.0/18")], configs=KUBEADM)
    (cluster,) = [pool for pool in ADAPTER.pools(view, lambda _: None) if (pool.scope, pool.family) == ("cluster", 4)]
    assert (cluster.capacity, cluster.assigned, cluster.used, cluster.free) == (65_536, 49_152, 0, 16_384)
    assert cluster.largest_free_block == 18


def test_impossible_ranges_are_named() -> None:
    faults: list[str] = []
    assert ADAPTER.pools(broken(), faults.append) == []
    text = " ".join(faults)
    for part in ("host bits", "every address", "IPv4-mapped", "'rubbish' is not a CIDR", "node n1"):
        assert part in text


def test_plugins_that_ignore_node_ranges_silence_it() -> None:
    assert not ADAPTER.detect(facts("cilium", ipam="cluster-pool"))
    assert ADAPTER.detect(facts("cilium", ipam="kubernetes"))
    assert ADAPTER.detect(facts("flannel"))
    assert ADAPTER.detect(facts("unknown"))
    view = view_of(nodes=[DUAL], cnis=("calico",))
    assert "calico does not take pod addresses" in ADAPTER.silent_because(view)


def test_pods_outside_speak_against_it_where_the_plugin_is_unknown() -> None:
    view = view_of(nodes=[DUAL], pods=[pod("a", ("172.16.0.5",)), pod("b", ("172.16.0.6",))])
    assert "outside" in ADAPTER.silent_because(view)
    assert ADAPTER.pools(view, lambda _: None) == []
    assert ADAPTER.allocations(view, lambda _: None) == []
    assert ADAPTER.silent_because(ordinary()) == ""


def test_what_is_only_seen_is_never_widened() -> None:
    view = view_of(pods=[pod("a", ("10.1.0.4",)), pod("b", ("10.1.0.5",)), pod("c", ("fd00::1",))])
    found = ObservedPods().allocations(view, lambda _: None)
    assert [(item.cidr, item.quality) for item in found] == [("10.1.0.4/31", "seen"), ("fd00::1/128", "seen")]
    (v4, v6) = ObservedPods().pools(view, lambda _: None)
    assert (v4.used, v4.capacity, v6.used) == (2, None, 1)
