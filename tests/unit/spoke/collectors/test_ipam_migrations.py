"""Clusters half way from one network plugin or pool to another: both ranges are told, or that one is not known."""

from typing import Any

import pytest

from periplus_spoke.collectors.ipam import calico_ranges, cilium, kube_ovn
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.reading import POD_RANGE, Reading, read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.conversion.ipam import WantedKind

from tests.support.ipam_contract import view_of
from tests.support.kube_objects import Object, node, pod

FLANNEL = {"flannel.alpha.coreos.com/kube-subnet-manager": "true", "flannel.alpha.coreos.com/backend-type": "vxlan"}
FLANNEL_CONFIG = {"kube-flannel/kube-flannel-cfg": {"net-conf.json": '{"Network": "10.244.0.0/16"}'}}
CILIUM_CONFIG = {"kube-system/cilium-config": {"ipam": "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.0/12"}}
GROUPS = {"calico": "crd.projectcalico.org", "cilium": "cilium.io", "kube-ovn": "kubeovn.io"}
Custom = dict[WantedKind[Any], list[Object]]


def read(cnis: tuple[str, ...], custom: Custom, configs: dict[str, dict[str, str]], **more: Any) -> Reading:
    view = view_of(cnis=cnis, custom=custom, configs=configs, **more)
    groups = {GROUPS[name]: ("v1", "v2") for name in cnis if name in GROUPS}
    return read_adapters(ADAPTERS, view, DetectFacts(cnis=cnis, groups=groups, configs=configs), 1)


def claims(reading: Reading) -> set[str]:
    """Ranges that pods of the whole cluster may use."""
    return {
        item.cidr for item in reading.allocations if item.kind == "pod" and not item.node and item.quality != "seen"
    }


def calico(cidr: str, *blocks: str, **spec: Any) -> Custom:
    pool = {"metadata": {"name": "p"}, "spec": {"cidr": cidr, **spec}}
    held = [
        {"spec": {"cidr": cidr, "affinity": "host:n1", "allocations": [0, None, None, None], "attributes": [{}]}}
        for cidr in blocks
    ]
    return {calico_ranges.POOLS[0]: [pool], calico_ranges.BLOCKS[0]: held}


NODES = [node("n1", podCIDRs=["10.244.0.0/24"], annotations=FLANNEL)]
PODS = [pod("old", ("10.244.0.9",)), pod("new", ("192.168.0.1",))]


def test_from_flannel_to_calico_both_ranges_are_told() -> None:
    seen = read(
        ("calico", "flannel"), calico("192.168.0.0/16", "192.168.0.0/30"), FLANNEL_CONFIG, nodes=NODES, pods=PODS
    )
    assert claims(seen) == {"192.168.0.0/16", "10.244.0.0/16"}
    assert {(item.cidr, item.node) for item in seen.allocations if item.node} >= {
        ("10.244.0.0/24", "n1"),
        ("192.168.0.0/30", "n1"),
    }
    assert seen.sources[POD_RANGE].state == "ok"


@pytest.mark.promise("no-false-all-clear")
def test_a_range_that_only_the_blocks_of_nodes_show_is_not_known() -> None:
    seen = read(("calico", "flannel"), calico("192.168.0.0/16", "192.168.0.0/30"), {}, nodes=NODES, pods=PODS)
    assert claims(seen) == {"192.168.0.0/16"}
    told = seen.sources[POD_RANGE]
    assert (told.state, told.reason) == ("failed", "range_not_known")
    assert "beyond those that its nodes hold" in told.message


def test_from_calico_to_cilium_both_ranges_are_told() -> None:
    custom = calico("192.168.0.0/16", "192.168.0.0/30")
    custom[cilium.NODES] = [{"metadata": {"name": "n1"}, "spec": {"ipam": {"podCIDRs": ["10.0.0.0/24"]}}}]
    pods = [pod("old", ("192.168.0.1",)), pod("new", ("10.0.0.9",))]
    seen = read(("calico", "cilium"), custom, CILIUM_CONFIG, nodes=[node("n1")], pods=pods)
    assert claims(seen) == {"192.168.0.0/16", "10.0.0.0/12"}
    assert {pool.provider for pool in seen.pools} == {"calico", "cilium"}
    assert seen.sources[POD_RANGE].state == "ok"


def test_what_the_plugin_before_left_behind_is_no_range_any_more() -> None:
    custom = calico("192.168.0.0/16")
    custom[cilium.NODES] = [{"metadata": {"name": "n1"}, "spec": {"ipam": {"podCIDRs": ["10.0.0.0/24"]}}}]
    pods = [pod("new", ("10.0.0.9",))]
    seen = read(("calico", "cilium"), custom, CILIUM_CONFIG, nodes=[node("n1")], pods=pods)
    assert claims(seen) == {"10.0.0.0/12"}
    assert seen.sources["ipam/calico"].reason == "not_used_for_pods"


def test_a_pool_that_is_being_emptied_counts_until_it_is_empty() -> None:
    pools = [
        {"metadata": {"name": "old"}, "spec": {"cidr": "192.168.0.0/24", "disabled": True}},
        {"metadata": {"name": "new"}, "spec": {"cidr": "192.168.1.0/24"}},
        {"metadata": {"name": "other"}, "spec": {"cidr": "192.168.2.0/24"}},
    ]
    full = calico("", "192.168.0.0/30") | {calico_ranges.POOLS[0]: pools}
    assert claims(read(("calico",), full, {})) == {"192.168.0.0/24", "192.168.1.0/24", "192.168.2.0/24"}
    empty = calico("") | {calico_ranges.POOLS[0]: pools}
    assert claims(read(("calico",), empty, {})) == {"192.168.1.0/24", "192.168.2.0/24"}


def test_several_default_subnets_are_each_a_range() -> None:
    subnets = [
        {"metadata": {"name": name}, "spec": {"cidrBlock": cidr, "default": True}}
        for name, cidr in (("old", "10.16.0.0/16"), ("new", "10.17.0.0/16"))
    ]
    assert claims(read(("kube-ovn",), {kube_ovn.SUBNETS: subnets}, {})) == {"10.16.0.0/16", "10.17.0.0/16"}


def test_one_family_of_a_flag_says_nothing_about_the_other() -> None:
    flags = {"kube-controller-manager": ("--cluster-cidr=10.244.0.0/16",)}
    nodes = [node("n1", podCIDRs=["10.244.0.0/24", "fd00::/64"], annotations=FLANNEL)]
    pods = [pod("a", ("10.244.0.9", "fd00::9"))]
    seen = read(("flannel",), {}, {}, nodes=nodes, pods=pods, flags=flags)
    assert claims(seen) == {"10.244.0.0/16"}
    assert "which IPv6 range its pods may use" in seen.sources[POD_RANGE].message
