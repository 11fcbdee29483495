"""Whereabouts and Spiderpool: ranges of further networks, which are not the range of the cluster's pods."""

import ipaddress
from collections.abc import Sequence

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.reading import POD_RANGE, read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.collectors.ipam.spiderpool import POOLS, SUBNETS, Spiderpool
from periplus_spoke.collectors.ipam.whereabouts import RANGE_POOLS, SLICE_POOLS, Whereabouts
from periplus_spoke.conversion.ipam import IpamView

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import Object, node, pod

WHEREABOUTS = Whereabouts()
SPIDERPOOL = Spiderpool()
ELSEWHERE = DetectFacts(cnis=("flannel",), groups={}, configs={})
PODS = [pod("web", ("10.244.0.9",)), pod("db", ("10.244.0.10",))]


def range_pool(name: str, cidr: str, used: int = 0) -> Object:
    allocations = {str(number): {"id": f"c{number}", "podref": "default/web"} for number in range(used)}
    return {"metadata": {"name": name, "namespace": "kube-system"}, "spec": {"range": cidr, "allocations": allocations}}


def slice_pool(name: str, cidr: str) -> Object:
    return {"metadata": {"name": name, "namespace": "kube-system"}, "spec": {"range": cidr, "sliceSize": "/24"}}


def whereabouts(ranges: Sequence[Object], slices: Sequence[Object] = (), pods: Sequence[Object] = PODS) -> IpamView:
    custom = {RANGE_POOLS: ranges, SLICE_POOLS: slices}
    nodes = [node("n1", podCIDRs=["10.244.0.0/24"])]
    return view_of(nodes=nodes, pods=pods, cnis=("flannel", "whereabouts"), custom=custom)


def spider(name: str, *ips: str, exclude: Sequence[str] = (), counts: tuple[int, int] | None = None) -> Object:
    status = {"totalIPCount": counts[0], "allocatedIPCount": counts[1]} if counts else {}
    return {"metadata": {"name": name}, "spec": {"ips": list(ips), "excludeIPs": list(exclude)}, "status": status}


def spiderpool(pools: Sequence[Object], subnets: Sequence[Object] = (), pods: Sequence[Object] = PODS) -> IpamView:
    return view_of(nodes=[node("n1")], pods=pods, cnis=("spiderpool",), custom={POOLS: pools, SUBNETS: subnets})


class TestWhereabouts(IpamAdapterContract):
    adapter = WHEREABOUTS

    def ordinary(self) -> list[IpamView]:
        ranges = [range_pool("lan", "192.168.2.224/28", 3), range_pool("v6", "fd00:2::/64")]
        return [whereabouts(ranges), whereabouts([], [slice_pool("nodes", "10.5.0.0/16")])]

    def broken(self) -> IpamView:
        return whereabouts([range_pool("odd", "rubbish"), range_pool("none", "")], [slice_pool("all", "0.0.0.0/0")], ())

    def elsewhere(self) -> DetectFacts:
        return ELSEWHERE


class TestSpiderpool(IpamAdapterContract):
    adapter = SPIDERPOOL

    def ordinary(self) -> list[IpamView]:
        full = spider("lan", "172.18.41.40-172.18.41.49", counts=(10, 10))
        return [spiderpool([full, spider("v6", "fd00:3::1-fd00:3::f")]), spiderpool([], [spider("s", "10.6.0.0/24")])]

    def broken(self) -> IpamView:
        return spiderpool([spider("odd", "10.0.0.9-10.0.0.1", "10.0.0.1-fd00::1", "x", exclude=["y"])], (), ())

    def elsewhere(self) -> DetectFacts:
        return ELSEWHERE


def test_whereabouts_counts_what_is_held_out_of_an_unknown_number() -> None:
    (pool,) = WHEREABOUTS.pools(whereabouts([range_pool("lan", "192.168.2.225/28", 3)]), lambda _: None)
    assert (pool.cidrs, pool.used, pool.capacity, pool.free) == (("192.168.2.224/28",), 3, None, None)
    (sliced,) = WHEREABOUTS.pools(whereabouts([], [slice_pool("nodes", "10.5.0.0/16")]), lambda _: None)
    assert (sliced.used, sliced.capacity) == (None, None)


