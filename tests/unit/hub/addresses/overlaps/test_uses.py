"""What the rows of one cluster are, as the rules of overlaps see them."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.ipam.model import AllocationKind, Reach
from periplus_hub.addresses.overlaps.engine.uses import KIND_OF, KINDS, REACHES, USES, Traits, Use, uses_of_rows
from periplus_hub.addresses.prefixes.prefix import Prefix, parse

from tests.support.prefix_columns import prefix_columns
from tests.support.properties import examples

POD, NODE, SERVICE, BALANCER = (
    AllocationKind.POD,
    AllocationKind.NODE,
    AllocationKind.SERVICE,
    AllocationKind.LOADBALANCER,
)
Row = tuple[AllocationKind, str, int]
"""Kind, range, and the node that holds it; 0 is none."""


def uses(*rows: Row, seen: bool = False, reach: Reach = Reach.UNKNOWN) -> list[Use]:
    traits = Traits(
        np.array([KINDS.index(kind) for kind, _, _ in rows], dtype=np.uint8),
        np.full(len(rows), seen),
        np.full(len(rows), REACHES.index(reach), dtype=np.uint8),
        np.array([node for _, _, node in rows], dtype=np.int64),
    )
    return [USES[use] for use in uses_of_rows(prefix_columns([parse(cidr) for _, cidr, _ in rows]), traits).tolist()]


@pytest.mark.parametrize("kind", AllocationKind)
@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("reach", Reach)
def test_every_row_stays_of_its_kind(kind: AllocationKind, seen: bool, reach: Reach) -> None:
    (use,) = uses((kind, "10.0.0.0/24", 1), seen=seen, reach=reach)
    assert KIND_OF[use] is kind


def test_a_pod_range_is_known_by_its_reach_and_by_whether_it_is_a_claim() -> None:
    row = (POD, "10.0.0.0/24", 0)
    assert uses(row) == [Use.POD]
    assert uses(row, reach=Reach.MASQUERADED) == [Use.POD_MASQUERADED]
    assert uses(row, reach=Reach.ROUTED) == [Use.POD_ROUTED]
    assert uses(row, seen=True, reach=Reach.MASQUERADED) == [Use.POD_SEEN_MASQUERADED]


def test_a_node_is_reached_by_its_address_unless_somebody_knows_better() -> None:
    row = (NODE, "10.0.0.1/32", 1)
    assert uses(row) == uses(row, reach=Reach.ROUTED) == [Use.NODE]
    assert uses(row, reach=Reach.MASQUERADED) == [Use.NODE_MASQUERADED]
    twice = [(NODE, "10.0.2.15/32", 1), (NODE, "10.0.2.15/32", 2)]
    assert uses(*twice, reach=Reach.MASQUERADED) == [Use.NODE_SHARED_MASQUERADED] * 2


def test_a_pool_is_told_from_an_address_that_a_load_balancer_has() -> None:
    assert uses((BALANCER, "10.0.0.0/24", 0), (BALANCER, "10.0.0.1/32", 0)) == [Use.LOADBALANCER_POOL] * 2
    assert uses((BALANCER, "10.0.0.1/32", 0), seen=True) == [Use.LOADBALANCER]


def test_a_range_that_a_provider_gives_to_every_cluster_is_managed() -> None:
    rows = [(SERVICE, cidr, 0) for cidr in ("34.118.224.0/20", "34.118.225.0/24", "34.118.0.0/16", "34.118.240.0/20")]
    assert uses(*rows) == [Use.SERVICE_MANAGED, Use.SERVICE_MANAGED, Use.SERVICE, Use.SERVICE]
    assert uses((POD, "34.118.224.0/20", 0), (SERVICE, "fd00::/64", 0)) == [Use.POD, Use.SERVICE]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(NODE, "10.0.2.15/32", 1), (NODE, "10.0.2.15/32", 2), (NODE, "10.0.2.15/32", 3)], [Use.NODE_SHARED] * 3),
        ([(NODE, "10.0.2.15/32", 1), (NODE, "10.0.2.16/32", 2)], [Use.NODE] * 2),
        ([(POD, "10.244.0.0/24", 1), (POD, "10.244.0.0/24", 2)], [Use.POD_SHARED] * 2),
        ([(POD, "10.244.0.0/25", 1), (POD, "10.244.0.0/24", 2)], [Use.POD_SHARED] * 2),
        ([(POD, "10.244.0.0/16", 0), (POD, "10.244.0.0/24", 1)], [Use.POD] * 2),
        ([(POD, "10.244.0.0/24", 0), (POD, "10.244.0.0/24", 1)], [Use.POD] * 2),
        ([(POD, "10.244.0.0/24", 1), (POD, "10.244.0.0/26", 1)], [Use.POD] * 2),
        ([(POD, "10.244.0.0/24", 1), (NODE, "10.244.0.7/32", 2)], [Use.POD, Use.NODE]),
        ([(POD, "fd00::/64", 1), (POD, "fd00::/64", 2)], [Use.POD_SHARED] * 2),
    ],
)
def test_what_two_nodes_hold_is_shared(rows: list[Row], expected: list[Use]) -> None:
    assert uses(*rows) == expected


def test_addresses_that_are_only_seen_are_nobodys_block() -> None:
    rows = ((POD, "10.0.0.7/32", 1), (POD, "10.0.0.7/32", 2))
    assert uses(*rows, seen=True) == [Use.POD_SEEN] * 2


def _prefix(bits: int, length: int) -> str:
    return str(Prefix(4, (10 << 24 | bits) << 96 >> (128 - length) << (128 - length), length))


held = st.tuples(st.just(POD), st.builds(_prefix, st.integers(0, 15), st.integers(28, 32)), st.integers(0, 3))


@examples(0.5)
@given(st.lists(held, max_size=12, unique=True))
def test_shared_is_whatever_overlaps_another_nodes(rows: list[Row]) -> None:
    expected = [Use.POD] * len(rows)
    for (i, (_, a, one)), (j, (_, b, other)) in combinations(enumerate(rows), 2):
        meet = parse(a).covers(parse(b)) or parse(b).covers(parse(a))
        if one and other and one != other and meet:
            expected[i] = expected[j] = Use.POD_SHARED
    assert uses(*rows) == expected
