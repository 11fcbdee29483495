"""GKE: blocks of nodes are routed in the VPC; the range they come from is known only where an object names it."""

from collections.abc import Sequence

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.gke import PARAM_SETS, Gke
from periplus_spoke.collectors.ipam.reading import POD_RANGE, Reading, read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.conversion.ipam import IpamView

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import Object, node, pod

ADAPTER = Gke()
FACTS = DetectFacts(cnis=("gke",), groups={"networking.gke.io": ("v1",)}, configs={})


def params(name: str, *cidrs: str) -> Object:
    return {"metadata": {"name": name}, "status": {"podCIDRs": {"cidrBlocks": list(cidrs)}}}


def cluster(sets: Sequence[Object] | None) -> IpamView:
    return view_of(
        nodes=[node("n1", podCIDRs=["10.8.0.0/24"])],
        pods=[pod("web", ("10.8.0.9",))],
        cnis=("gke",),
        custom=None if sets is None else {PARAM_SETS: sets},
    )


def read(view: IpamView) -> Reading:
    return read_adapters(ADAPTERS, view, FACTS, 1)


class TestGke(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        return [cluster([params("default", "10.8.0.0/14"), params("storage", "10.200.0.0/20", "fd20:1::/64")])]

    def broken(self) -> IpamView:
        return cluster([params("default", "10.8.0.1/14", "0.0.0.0/0")])

    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("flannel",), groups={}, configs={})


def test_the_blocks_of_nodes_are_routed() -> None:
    (block,) = read(cluster(None)).allocations
    assert (block.cidr, block.node, block.reach, block.provider) == ("10.8.0.0/24", "n1", "routed", "node-podcidr")


def test_a_range_that_only_the_cloud_knows_is_not_known_and_no_right_would_tell_it() -> None:
    for sets in (None, [], [params("default")], [{"metadata": {"name": "default"}}]):
        source = read(cluster(sets)).sources[POD_RANGE]
        assert source.reason == "range_not_known"
        assert "gcloud container clusters describe" in (source.remedy or "")


def test_the_default_parameters_name_the_range_of_the_cluster() -> None:
    reading = read(cluster([params("default", "10.8.0.0/14")]))
    assert reading.sources[POD_RANGE].state == "ok"
    assert ("10.8.0.0/14", "exact") in {(item.cidr, item.quality) for item in reading.allocations if not item.node}


def test_ranges_of_further_networks_say_nothing_about_the_pods_own() -> None:
    reading = read(cluster([params("storage", "10.200.0.0/20", "fd20:1::/64")]))
    assert "10.200.0.0/20" in {item.cidr for item in reading.allocations}
    source = reading.sources[POD_RANGE]
    assert (source.reason, "IPv6" in (source.message or "")) == ("range_not_known", False)
