"""Pods outside of every range that is told, and nodes behind one address: compared as what they are."""

from collections.abc import Sequence

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.reading import POD_RANGE, Reading, read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.conversion.allocations import core_allocations
from periplus_spoke.conversion.ipam import IpamView

from tests.support.ipam_contract import view_of
from tests.support.kube_objects import Object, node, pod

KUBEADM = {"kube-system/kubeadm-config": {"ClusterConfiguration": "networking: {podSubnet: '10.244.0.0/16'}"}}
FACTS = DetectFacts(cnis=("flannel",), groups={}, configs=KUBEADM)


def reading(*pods: Object) -> Reading:
    nodes = [node("n1", podCIDRs=["10.244.0.0/24"])]
    view = view_of(nodes=nodes, pods=pods, cnis=("flannel",), configs=KUBEADM)
    return read_adapters(ADAPTERS, view, FACTS, 1)


def seen(of: Reading) -> list[str]:
    return [item.cidr for item in of.allocations if item.quality == "seen"]


def test_pods_inside_what_is_told_are_not_told_again() -> None:
    found = reading(pod("a", ("10.244.0.5",)), pod("b", ("10.244.9.5",)))
    assert seen(found) == []
    assert found.sources[POD_RANGE].state == "ok"


def test_pods_outside_of_it_are_told_as_seen_and_the_range_is_not_known() -> None:
    found = reading(pod("a", ("10.244.0.5",)), pod("old", ("10.61.0.9",)), pod("six", ("fd00::9",)))
    assert seen(found) == ["10.61.0.9/32", "fd00::9/128"]
    source = found.sources[POD_RANGE]
    assert (source.state, source.reason) == ("failed", "range_not_known")
    assert "2, such as 10.61.0.9" in (source.message or "")


def test_pods_that_have_ended_or_use_their_node_are_no_strays() -> None:
    done = pod("done", ("10.61.0.9",), phase="Succeeded")
    assert seen(reading(pod("a", ("10.244.0.5",)), done, pod("host", ("192.168.0.10",), host_network=True))) == []


def holders(*addresses: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    nodes = [
        node(f"n{number}", addresses=[{"type": kind, "address": text} for kind, text in each])
        for number, each in enumerate(addresses)
    ]
    view: IpamView = view_of(nodes=nodes)
    return [(item.cidr, item.node) for item in core_allocations(view, lambda _: None) if item.kind == "node"]


def test_the_external_address_of_several_nodes_is_no_nodes_own() -> None:
    nat = ("ExternalIP", "203.0.113.5")
    assert holders([("InternalIP", "10.0.0.1"), nat], [("InternalIP", "10.0.0.2"), nat]) == [
        *(("10.0.0.1/32", "n0"), ("203.0.113.5/32", "")),
        *(("10.0.0.2/32", "n1"), ("203.0.113.5/32", "")),
    ]
    assert holders([nat]) == [("203.0.113.5/32", "n0")]


def test_an_internal_address_of_several_nodes_stays_each_ones() -> None:
    same = ("InternalIP", "10.0.2.15")
    assert holders([same], [same]) == [("10.0.2.15/32", "n0"), ("10.0.2.15/32", "n1")]