def test_a_range_that_several_objects_name_is_claimed_once() -> None:
    view = whereabouts([range_pool("a", "10.5.0.0/16"), range_pool("b", "10.5.0.0/16")])
    assert [item.cidr for item in WHEREABOUTS.allocations(view, lambda _: None)] == ["10.5.0.0/16"]


def test_ranges_of_further_networks_are_not_the_pods_own() -> None:
    view = whereabouts([range_pool("lan", "192.168.2.224/28", 3), range_pool("v6", "fd00:2::/64")])
    facts = DetectFacts(cnis=view.cnis, groups={"whereabouts.cni.cncf.io": ("v1alpha1",)}, configs={})
    reading = read_adapters(ADAPTERS, view, facts, 1)
    assert {"192.168.2.224/28", "10.244.0.0/24"} <= {item.cidr for item in reading.allocations}
    assert reading.sources[POD_RANGE].reason == "range_not_known"
    assert "IPv6" not in (reading.sources[POD_RANGE].message or "")


def test_where_all_pods_have_addresses_of_the_pools_they_are_the_pods_own() -> None:
    view = spiderpool([spider("lan", "10.244.0.0/24")])
    facts = DetectFacts(cnis=view.cnis, groups={"spiderpool.spidernet.io": ("v2beta1",)}, configs={})
    assert read_adapters(ADAPTERS, view, facts, 1).sources[POD_RANGE].state == "ok"
    elsewhere = spiderpool([spider("lan", "10.244.0.0/29")])
    reading = read_adapters(ADAPTERS, elsewhere, facts, 1)
    assert reading.sources[POD_RANGE].reason == "range_not_known"
    assert {item.cidr for item in reading.allocations if item.quality == "seen"} == {"10.244.0.9/32", "10.244.0.10/32"}


def test_spiderpool_hands_out_what_is_not_excluded() -> None:
    view = spiderpool([spider("lan", "10.9.0.0/28", exclude=["10.9.0.0", "10.9.0.8-10.9.0.15"], counts=(7, 2))])
    networks = [ipaddress.ip_network(item.cidr) for item in SPIDERPOOL.allocations(view, lambda _: None)]
    assert sorted(int(address) & 15 for each in networks for address in each) == [1, 2, 3, 4, 5, 6, 7]
    (pool,) = SPIDERPOOL.pools(view, lambda _: None)
    assert (pool.capacity, pool.used, pool.free, pool.quality) == (7, 2, 5, "exact")


def test_counters_that_cannot_be_are_left_out() -> None:
    faults: list[str] = []
    for counts in ((7, -2), (-7, 2), (2, 7)):
        (pool,) = SPIDERPOOL.pools(spiderpool([spider("lan", "10.9.0.0/29", counts=counts)]), faults.append)
        assert (pool.capacity, pool.used, pool.free, pool.quality) == (8, None, None, "nominal")
    assert faults == ["status of SpiderIPPool lan: a count is -2", "status of SpiderIPPool lan: a count is -7"]


def test_half_written_objects_are_ordinary() -> None:
    half: list[Object] = [{"metadata": {"name": "a"}}, {}]
    faults: list[str] = []
    assert SPIDERPOOL.allocations(spiderpool(half), faults.append) == []
    assert faults == []


def test_thousands_of_pools() -> None:
    pools = [spider(f"p{n}", f"10.{n // 250}.{n % 250}.0/28", counts=(16, 1)) for n in range(3000)]
    assert len(SPIDERPOOL.pools(spiderpool(pools), lambda _: None)) == 3000
    ranges = [range_pool(f"p{n}", f"10.{n // 250}.{n % 250}.0/28", 4) for n in range(3000)]
    assert len(WHEREABOUTS.allocations(whereabouts(ranges), lambda _: None)) == 3000
