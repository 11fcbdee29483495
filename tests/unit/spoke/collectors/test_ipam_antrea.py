"""Antrea: pools of some pods and of addresses from outside; all other pods have their node's podCIDR."""

from collections.abc import Sequence

from periplus_spoke.collectors.ipam.antrea import EXTERNAL_POOLS, POD_POOLS, Antrea
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.reading import POD_RANGE, read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.conversion.ipam import IpamView

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import Object, node, pod

ADAPTER = Antrea()
FACTS = DetectFacts(cnis=("antrea",), groups={"crd.antrea.io": ("v1beta1",)}, configs={})


def pool(name: str, *ranges: dict[str, str], usage: dict[str, int] | None = None) -> Object:
    status = {"usage": usage} if usage else {}
    return {"metadata": {"name": name}, "spec": {"ipRanges": list(ranges)}, "status": status}


VLAN = pool("vlan", {"start": "10.10.1.2", "end": "10.10.1.99"}, usage={"total": 98, "used": 98})
EGRESS = pool("egress", {"cidr": "10.30.0.0/28"}, {"start": "10.40.0.5", "end": "10.40.0.6"})


def cluster(pods_pools: Sequence[Object] = (VLAN,), external: Sequence[Object] = (EGRESS,)) -> IpamView:
    return view_of(
        nodes=[node("n1", podCIDRs=["10.244.0.0/24"])],
        pods=[pod("web", ("10.244.0.9",))],
        cnis=("antrea",),
        custom={POD_POOLS: pods_pools, EXTERNAL_POOLS: external},
    )


class TestAntrea(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        dual = pool("dual", {"cidr": "10.50.0.0/24"}, {"cidr": "fd00:5::/120"}, usage={"total": 512, "used": 3})
        return [cluster(), cluster([dual], ()), cluster((), [EGRESS])]

    def broken(self) -> IpamView:
        odd = ({"start": "10.0.0.9", "end": "10.0.0.1"}, {"start": "10.0.0.1", "end": "fd00::1"}, {"cidr": "x"}, {})
        return cluster([pool("odd", *odd)], ())

    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("cilium",), groups={}, configs={})


def test_its_pools_are_claims_of_some_pods_and_of_balancers() -> None:
    found = ADAPTER.allocations(cluster(), lambda _: None)
    assert {(item.kind, item.name, item.source) for item in found} == {
        ("pod", "vlan", "IPPool"),
        ("loadbalancer", "egress", "ExternalIPPool"),
    }
    assert {item.for_some_pods for item in found if item.kind == "pod"} == {True}
    reading = read_adapters(ADAPTERS, cluster(), FACTS, 1)
    assert reading.sources[POD_RANGE].reason == "range_not_known"
    assert "10.244.0.0/24" in {item.cidr for item in reading.allocations}


def test_its_counters_are_exact_and_without_them_only_the_size_is_known() -> None:
    full, egress = ADAPTER.pools(cluster(), lambda _: None)
    assert (full.capacity, full.used, full.free, full.quality, full.scope) == (98, 98, 0, "exact", "namespace")
    assert (egress.capacity, egress.used, egress.free, egress.quality, egress.scope) == (
        18,
        None,
        None,
        "nominal",
        "external",
    )


def test_counters_of_both_families_together_are_neithers() -> None:
    dual = pool("dual", {"cidr": "10.50.0.0/24"}, {"cidr": "fd00:5::/120"}, usage={"total": 512, "used": 3})
    assert {each.used for each in ADAPTER.pools(cluster([dual], ()), lambda _: None)} == {None}


def test_counts_below_nothing_are_named() -> None:
    faults: list[str] = []
    odd = pool("odd", {"cidr": "10.10.0.0/24"}, usage={"total": 254, "used": -1})
    (found,) = ADAPTER.pools(cluster([odd], ()), faults.append)
    assert (found.capacity, found.used) == (256, None)
    assert faults == ["status of IPPool odd: a count is -1"]


def test_thousands_of_pools() -> None:
    pools = [pool(f"p{n}", {"cidr": f"10.{n // 250}.{n % 250}.0/28"}) for n in range(3000)]
    assert len(ADAPTER.allocations(cluster(pools, ()), lambda _: None)) == 3000
