"""Azure CNI: overlay blocks are claims behind the nodes; addresses of the VNet are seen and routed."""

from collections.abc import Sequence
from typing import Any

from periplus_spoke.collectors.ipam.azure_cni import CONFIG_KIND, AzureCni
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.reading import POD_RANGE, Reading, read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.conversion.ipam import IpamView

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import Object, node, pod

ADAPTER = AzureCni()
FACTS = DetectFacts(cnis=("azure-cni",), groups={"acn.azure.com": ("v1alpha",)}, configs={})
OVERLAY = {"kubernetes.azure.com/podnetwork-type": "overlay"}
SUBNET = {"kubernetes.azure.com/podnetwork-subnet": "pods"}


def container(kind: str, primary: str, space: str, **more: Any) -> Object:
    return {"type": kind, "primaryIP": primary, "subnetAddressSpace": space, "subnetName": "pods", **more}


def config(name: str, *containers: Object, assigned: int = 256) -> Object:
    status = {"assignedIPCount": assigned, "networkContainers": list(containers)}
    return {"metadata": {"name": name, "namespace": "kube-system"}, "status": status}


V4 = config("a", container("overlay", "10.244.0.0/24", "10.244.0.0/16"))
DUAL = config(
    "b",
    container("overlay", "fd00:7545::100/120", "fd00:7545::/64"),
    container("overlay", "10.244.1.0/24", "10.244.0.0/16"),
    assigned=512,
)
NODES = [node("a", labels=OVERLAY), node("b", labels=OVERLAY)]
PODS = [pod("web", ("10.244.0.17",), node="a"), pod("db", ("10.244.1.23", "fd00:7545::107"), node="b")]
IN_SUBNET = [
    config("a", container("vnet", "10.50.1.4", "10.50.1.0/24")),
    config("b", container("vnet", "10.50.1.5", "10.50.1.0/24", status="NCUpdateSubnetFullError")),
]
SUBNET_PODS = [pod("web", ("10.50.1.17",), node="a"), pod("db", ("10.50.1.18",), node="b")]


def cluster(
    configs: Sequence[Object] | None,
    pods: Sequence[Object] = PODS,
    nodes: Sequence[Object] = NODES,
    cnis: Sequence[str] = ("azure-cni",),
) -> IpamView:
    return view_of(nodes=nodes, pods=pods, cnis=cnis, custom=None if configs is None else {CONFIG_KIND: configs})


def read(view: IpamView) -> Reading:
    return read_adapters(ADAPTERS, view, FACTS, 1)


def told(view: IpamView) -> set[tuple[str, str, str, str]]:
    found = ADAPTER.allocations(view, lambda _: None)
    return {(item.cidr, item.node, item.quality, item.reach) for item in found}


class TestAzureCni(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        plain = [node("a"), node("b")]
        return [cluster([V4, DUAL]), cluster([V4], PODS[:1], NODES[:1]), cluster(IN_SUBNET, SUBNET_PODS, plain)]

    def broken(self) -> IpamView:
        odd = container("overlay", "rubbish", "0.0.0.0/0")
        return cluster([config("a", odd, container("vnet", "10.50.1.4", "10.50.1.7/24"))], ())

    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("flannel",), groups={}, configs={})


def test_an_overlay_is_a_range_of_the_cluster_and_blocks_of_nodes_behind_their_addresses() -> None:
    assert told(cluster([V4, DUAL])) == {
        ("10.244.0.0/16", "", "exact", "masqueraded"),
        ("fd00:7545::/64", "", "exact", "masqueraded"),
        ("10.244.0.0/24", "a", "exact", "masqueraded"),
        ("10.244.1.0/24", "b", "exact", "masqueraded"),
        ("fd00:7545::100/120", "b", "exact", "masqueraded"),
    }
    assert read(cluster([V4, DUAL])).sources[POD_RANGE].state == "ok"


def test_pools_of_an_overlay() -> None:
    pools = {(pool.name, pool.family): pool for pool in ADAPTER.pools(cluster([V4, DUAL]), lambda _: None)}
    block = pools["a", 4]
    assert (block.capacity, block.assigned, block.used, block.free, block.node) == (256, 256, 1, 255, "a")
    whole = pools["overlay", 4]
    assert (whole.scope, whole.capacity, whole.assigned, whole.used, whole.free) == (
        "cluster",
        65_536,
        512,
        2,
        65_024,
    )
    assert pools["overlay", 6].capacity == 2**64


