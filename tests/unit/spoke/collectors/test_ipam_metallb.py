"""MetalLB: what its pools may hand out, and how much of it is in use."""

import ipaddress
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.metallb import OLD_CONFIG, OLD_POOL_KIND, POOL_KIND, MetalLb
from periplus_spoke.collectors.ipam.reading import read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.conversion.ipam import IpamView, Pool

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import Object, service

ADAPTER = MetalLb()
FACTS = DetectFacts(cnis=("flannel",), groups={"metallb.io": ("v1beta1",)}, configs={})


def address_pool(name: str, *addresses: str, status: dict[str, int] | None = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "metallb-system"},
        "spec": {"addresses": list(addresses), **spec},
        "status": status or {},
    }


def balancer(name: str, *addresses: str) -> Object:
    return service(name, type="LoadBalancer", ingress=[{"ip": address} for address in addresses])


def cluster(pools: Sequence[Object], services: Sequence[Object] = ()) -> IpamView:
    return view_of(services=services, custom={POOL_KIND: pools})


def only_pool(view: IpamView) -> Pool:
    (pool,) = ADAPTER.pools(view, lambda _: None)
    return pool


LAN = address_pool("lan", "172.25.140.2-172.25.140.250")
SERVICES = [balancer("a", "172.25.140.2"), balancer("b", "172.25.140.2"), balancer("c", "172.25.140.9", "10.9.9.9")]


class TestMetalLb(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        dual = address_pool("dual", "10.1.0.0/24", "fd00:1::10-fd00:1::1f")
        return [cluster([LAN], SERVICES), cluster([dual]), cluster([LAN, dual], [balancer("a", "fd00:1::11")])]

    def broken(self) -> IpamView:
        return cluster([address_pool("odd", "10.0.0.9-10.0.0.1", "10.0.0.1-fd00::1", "0.0.0.0/0", "rubbish")])

    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("cilium",), groups={"cilium.io": ("v2",)}, configs={})


def test_a_range_is_claimed_as_the_fewest_cidrs() -> None:
    found = ADAPTER.allocations(cluster([LAN], SERVICES), lambda _: None)
    assert {(i.kind, i.name, i.source, i.quality) for i in found} == {("loadbalancer", "lan", "IPAddressPool", "exact")}
    networks = [ipaddress.IPv4Network(item.cidr) for item in found]
    assert sum(each.num_addresses for each in networks) == 249
    assert len(networks) == 12
    assert any(ipaddress.IPv4Address("172.25.140.200") in each for each in networks)


def test_addresses_that_services_share_are_used_once() -> None:
    pool = only_pool(cluster([LAN], SERVICES))
    assert (pool.scope, pool.capacity, pool.used, pool.free, pool.quality) == ("lb", 249, 2, 247, "derived")


def test_its_own_counters_are_believed_when_they_are_of_this_pool() -> None:
    counted = address_pool("lan", "172.25.140.2-172.25.140.250", status={"assignedIPv4": 40, "availableIPv4": 209})
    pool = only_pool(cluster([counted], SERVICES))
    assert (pool.used, pool.free, pool.quality) == (40, 209, "exact")
    for status in (
        {"assignedIPv4": 40},
        {"assignedIPv4": -1, "availableIPv4": 250},
        {"assignedIPv4": 0, "availableIPv4": 0},
    ):
        pool = only_pool(cluster([address_pool("lan", "172.25.140.2-172.25.140.250", status=status)], SERVICES))
        assert (pool.used, pool.free, pool.quality) == (2, 247, "derived")


def test_what_is_used_is_unknown_where_services_cannot_be_read() -> None:
    pool = only_pool(cluster([LAN]))
    assert (pool.capacity, pool.used, pool.free) == (249, None, None)


def test_a_full_pool_has_nothing_free() -> None:
    services = [balancer(f"s{number}", f"10.1.0.{number}") for number in range(4)]
    pool = only_pool(cluster([address_pool("small", "10.1.0.0/30")], services))
    assert (pool.capacity, pool.used, pool.free) == (4, 4, 0)


def test_host_bits_are_ignored_as_metallb_ignores_them() -> None:
    assert only_pool(cluster([address_pool("p", "192.168.10.7/29", autoAssign=False)])).cidrs == ("192.168.10.0/29",)


def test_families_are_pools_of_their_own() -> None:
    view = cluster([address_pool("dual", "10.1.0.0/24", "fd00:1::10-fd00:1::1f")], [balancer("a", "fd00:1::11")])
    pools = {pool.family: pool for pool in ADAPTER.pools(view, lambda _: None)}
    assert (pools[4].capacity, pools[4].used, pools[6].capacity, pools[6].used) == (256, 0, 16, 1)


