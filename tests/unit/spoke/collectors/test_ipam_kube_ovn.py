"""kube-ovn's Subnets: what is claimed, and counts that are told or counted, and otherwise not known."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.kube_ovn import IPS, POOLS, SUBNETS, KubeOvn
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import node, pod

ADAPTER = KubeOvn()
Object = dict[str, object]


def subnet(name: str, cidr: str, status: Object | None = None, **spec: object) -> Object:
    return {"metadata": {"name": name}, "spec": {"cidrBlock": cidr, **spec}, "status": status or {}}


def handed(name: str, v4: str = "", v6: str = "") -> Object:
    return {"metadata": {"name": "a"}, "spec": {"subnet": name, "v4IpAddress": v4, "v6IpAddress": v6}}


def view(
    subnets: list[Object] | None = None, pools: list[Object] | None = None, ips: list[Object] | None = None
) -> IpamView:
    """What is not given was not read."""
    given_: dict[WantedKind[Any], list[Object] | None] = {SUBNETS: subnets, POOLS: pools, IPS: ips}
    custom = {kind: objects for kind, objects in given_.items() if objects is not None}
    return view_of(nodes=[node("n1")], pods=[pod("a", ("10.16.0.9",))], cnis=("kube-ovn",), custom=custom)


def healthy() -> IpamView:
    default = subnet(
        "ovn-default",
        "10.16.0.0/16",
        {"v4availableIPs": 65_513, "v4usingIPs": 20},
        excludeIps=["10.16.0.1"],
        natOutgoing=True,
        vpc="ovn-cluster",
        default=True,
    )
    join = subnet("join", "100.64.0.0/16", {"v4availableIPs": 65_530, "v4usingIPs": 3}, excludeIps=["100.64.0.1"])
    part = {
        "metadata": {"name": "part"},
        "spec": {"subnet": "ovn-default", "ips": ["10.16.0.20..10.16.0.29", "10.16.1.0/30", "10.16.2.1"]},
        "status": {"v4AvailableIPs": 12, "v4UsingIPs": 3},
    }
    return view([default, join], [part], [])


def full() -> IpamView:
    return view([subnet("small", "10.1.0.0/29", {"v4availableIPs": 0, "v4usingIPs": 5}, excludeIps=["10.1.0.1"])])


def dual_stack() -> IpamView:
    status = {"v4availableIPs": 65_514, "v4usingIPs": 20, "v6availableIPs": str(2**64 - 22), "v6usingIPs": "20"}
    return view([subnet("ovn-default", "10.16.0.0/16,fd00:10:16::/64", status)])


def own_vpcs() -> IpamView:
    same = [subnet(f"net-{vpc}", "10.0.0.0/24", vpc=vpc, natOutgoing=True) for vpc in ("red", "blue")]
    return view(
        same, ips=[handed("net-red", "10.0.0.2"), handed("net-red", "10.0.0.3"), handed("net-blue", "10.0.0.2")]
    )


def of(seen: IpamView) -> list[Allocation]:
    return ADAPTER.allocations(seen, lambda _: None)


def claims(seen: IpamView) -> list[tuple[str, str, str, str]]:
    return [(item.kind, item.cidr, f"{item.source} {item.name}", item.reach) for item in of(seen)]


def counts(pool: Pool) -> tuple[int | None, ...]:
    return pool.capacity, pool.used, pool.reserved, pool.free


def pools_of(seen: IpamView) -> dict[tuple[str, int], Pool]:
    return {(pool.name, pool.family): pool for pool in ADAPTER.pools(seen, lambda _: None)}


class TestKubeOvn(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        return [healthy(), full(), dual_stack(), own_vpcs()]

    def broken(self) -> IpamView:
        return view([subnet("bad", "10.1.0.1/16,rubbish"), subnet("none", ""), {}], [{"spec": {"ips": ["x"]}}], [{}])

    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("flannel",), groups={"apps": ("v1",)}, configs={})


def test_a_subnet_is_a_claim_of_the_cluster() -> None:
    assert claims(healthy()) == [
        ("pod", "10.16.0.0/16", "Subnet ovn-default", "masqueraded"),
        ("reserved", "100.64.0.0/16", "Subnet join", ""),
    ]
    assert [cidr for _, cidr, _, _ in claims(dual_stack())] == ["10.16.0.0/16", "fd00:10:16::/64"]
    assert [(cidr, reach) for _, cidr, _, reach in claims(own_vpcs())] == [("10.0.0.0/24", "")] * 2
    assert claims(view([subnet("lan", "172.16.0.0/24", vlan="vlan1")]))[0][3] == "routed"


def test_only_the_default_network_says_what_pods_of_the_whole_cluster_may_use() -> None:
    attached = [
        subnet("own", "10.16.0.0/16", provider="ovn"),
        subnet("lan", "172.16.0.0/24", provider="lan.default"),
        subnet("second", "172.17.0.0/24", provider="second.default.ovn"),
        subnet("red", "172.18.0.0/24", vpc="red"),
    ]
    assert {item.name: item.for_some_pods for item in of(view(attached))} == {
        "own": False,
        "lan": True,
        "second": True,
        "red": True,
    }


def test_beside_another_plugin_subnets_are_of_some_pods() -> None:
    """The pod of the view has an address of neither."""
    found = of(view([subnet("ovn-default", "10.17.0.0/16,fd00::/64", provider="ovn")]))
    assert {item.cidr: item.for_some_pods for item in found} == {"10.17.0.0/16": True, "fd00::/64": False}


def test_the_parts_of_a_subnet_are_its_capacity() -> None:
    found = pools_of(healthy())
    assert counts(found["ovn-default", 4]) == (65_534, 20, 1, 65_513)
    assert counts(found["ovn-default/part", 4]) == (15, 3, None, 12)
    assert found["ovn-default/part", 4].scope == "namespace"
    assert found["ovn-default/part", 4].cidrs[-2:] == ("10.16.1.0/30", "10.16.2.1/32")
    assert counts(pools_of(full())["small", 4]) == (6, 5, 1, 0)
    assert counts(pools_of(dual_stack())["ovn-default", 6]) == (2**64 - 2, 20, 0, 2**64 - 22)


def test_a_pod_is_counted_by_the_subnet_it_is_in_and_not_by_its_address() -> None:
    found = pools_of(own_vpcs())
    assert (found["net-red", 4].used, found["net-blue", 4].used) == (2, 1)
    assert found["net-red", 4].quality == "derived"
    assert counts(found["net-red", 4]) == (254, 2, 0, 252)


def test_without_counters_and_ips_only_the_size_is_known() -> None:
    assert counts(pools_of(view([subnet("new", "10.1.0.0/24", excludeIps=["10.1.0.1"])]))["new", 4]) == (
        254,
        None,
        None,
        None,
    )
    excluded = view([subnet("new", "10.1.0.0/24", excludeIps=["10.1.0.1..10.1.0.9"])], ips=[handed("new", "10.1.0.20")])
    assert counts(pools_of(excluded)["new", 4]) == (254, 1, None, None)


@pytest.mark.parametrize(
    ("used", "free", "expected"),
    [
        (2, 252, (254, 2, 0, 252)),
        ("2", "252", (254, 2, 0, 252)),
        (2.0, 2.5e2, (254, 2, 2, 250)),
        (1e300, 1.5, (254, None, None, None)),
    ],
)
def test_numbers_are_read_however_they_are_written(
    used: object, free: object, expected: tuple[int | None, ...]
) -> None:
    seen = view([subnet("s", "10.1.0.0/24", {"v4usingIPs": used, "v4availableIPs": free})])
    assert counts(pools_of(seen)["s", 4]) == expected


def test_bad_objects_are_named_and_the_rest_goes_on() -> None:
    faults: list[str] = []
    seen = view(
        [
            subnet("negative", "10.1.0.0/24", {"v4usingIPs": -4, "v4availableIPs": "many"}),
            subnet("shrunk", "10.2.0.0/29", {"v4usingIPs": 200, "v4availableIPs": 0}),
            subnet("twice", "10.3.0.0/24,10.4.0.0/24"),
            subnet("excludes", "10.5.0.0/24", excludeIps=["10.5.0.9..10.5.0.1", "x"]),
            subnet("good", "10.6.0.0/24", {"v4usingIPs": 1, "v4availableIPs": 253}),
        ]
    )
    pools = {pool.name: counts(pool) for pool in ADAPTER.pools(seen, faults.append)}
    assert set(faults) == {
        "Subnet excludes: 'x' is not an address",
        "Subnet excludes: '10.5.0.9-10.5.0.1' ends before it begins",
        "Subnet negative: '-4' is no number of addresses",
        "Subnet negative: 'many' is no number of addresses",
        "Subnet shrunk: 200 used and 0 free addresses are more than the 6 of 10.2.0.0/29",
        "Subnet twice: 10.4.0.0/24 is a second range of its family",
    }
    assert pools["shrunk"] == (6, 200, None, None)
    assert pools["good"] == (254, 1, 0, 253)


SMALL = [str(address) for address in ipaddress.ip_network("10.1.0.0/27")][1:-1]


@given(st.sets(st.sampled_from(SMALL)), st.sets(st.sampled_from(SMALL)))
def test_counts_are_those_of_every_single_address(used: set[str], excluded: set[str]) -> None:
    """kube-ovn tells what is in use, and what is neither in use nor excluded."""
    status: Object = {"v4usingIPs": len(used), "v4availableIPs": len(set(SMALL) - used - excluded)}
    seen = view([subnet("s", "10.1.0.0/27", status, excludeIps=sorted(excluded))])
    expected = (30, len(used), len(excluded - used), len(set(SMALL) - used - excluded))
    assert counts(pools_of(seen)["s", 4]) == expected


def test_thousands_of_subnets_and_ips_are_read_in_one_pass() -> None:
    networks = [str(each) for each in ipaddress.ip_network("10.0.0.0/13").subnets(new_prefix=24)][:2_000]
    subnets = [subnet(f"s{at}", cidr) for at, cidr in enumerate(networks)]
    ips = [handed(f"s{at % 2_000}", "10.0.0.1") for at in range(10_000)]
    pools = ADAPTER.pools(view(subnets, ips=ips), lambda _: None)
    assert (len(pools), {pool.used for pool in pools}) == (2_000, {5})