def test_an_overlay_without_readable_objects_tells_its_addresses_and_that_the_range_is_not_known() -> None:
    for view in (cluster(None), cluster([])):
        assert {item[2:] for item in told(view)} == {("seen", "masqueraded")}
        assert not ADAPTER.shares_pod_range(view)
        assert read(view).sources[POD_RANGE].reason == "range_not_known"


def test_addresses_of_a_subnet_are_seen_and_it_may_be_full() -> None:
    view = cluster(IN_SUBNET, SUBNET_PODS, [node("a", labels=SUBNET), node("b", labels=SUBNET)])
    assert told(view) == {("10.50.1.17/32", "", "seen", "routed"), ("10.50.1.18/32", "", "seen", "routed")}
    assert ADAPTER.shares_pod_range(view)
    (pool,) = ADAPTER.pools(view, lambda _: None)
    assert (pool.name, pool.capacity, pool.reserved, pool.used, pool.free) == ("pods", 251, 5, 2, 0)
    (roomy,) = ADAPTER.pools(cluster(IN_SUBNET[:1], SUBNET_PODS), lambda _: None)
    assert roomy.free is None


def test_pods_in_the_nodes_subnet_leave_no_sign_but_that_nothing_else_is_there() -> None:
    plain = [node("a"), node("b")]
    assert ADAPTER.shares_pod_range(cluster([], SUBNET_PODS, plain))
    assert {item[3] for item in told(cluster([], SUBNET_PODS, plain))} == {"routed"}
    unread = cluster(None, SUBNET_PODS, plain)
    assert not ADAPTER.shares_pod_range(unread)
    assert {item[3] for item in told(unread)} == {""}


def test_nodes_with_pod_cidrs_are_not_in_the_mode_that_leaves_no_sign() -> None:
    kubenet = [node("a", podCIDRs=["10.244.0.0/24"]), node("b", podCIDRs=["10.244.1.0/24"])]
    view = cluster([], PODS, kubenet)
    assert not ADAPTER.shares_pod_range(view)
    assert {item[3] for item in told(view)} == {""}
    assert read(view).sources[POD_RANGE].reason == "range_not_known"


def test_half_way_between_the_modes_each_node_is_its_own() -> None:
    view = cluster([V4, IN_SUBNET[1]], [PODS[0], SUBNET_PODS[1]], [node("a", labels=OVERLAY), node("b")])
    assert ("10.244.0.0/24", "a", "exact", "masqueraded") in told(view)
    assert ("10.50.1.18/32", "", "seen", "routed") in told(view)
    assert not ADAPTER.shares_pod_range(view)


def test_a_plugin_that_was_brought_along_is_not_azures() -> None:
    brought = cluster([], PODS, [node("a"), node("b")], ("azure-cni", "cilium"))
    assert "no node has addresses of Azure CNI (network plugin: cilium)" in ADAPTER.silent_because(brought)
    assert not ADAPTER.shares_pod_range(brought)
    assert told(brought) == set()
    powered = cluster([V4, DUAL], cnis=("azure-cni", "cilium"))
    assert ADAPTER.silent_because(powered) == ""


def test_half_written_objects_are_ordinary() -> None:
    faults: list[str] = []
    half: list[Object] = [{"metadata": {"name": "a"}}, {}, {"metadata": {"name": "b"}, "status": {}}]
    assert ADAPTER.pools(cluster(half), faults.append) == []
    assert faults == []


def test_thousands_of_nodes() -> None:
    nodes = [node(f"n{number}", labels=OVERLAY) for number in range(2000)]
    blocks = [f"10.{64 + number // 256}.{number % 256}.0/24" for number in range(2000)]
    configs = [config(f"n{number}", container("overlay", block, "10.64.0.0/12")) for number, block in enumerate(blocks)]
    view = cluster(configs, (), nodes)
    assert len(ADAPTER.allocations(view, lambda _: None)) == 2001
    whole = ADAPTER.pools(view, lambda _: None)[-1]
    assert (whole.assigned, whole.free) == (2000 * 256, 2**20 - 2000 * 256)
