"""Cilium's pools in each mode: what is claimed, and counts that an address-by-address count agrees with."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.collectors.ipam import cilium_balancers
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.cilium import NODES, POD_POOLS, Cilium
from periplus_spoke.conversion.cni import uses_pod_cidr
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import node, pod, service

ADAPTER = Cilium()
DEFAULTS = {"ipam": "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.0/8", "routing-mode": "tunnel"}
Object = dict[str, object]


def cilium_node(name: str, *cidrs: str, **spec: object) -> Object:
    return {"metadata": {"name": name}, "spec": {"ipam": {"podCIDRs": list(cidrs)}, **spec}}


def cloud_node(name: str, given_: list[str], used: list[str]) -> Object:
    v4 = {text: {"resource": "eni-1"} for text in given_ if ":" not in text}
    v6: dict[str, Object] = {text: {} for text in given_ if ":" in text}
    return {
        "metadata": {"name": name},
        "spec": {"ipam": {"pool": v4, "ipv6-pool": v6}},
        "status": {"ipam": {"used": {text: {"owner": "default/a"} for text in used}}},
    }


def balancer_pool(name: str, *blocks: dict[str, str], **spec: object) -> Object:
    return {"metadata": {"name": name}, "spec": {"blocks": list(blocks), **spec}}


def view(
    config: dict[str, str] | None = None,
    nodes: list[Object] | None = None,
    pools: list[Object] | None = None,
    balancers: list[Object] | None = None,
    ingress: tuple[str, ...] = (),
) -> IpamView:
    """What is not given was not read."""
    custom: dict[WantedKind[Any], list[Object] | None]
    custom = {NODES: nodes, POD_POOLS: pools, cilium_balancers.POOLS: balancers}
    return view_of(
        nodes=[node("n1"), node("n2")],
        pods=[pod("a", ("10.0.0.9", "fd00::9")), pod("b", ("10.0.1.33",), node="n2")],
        services=[service("web", ingress=[{"ip": text} for text in ingress])],
        cnis=("cilium",),
        configs={"kube-system/cilium-config": config} if config is not None else {},
        custom={kind: objects for kind, objects in custom.items() if objects is not None},
    )


def healthy() -> IpamView:
    own = {"addresses": [{"type": "CiliumInternalIP", "ip": "10.0.0.7"}], "health": {"ipv4": "10.0.0.8"}}
    nodes = [cilium_node("n1", "10.0.0.0/24", **own), cilium_node("n2", "10.0.1.0/24")]
    return view(DEFAULTS, nodes, pools=[], balancers=[])


def full() -> IpamView:
    return view({**DEFAULTS, "cluster-pool-ipv4-cidr": "10.0.0.0/24"}, [cilium_node("n1", "10.0.0.0/24")])


def dual_stack() -> IpamView:
    both = {**DEFAULTS, "cluster-pool-ipv4-cidr": "10.0.0.0/16, 10.9.0.0/16", "cluster-pool-ipv6-cidr": "fd00::/104"}
    return view(both, [cilium_node("n1", "10.0.0.0/24", "fd00::/120")])


def multi_pool() -> IpamView:
    allocated = [{"pool": "default", "cidrs": ["10.0.0.0/27"]}, {"pool": "mars", "cidrs": ["10.20.0.0/27"]}]
    pools = [
        {"metadata": {"name": "default"}, "spec": {"ipv4": {"cidrs": ["10.0.0.0/16"], "maskSize": 27}}},
        {"metadata": {"name": "mars"}, "spec": {"ipv4": {"cidrs": ["10.20.0.0/16"], "maskSize": 27}}},
    ]
    nodes: list[Object] = [{"metadata": {"name": "n1"}, "spec": {"ipam": {"pools": {"allocated": allocated}}}}]
    return view({"ipam": "multi-pool"}, nodes, pools=pools)


def cloud(mode: str = "eni") -> IpamView:
    nodes = [
        cloud_node("n1", ["10.5.0.4", "10.5.0.5", "fd00::5"], ["10.5.0.4"]),
        cloud_node("n2", ["10.5.0.6", "10.5.0.7", "10.5.0.9"], []),
    ]
    return view({"ipam": mode}, nodes)


def nodes_forbidden() -> IpamView:
    return view(DEFAULTS)


def config_forbidden() -> IpamView:
    return view(None, [cilium_node("n1", "10.0.0.0/24")])


def of(seen: IpamView) -> list[Allocation]:
    return ADAPTER.allocations(seen, lambda _: None)


def claims(seen: IpamView) -> list[tuple[str, str, str]]:
    return [(item.cidr, f"{item.source} {item.name}", item.reach) for item in of(seen) if not item.node]


def pools_of(seen: IpamView) -> dict[tuple[str, int, str | None], Pool]:
    return {(pool.name, pool.family, pool.node): pool for pool in ADAPTER.pools(seen, lambda _: None)}


def counts(pool: Pool) -> tuple[int | None, ...]:
    return pool.capacity, pool.assigned, pool.used, pool.free


class TestCilium(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        clouds = [cloud(mode) for mode in ("eni", "azure", "alibabacloud", "crd")]
        return [healthy(), full(), dual_stack(), multi_pool(), nodes_forbidden(), config_forbidden(), *clouds]

    def broken(self) -> IpamView:
        return view(
            {"ipam": "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.1/8 rubbish"},
            [cilium_node("n1", "10.0.0.1/24")],
            balancers=[balancer_pool("p", {"cidr": "x"}, {"start": "10.0.0.9", "stop": "10.0.0.2"}, {})],
        )

    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("flannel",), groups={"cilium.io": ("v2",)}, configs={})


def test_the_pool_of_the_cluster_is_a_claim_and_a_block_its_node_s() -> None:
    assert claims(healthy()) == [("10.0.0.0/8", "cilium-config cluster-pool-ipv4-cidr", "masqueraded")]
    assert {(item.cidr, item.node, item.source) for item in of(healthy()) if item.node} == {
        ("10.0.0.0/24", "n1", "CiliumNode"),
        ("10.0.1.0/24", "n2", "CiliumNode"),
    }
    assert [cidr for cidr, _, _ in claims(dual_stack())] == ["10.0.0.0/16", "10.9.0.0/16", "fd00::/104"]


def test_what_a_node_has_is_handed_out_to_no_other() -> None:
    found = pools_of(healthy())
    cluster = found["cluster-pool-ipv4-cidr", 4, None]
    assert counts(cluster) == (2**24, 512, 4, 2**24 - 512)
    assert cluster.largest_free_block == 9
    assert counts(found["n1", 4, "n1"]) == (256, 256, 3, 251)
    whole = pools_of(full())["cluster-pool-ipv4-cidr", 4, None]
    assert (whole.free, whole.largest_free_block) == (0, None)
    both = pools_of(dual_stack())
    assert counts(both["cluster-pool-ipv4-cidr", 4, None])[:2] == (2 * 65_536, 256)
    assert counts(both["cluster-pool-ipv6-cidr", 6, None])[:3] == (2**24, 256, 1)


def test_pools_of_multi_pool_are_named_as_they_are() -> None:
    assert [(cidr, name) for cidr, name, _ in claims(multi_pool())] == [
        ("10.0.0.0/16", "CiliumPodIPPool default"),
        ("10.20.0.0/16", "CiliumPodIPPool mars"),
    ]
    found = pools_of(multi_pool())
    assert counts(found["default", 4, None]) == (65_536, 32, 2, 65_504)
    assert counts(found["mars", 4, "n1"]) == (32, 32, 0, 30)


def test_addresses_of_a_cloud_s_network_are_only_seen() -> None:
    assert ADAPTER.shares_pod_range(cloud())
    assert not ADAPTER.shares_pod_range(healthy())
    assert {(item.cidr, item.quality) for item in of(cloud())} == {
        ("10.5.0.4/30", "seen"),
        ("10.5.0.9/32", "seen"),
        ("fd00::5/128", "seen"),
    }
    found = pools_of(cloud())
    assert counts(found["n1", 4, "n1"]) == (2, 2, 1, 1)
    assert counts(found["all nodes", 4, None]) == (None, 5, 1, None)
    unread = view({"ipam": "eni"})
    assert {item.source for item in of(unread)} == {"pods"}


@pytest.mark.parametrize(
    ("config", "reach"),
    [
        ({}, "masqueraded"),
        ({"routing-mode": "tunnel", "enable-ipv4-masquerade": "true"}, "masqueraded"),
        ({"routing-mode": "tunnel", "enable-ipv4-masquerade": "false"}, ""),
        ({"routing-mode": "native"}, ""),
        ({"routing-mode": "native", "enable-ipv4-masquerade": "false"}, "routed"),
        ({"tunnel": "disabled", "enable-ipv4-masquerade": "false"}, "routed"),
        ({"enable-bgp-control-plane": "true"}, ""),
    ],
)
def test_reach_follows_from_the_settings(config: dict[str, str], reach: str) -> None:
    pool = {"ipam": "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.0/8"}
    assert [found for _, _, found in claims(view(pool | config))] == [reach]


def test_without_nodes_only_the_settings_are_told() -> None:
    assert [name for _, name, _ in claims(nodes_forbidden())] == ["cilium-config cluster-pool-ipv4-cidr"]
    assert counts(pools_of(nodes_forbidden())["cluster-pool-ipv4-cidr", 4, None]) == (2**24, None, 2, None)
    assert [item.node for item in of(config_forbidden())] == ["n1"]


@pytest.mark.parametrize("mode", ["kubernetes", "delegated-plugin", "something-new"])
def test_other_modes_hand_out_nothing_of_cilium_s(mode: str) -> None:
    pools = [balancer_pool("lan", {"cidr": "172.18.0.0/28"})]
    seen = view({"ipam": mode}, [cilium_node("n1", "10.0.0.0/24")], balancers=pools)
    assert [item.kind for item in of(seen)] == ["loadbalancer"]
    assert [pool.scope for pool in ADAPTER.pools(seen, lambda _: None)] == ["lb"]
    delegated = {"kube-system/cilium-config": {"ipam": "delegated-plugin"}}
    assert uses_pod_cidr(("cilium",), delegated) is None


def test_pools_of_load_balancers() -> None:
    blocks = ({"cidr": "172.18.0.0/28"}, {"start": "172.19.0.2", "stop": "172.19.0.4"}, {"start": "fd01::1"})
    pools = [
        balancer_pool("lan", *blocks, allowFirstLastIPs="No"),
        balancer_pool("off", {"cidr": "10.7.0.0/30"}, disabled=True),
    ]
    old: Object = {"metadata": {"name": "old"}, "spec": {"cidrs": [{"cidr": "10.8.0.0/30"}], "disabled": True}}
    seen = view({"ipam": "kubernetes"}, balancers=[*pools, old], ingress=("172.18.0.5", "172.19.0.3", "10.8.0.1"))
    assert [(cidr, name) for cidr, name, _ in claims(seen)] == [
        ("172.18.0.0/28", "CiliumLoadBalancerIPPool lan"),
        ("172.19.0.2/31", "CiliumLoadBalancerIPPool lan"),
        ("172.19.0.4/32", "CiliumLoadBalancerIPPool lan"),
        ("fd01::1/128", "CiliumLoadBalancerIPPool lan"),
        ("10.8.0.0/30", "CiliumLoadBalancerIPPool old"),
    ]
    found = pools_of(seen)
    assert counts(found["lan", 4, None]) == (15, None, 2, 13)
    assert counts(found["lan", 6, None]) == (1, None, 0, 1)
    assert counts(found["off", 4, None]) == (4, None, 0, 4)


def test_bad_objects_are_named_and_the_rest_goes_on() -> None:
    faults: list[str] = []
    nodes = [cilium_node("n1", "10.0.0.0/24", "10.0.1.1/24"), cilium_node("n2", "172.16.0.0/24"), Object()]
    seen = view(DEFAULTS, nodes, balancers=[balancer_pool("p", {"start": "10.0.0.1", "stop": "fd00::1"})])
    assert len(ADAPTER.pools(seen, faults.append)) == 3
    assert sorted(faults) == [
        "CiliumLoadBalancerIPPool p: '10.0.0.1-fd00::1' mixes IPv4 and IPv6",
        "CiliumNode n1: '10.0.1.1/24' has host bits set; the range would be 10.0.1.0/24",
    ]
    assert "172.16.0.0/24" in {item.cidr for item in of(seen)}, "it lies in no pool, and is held"
    faults.clear()
    strange = view({"ipam": "eni"}, [cloud_node("n1", ["10.0.0.1"], ["10.0.0.1", "10.0.0.2"])])
    assert [counts(pool) for pool in ADAPTER.pools(strange, faults.append)] == [(None, 1, 1, None), (1, 1, 1, 0)]
    assert faults == ["CiliumNode n1: 1 addresses are in use that it was not given"]


BLOCKS = [str(each) for each in ipaddress.ip_network("10.0.0.0/25").subnets(new_prefix=29)]
ADDRESSES = st.integers(0, 127).map(lambda at: str(ipaddress.ip_address("10.0.0.0") + at))


@given(st.dictionaries(st.sampled_from(BLOCKS), st.sampled_from(["n1", "n2"])), st.sets(ADDRESSES, max_size=20))
def test_counts_are_those_of_every_single_address(held: dict[str, str], addresses: set[str]) -> None:
    config = {"ipam": "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.0/26,10.0.0.64/27"}
    nodes = [cilium_node(name, *(cidr for cidr, owner in held.items() if owner == name)) for name in ("n1", "n2")]
    seen = view_of(
        pods=[pod(text, (text,)) for text in sorted(addresses)],
        cnis=("cilium",),
        configs={"kube-system/cilium-config": config},
        custom={NODES: nodes},
    )
    space = [ipaddress.ip_address("10.0.0.0") + at for at in range(96)]
    assigned = sum(any(address in ipaddress.ip_network(cidr) for cidr in held) for address in space)
    used = sum(str(address) in addresses for address in space)
    found = pools_of(seen)
    assert counts(found["cluster-pool-ipv4-cidr", 4, None]) == (96, assigned, used, 96 - assigned)
    for name in set(held.values()):
        mine = [ipaddress.ip_network(cidr) for cidr, owner in held.items() if owner == name]
        inside = sum(any(ipaddress.ip_address(text) in each for each in mine) for text in addresses)
        usable = 6 * len(mine)
        expected = (8 * len(mine), 8 * len(mine), min(inside, usable), max(usable - inside, 0))
        assert counts(found[name, 4, name]) == expected


def test_thousands_of_nodes_are_read_in_one_pass() -> None:
    everyone = zip(range(2_000), ipaddress.ip_network("10.0.0.0/8").subnets(new_prefix=24), strict=False)
    seen = view(DEFAULTS, [cilium_node(f"n{at}", str(network)) for at, network in everyone])
    assert len(ADAPTER.pools(seen, lambda _: None)) == 2_001
    assert len(of(seen)) == 2_001


def test_objects_are_kept_small() -> None:
    """Of what a cloud gave to a node only the addresses stay."""
    (kept,) = view({"ipam": "eni"}, [cloud_node("n1", ["10.0.0.1"], ["10.0.0.1"])]).objects(NODES)
    ipam: Any = kept.spec.ipam
    assert (ipam.pool, ipam.addresses) == (None, ("10.0.0.1",))