spans = st.tuples(st.integers(0, 1200), st.integers(0, 1200)).map(sorted)


@given(st.lists(spans, min_size=1, max_size=4))
def test_addresses_that_are_avoided_are_reserved(ranges: list[list[int]]) -> None:
    base = ipaddress.IPv4Address("10.1.0.0")
    pool = address_pool("p", *(f"{base + first}-{base + last}" for first, last in ranges), avoidBuggyIPs=True)
    every = {base + number for first, last in ranges for number in range(first, last + 1)}
    buggy = {address for address in every if int(address) % 256 in (0, 255)}
    found = only_pool(cluster([pool]))
    assert (found.capacity, found.reserved) == (len(every), len(buggy))


def test_what_is_wrong_in_a_pool_is_named_and_the_rest_goes_on() -> None:
    faults: list[str] = []
    half = {"metadata": {"name": "half"}}
    view = cluster([address_pool("odd", "10.0.0.9-10.0.0.1", "10.2.0.0/24"), half, LAN], SERVICES)
    names = {item.name for item in ADAPTER.allocations(view, faults.append)}
    assert names == {"odd", "lan"}
    assert faults == ["IPAddressPool metallb-system/odd: '10.0.0.9-10.0.0.1' ends before it begins"]


def test_its_pools_say_nothing_about_pods() -> None:
    reading = read_adapters(ADAPTERS, cluster([LAN]), FACTS, 1)
    assert {item.kind for item in reading.allocations} == {"loadbalancer"}
    assert reading.sources["ipam/pod-range"].state == "failed"
    assert reading.sources["ipam/metallb"].state == "ok"


def test_thousands_of_pools() -> None:
    pools = [address_pool(f"p{n}", f"10.{n // 250}.{n % 250}.0/28") for n in range(5000)]
    assert len(ADAPTER.pools(cluster(pools, SERVICES), lambda _: None)) == 5000


CONFIG = """
address-pools:
- name: lan
  protocol: layer2
  addresses: [172.25.140.0-172.25.140.255, "fd00::/124"]
  avoid-buggy-ips: true
- {name: wan, protocol: bgp, addresses: [203.0.113.0/28], auto-assign: false}
peers: []
"""


def before_0_13(config: str, **custom: Any) -> IpamView:
    return view_of(services=SERVICES, configs={OLD_CONFIG: {"config": config}}, **custom)


def test_before_0_13_pools_are_written_in_a_config_map() -> None:
    faults: list[str] = []
    pools = ADAPTER.pools(before_0_13(CONFIG), faults.append)
    assert [(pool.name, pool.family, pool.capacity, pool.reserved, pool.used) for pool in pools] == [
        ("lan", 4, 256, 2, 2),
        ("lan", 6, 16, 0, 0),
        ("wan", 4, 16, 0, 0),
    ]
    claimed = ADAPTER.allocations(before_0_13(CONFIG), faults.append)
    assert [(item.cidr, item.source, item.name) for item in claimed] == [
        ("172.25.140.0/24", "ConfigMap", "lan"),
        ("fd00::/124", "ConfigMap", "lan"),
        ("203.0.113.0/28", "ConfigMap", "wan"),
    ]
    assert faults == []
    assert ADAPTER.detect(DetectFacts(cnis=(), groups={}, configs={OLD_CONFIG: {}}))


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("", 0),
        ("peers: []", 0),
        ("a: [", 1),
        ("[1, 2]", 1),
        ("address-pools: {name: lan}", 1),
        ("address-pools: [3, {name: lan}, {name: lan, addresses: 10.0.0.0/24}]", 3),
        ("address-pools: [{name: lan, addresses: [rubbish, 10.0.0.9-10.0.0.1, null]}]", 3),
    ],
)
def test_a_config_map_of_any_shape_is_named_where_it_is_wrong(config: str, told: int) -> None:
    faults: list[str] = []
    assert ADAPTER.allocations(before_0_13(config), faults.append) == []
    assert len(faults) == told
    assert all(fault.startswith("ConfigMap") for fault in faults)


def test_a_config_map_that_was_left_behind_does_not_count() -> None:
    assert ADAPTER.allocations(before_0_13(CONFIG, custom={POOL_KIND: []}), lambda _: None) == []


def test_address_pools_of_0_13_are_read_beside_the_newer_kind() -> None:
    old = address_pool("old", "10.1.0.0/28", protocol="layer2")
    view = view_of(custom={POOL_KIND: [LAN], OLD_POOL_KIND: [old]})
    assert {(item.source, item.name) for item in ADAPTER.allocations(view, lambda _: None)} == {
        ("IPAddressPool", "lan"),
        ("AddressPool", "old"),
    }
