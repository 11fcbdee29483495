"""What a group breaks follows from the kinds that really collide."""

import pytest

from periplus_hub.addresses.explain import explain
from periplus_hub.addresses.model import AllocationKind, Severity


def breaks(*kinds: AllocationKind) -> str:
    return " ".join(explain(Severity.CONFLICT, kinds, clusters=2).breaks)


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (AllocationKind.POD, "route is ambiguous"),
        (AllocationKind.SERVICE, "ClusterIPs apart"),
        (AllocationKind.NODE, "Node addresses collide"),
        (AllocationKind.LOADBALANCER, "Two load balancers"),
        (AllocationKind.EXTERNAL, "Two services"),
    ],
)
def test_one_kind_collides_with_itself(kind: AllocationKind, part: str) -> None:
    assert part in breaks(kind)


def test_a_service_range_over_nodes_hides_them_and_nodes_do_not_collide() -> None:
    text = breaks(AllocationKind.SERVICE, AllocationKind.NODE)
    assert "service range of one cluster covers nodes" in text
    assert "Node addresses collide" not in text


def test_a_pod_range_over_machines_hides_them() -> None:
    text = breaks(AllocationKind.POD, AllocationKind.NODE, AllocationKind.LOADBALANCER)
    assert "pod range of one cluster covers nodes and load balancers" in text
    assert "Cilium Cluster Mesh" in text


def test_one_address_with_two_uses() -> None:
    assert "different owners" in breaks(AllocationKind.NODE, AllocationKind.EXTERNAL)


def test_a_plan_over_live_pods() -> None:
    text = breaks(AllocationKind.PLANNED, AllocationKind.POD)
    assert "planned range is already in use" in text
    assert "route is ambiguous" in text


def test_every_mix_says_something() -> None:
    kinds = list(AllocationKind)
    for first in kinds:
        for second in kinds:
            assert breaks(first, second)
