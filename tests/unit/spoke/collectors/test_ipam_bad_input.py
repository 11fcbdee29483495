"""What no allocator should have written: each adapter names it or leaves it out, and goes on with the rest."""

import logging
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from periplus_spoke.collectors.ipam import antrea, calico_ranges, cilium, kube_ovn, metallb, spiderpool
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.reading import Reading, read_adapters
from periplus_spoke.collectors.ipam.registry import ADAPTERS, WANTED_KINDS
from periplus_spoke.conversion.ipam import IpamView, WantedKind
from periplus_spoke.conversion.presence import Listing

from tests.support.ipam_contract import view_of
from tests.support.kube_objects import Object, node, pod

CNIS = ("antrea", "aws-vpc-cni", "azure-cni", "calico", "cilium", "gke", "kube-ovn", "ovn-kubernetes")
GROUPS = {kind.group: kind.versions for kind in WANTED_KINDS}
HALVES: list[Object] = [
    {},
    {"metadata": {}},
    {"metadata": {"name": "half"}},
    {"metadata": {"name": "half"}, "spec": {}},
    {"metadata": {"name": "half"}, "spec": {}, "status": {}},
]


def view(custom: dict[WantedKind[Any], list[Object]], mode: str = "cluster-pool") -> IpamView:
    config = {"ipam": mode, "cluster-pool-ipv4-cidr": "10.0.0.0/8"}
    return view_of(
        nodes=[node("n1", podCIDRs=["10.244.0.0/24"])],
        pods=[pod("a", ("10.244.0.9",))],
        cnis=CNIS,
        configs={"kube-system/cilium-config": config},
        custom=custom,
        listing=Listing(began_us=1),
        groups=GROUPS,
    )


def read(seen: IpamView) -> Reading:
    return read_adapters(ADAPTERS, seen, DetectFacts(cnis=CNIS, groups=GROUPS, configs=seen.configs), 1)


