"""What may still be said of a cluster of which a source is missing: of the kinds that do not come from it."""

import pytest

from periplus_contract.covers import EVERY_ALLOCATION, allocations
from periplus_hub.addresses.ipam.engine.feeding import TOLD, right_to, unknown_kinds
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING, Knowledge, known
from periplus_hub.addresses.ipam.model import AllocationKind

from tests.support.clock import START
from tests.unit.hub.addresses.ipam.test_knowledge import evidence, registration, source

POD, NODE, SERVICE = AllocationKind.POD, AllocationKind.NODE, AllocationKind.SERVICE
BALANCER, EXTERNAL = AllocationKind.LOADBALANCER, AllocationKind.EXTERNAL
TOLD_RANGES = source("networking.k8s.io/servicecidrs", "ok", objects=1)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("nodes", {NODE, POD}),
        ("services", {BALANCER, EXTERNAL}),
        ("networking.k8s.io/servicecidrs", {SERVICE}),
        ("apis", {POD, BALANCER}),
        ("apps/daemonsets", {POD}),
        ("kube-system/cilium-config", {POD}),
        ("kube-system/kubeadm-config", {POD}),
        ("kube-flannel/kube-flannel-cfg", {POD, BALANCER}),
        ("crd.projectcalico.org/ippools", {POD, BALANCER}),
        ("metallb.io/ipaddresspools", {BALANCER}),
        ("ipam/pod-range", {POD}),
        ("something", set(TOLD)),
    ],
)
def test_a_missing_source_leaves_unknown_what_comes_from_it(name: str, kinds: set[AllocationKind]) -> None:
    found = unknown_kinds(evidence(TOLD_RANGES, source(name, "forbidden")))
    assert set(found) == kinds
    assert {each.source for lacks in found.values() for each in lacks} == {name}


@pytest.mark.parametrize("name", ["nodes", "services", "kube-system/kubeadm-config", "config.openshift.io/networks"])
def test_where_no_service_range_is_told_whatever_may_name_it_is_missing(name: str) -> None:
    absent = source("networking.k8s.io/servicecidrs", "absent", reason="not_found")
    assert SERVICE in unknown_kinds(evidence(absent, source(name, "forbidden")))
    assert SERVICE not in unknown_kinds(evidence(absent, source("apps/daemonsets", "forbidden")))


@pytest.mark.parametrize("name", FEEDING)
def test_whatever_makes_a_cluster_incomplete_leaves_some_kind_unknown(name: str) -> None:
    seen = evidence(source(name, "forbidden"), exact=frozenset())
    assert known(seen, START).knowledge is Knowledge.INCOMPLETE
    assert unknown_kinds(seen)


def test_of_a_complete_cluster_every_kind_is_known() -> None:
    assert unknown_kinds(evidence()) == {}


def test_a_kind_that_was_never_stated_is_unknown_whatever_else_is_missing() -> None:
    stated = frozenset(EVERY_ALLOCATION) - {allocations("node")}
    found = unknown_kinds(evidence(source("metallb.io/ipaddresspools", "failed"), stated=stated))
    assert {kind: lacks[0].source for kind, lacks in found.items()} == {
        BALANCER: "metallb.io/ipaddresspools",
        NODE: "allocations/node",
    }


def test_rows_that_were_set_aside_may_be_of_any_kind() -> None:
    assert set(unknown_kinds(evidence(rows_aside=1))) == set(TOLD)
    ahead = registration(clock_skew_ms=10_000_000)
    assert set(unknown_kinds(evidence(registration=ahead))) == set(TOLD)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("nodes", "list and watch nodes"),
        ("apps/daemonsets", "list and watch daemonsets.apps"),
        ("networking.k8s.io/servicecidrs", "list and watch servicecidrs.networking.k8s.io"),
        ("crd.projectcalico.org/ippools", "list ippools.crd.projectcalico.org"),
        ("kube-system/cilium-config", "get the ConfigMap cilium-config in kube-system"),
        ("kube-system/control-plane", "list pods in kube-system"),
        ("allocations/pod", ""),
        ("ipam/pod-range", ""),
        ("clock", ""),
    ],
)
def test_the_right_that_a_source_takes_is_named(name: str, right: str) -> None:
    assert right_to(name) == right