@pytest.mark.parametrize("mode", ["cluster-pool", "multi-pool", "eni", "crd", "nonsense"])
def test_half_written_objects_of_every_kind_stop_no_adapter(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        found = read(view(dict.fromkeys(WANTED_KINDS, HALVES), mode))
    assert caplog.records == []
    assert not [name for name, source in found.sources.items() if source.reason == "spoke_fault"]


TEXTS = [
    "",
    "x",
    "10.1.0.0/24",
    "10.1.0.1/24",
    "::/0",
    "fd00::/64",
    "10.1.0.9",
    "10.1.0.1-10.1.0.9",
    "9" * 50,
    "host:n1",
]
LEAVES = {
    str: st.sampled_from([*TEXTS, '{"10.1.0.9": {"pod": "default/a"}}', "default/a", "\n", "a b", "..", ",", "/"]),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(),
    NoneType: st.none(),
    datetime: st.none(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Whatever JSON a field of this type takes."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is list:
        return st.lists(values(parts[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(LEAVES[str], values(parts[1]), max_size=3)
    if origin in (Union, UnionType):
        return st.one_of([values(part) for part in parts])
    if origin is Literal:
        return st.sampled_from(parts)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return objects(kind)
    return LEAVES.get(kind, st.none())


@cache
def objects(kind: type[msgspec.Struct]) -> st.SearchStrategy[Object]:
    """Objects with some of their fields."""
    hints = get_type_hints(kind)
    fields = {each.encode_name: values(hints[each.name]) for each in msgspec.structs.fields(kind)}
    return st.fixed_dictionaries({}, optional=fields)


@settings(max_examples=150)
@given(st.data())
def test_objects_of_the_right_shape_stop_no_adapter_whatever_is_in_them(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(WANTED_KINDS))
    things = [thing for thing in data.draw(st.lists(objects(kind.type), max_size=3)) if _is_taken(thing, kind)]
    found = read(view({kind: things}, data.draw(st.sampled_from(["cluster-pool", "multi-pool", "eni"]))))
    assert not [name for name, source in found.sources.items() if source.reason == "spoke_fault"]


def _is_taken(thing: Object, kind: WantedKind[Any]) -> bool:
    """What has another shape the reader names and leaves out."""
    try:
        msgspec.convert(thing, kind.type)
    except msgspec.ValidationError:
        return False
    return True


def faults(reading: Reading, provider: str) -> str:
    return reading.sources[f"ipam/{provider}"].message


def test_counts_below_nothing_are_named_and_not_told() -> None:
    spider = {"metadata": {"name": "p"}, "spec": {"ips": ["10.9.0.1-10.9.0.9"]}, "status": {"totalIPCount": -9}}
    lan = {"metadata": {"name": "lan"}, "spec": {"addresses": ["10.8.0.0/30"]}, "status": {"assignedIPv4": -1}}
    subnet = {"metadata": {"name": "s"}, "spec": {"cidrBlock": "10.7.0.0/24"}, "status": {"v4usingIPs": -3}}
    usage = {"usage": {"total": -4, "used": 1}}
    external = {"metadata": {"name": "e"}, "spec": {"ipRanges": [{"cidr": "10.6.0.0/30"}]}, "status": usage}
    found = read(
        view(
            {
                spiderpool.POOLS: [spider],
                metallb.POOL_KIND: [lan],
                kube_ovn.SUBNETS: [subnet],
                antrea.EXTERNAL_POOLS: [external],
            }
        )
    )
    assert "a count is -9" in faults(found, "spiderpool")
    assert "a count is -1" in faults(found, "metallb")
    assert "'-3' is no number of addresses" in faults(found, "kube-ovn")
    assert "a count is -4" in faults(found, "antrea")
    counts = [value for pool in found.pools for value in (pool.capacity, pool.used, pool.free, pool.reserved)]
    assert all(value is None or value >= 0 for value in counts)


def test_more_in_use_than_a_pool_has_now_is_told_as_it_is_known() -> None:
    spider = {
        "metadata": {"name": "shrunk"},
        "spec": {"ips": ["10.9.0.1"]},
        "status": {"totalIPCount": 1, "allocatedIPCount": 9, "allocatedIPs": '{"10.9.0.7": {"pod": "default/gone"}}'},
    }
    subnet = {
        "metadata": {"name": "shrunk"},
        "spec": {"cidrBlock": "10.7.0.0/30"},
        "status": {"v4usingIPs": 9, "v4availableIPs": 1},
    }
    found = {pool.provider: pool for pool in read(view({spiderpool.POOLS: [spider], kube_ovn.SUBNETS: [subnet]})).pools}
    assert (found["spiderpool"].capacity, found["spiderpool"].used, found["spiderpool"].free) == (1, None, None)
    assert (found["kube-ovn"].used, found["kube-ovn"].free) == (9, None)


def test_blocks_and_affinities_of_nodes_long_gone_are_still_theirs() -> None:
    pools = [{"metadata": {"name": "p"}, "spec": {"cidr": "10.1.0.0/24"}}]
    affinity = {"spec": {"cidr": "10.1.0.0/26", "node": "n9", "state": "confirmed"}}
    half = {"spec": {"cidr": "10.1.0.64/26", "node": ""}}
    found = read(view({calico_ranges.POOLS[0]: pools, calico_ranges.AFFINITIES[0]: [affinity, half]}))
    held = {(item.cidr, item.node) for item in found.allocations if item.provider == "calico"}
    assert held == {("10.1.0.0/24", ""), ("10.1.0.0/26", "n9")}
    (pool_,) = [pool for pool in found.pools if pool.provider == "calico"]
    assert (pool_.assigned, pool_.leaked) == (128, None)


def test_endpoints_of_cilium_are_not_read_however_many_there_are() -> None:
    assert not [kind for kind in WANTED_KINDS if "endpoint" in kind.plural]
    assert cilium.NODES in WANTED_KINDS
