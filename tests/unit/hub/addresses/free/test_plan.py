"""A plan: sized by what each cluster has, apart from all that is taken, the same every time."""

from decimal import Decimal
from ipaddress import ip_network
from itertools import combinations
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.addresses.free.engine.planner import PlannedCluster, Taken, propose
from periplus_hub.addresses.free.engine.sizing import KINDS, Demand, Holding, need
from periplus_hub.addresses.free.model import RangeProposal, RangeReservation
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import parse
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes

from tests.support.clock import START

POD, SERVICE, NODE = KINDS
TWO = Decimal(2)
SEED = b"fleet"


def taken(*cidrs: str, reservations: tuple[RangeReservation, ...] = (), providers: tuple[str, ...] = ()) -> Taken:
    prefixes = {
        family: FamilyPrefixes.of_prefixes([each for each in map(parse, cidrs) if each.family == family])
        for family in (4, 6)
    }
    return Taken(prefixes=prefixes, reservations=reservations, providers=frozenset(providers))


def cluster(name: str, **demand: object) -> PlannedCluster:
    found = Demand(**{"nodes": 3, "pods": 40, "services": 9, **demand})  # type: ignore[arg-type]  # as given
    return PlannedCluster(name=name, registration_id=UUID(int=1), demand=found)


def both(*kinds: AllocationKind) -> dict[tuple[AllocationKind, int], Holding]:
    """A cluster with both families."""
    return {(kind, family): Holding() for kind in kinds or KINDS for family in (4, 6)}


def reserved(cidr: str, name: str, kind: AllocationKind = POD) -> RangeReservation:
    return RangeReservation(
        id=uuid4(), cidr=cidr, kind=kind, cluster_name=name, reason="", reserved_by="me", created_at=START,
        expires_at=START,
    )  # fmt: skip


def ranges(proposals: tuple[RangeProposal, ...]) -> list[str]:
    return [each.cidr for each in proposals if each.cidr]


@pytest.mark.parametrize(
    ("demand", "kind", "family", "growth", "length"),
    [
        ({"nodes": 3}, POD, 4, 2, 21),
        ({"nodes": 3}, POD, 4, 1, 22),
        ({"nodes": 3, "holds": {(POD, 4): Holding(addresses=96, node_block=27)}}, POD, 4, 2, 24),
        ({"nodes": 30, "holds": {(POD, 4): Holding(addresses=30 * 512, node_block=23)}}, POD, 4, 1, 18),
        ({"nodes": 1, "holds": {(POD, 4): Holding(addresses=40 * 64, node_block=26)}}, POD, 4, 1, 20),
        ({"nodes": 1, "pods": 1_000}, POD, 4, 2, 21),
        ({"nodes": 1, "holds": {(POD, 4): Holding(addresses=70_000)}}, POD, 4, 1, 15),
        ({"holds": {(POD, 4): Holding(addresses=300)}}, POD, 4, 2, 22),
        ({"services": 3}, SERVICE, 4, 2, 24),
        ({"services": 127}, SERVICE, 4, 2, 24),
        ({"services": 128}, SERVICE, 4, 2, 23),
        ({"services": 3}, SERVICE, 6, 2, 112),
        ({"nodes": 5}, NODE, 4, 2, 28),
        ({"nodes": 6}, NODE, 4, 2, 27),
        ({"nodes": 3}, NODE, 6, 2, 64),
        ({"nodes": 3}, POD, 6, 2, 61),
        ({"nodes": 3}, POD, 4, Decimal("1.5"), 21),
    ],
)
def test_a_range_is_as_large_as_the_cluster_needs(
    demand: dict[str, object], kind: AllocationKind, family: int, growth: Decimal, length: int
) -> None:
    assert need(Demand(**demand), kind, family, Decimal(growth)).length == length  # type: ignore[arg-type]  # as given


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_counted_has_no_size(kind: AllocationKind) -> None:
    length, why = need(Demand(), kind, 4, TWO)
    assert length is None
    assert "is not known" in why


def test_no_service_range_is_larger_than_the_api_server_takes() -> None:
    assert need(Demand(services=2_000_000), SERVICE, 4, TWO).length is None
    assert need(Demand(services=500_000), SERVICE, 4, TWO).length == 12


@given(
    st.integers(0, 5_000), st.integers(0, 100_000), st.integers(0, 200_000), st.sampled_from([None, 22, 24, 26]),
    st.decimals(1, 10, places=1),
)  # fmt: skip
def test_a_range_holds_what_the_cluster_has(
    nodes: int, pods: int, held: int, block: int | None, growth: Decimal
) -> None:
    demand = Demand(nodes=nodes, pods=pods, holds={(POD, 4): Holding(addresses=held, node_block=block)})
    length, _ = need(demand, POD, 4, growth)
    assert length is not None
    size = 1 << (32 - length)
    assert size >= held
    assert size >= pods * growth or length == 8
    assert size >= nodes * growth * (1 << (32 - (block or 24))) or length == 8


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 900), st.integers(0, 300), st.booleans()), min_size=1, max_size=8
    ),
    st.lists(st.tuples(st.integers(0, 255), st.integers(8, 28)), max_size=10),
)
def test_proposals_of_one_plan_touch_nothing_and_not_each_other(
    sizes: list[tuple[int, int, int, bool]], used: list[tuple[int, int]]
) -> None:
    clusters = [
        cluster(f"c{at}", nodes=nodes, pods=pods, services=services, holds=both() if dual else {})
        for at, (nodes, pods, services, dual) in enumerate(sizes)
    ]
    in_use = [str(ip_network(f"10.{second}.0.0/{length}", strict=False)) for second, length in used]
    found = propose(clusters, KINDS, TWO, taken(*in_use), SEED)
    networks = [ip_network(each) for each in ranges(found)]
    others = [ip_network(each) for each in in_use]
    assert len(found) == sum(6 if dual else 3 for *_, dual in sizes)
    assert len(networks) == len(found)
    assert all(each.is_private for each in networks)
    assert not any(a.version == b.version and a.overlaps(b) for a, b in combinations(networks, 2))
    assert not any(a.version == b.version and a.overlaps(b) for a in networks for b in others)
    assert propose(clusters, KINDS, TWO, taken(*reversed(in_use)), SEED) == found


def test_a_reservation_is_taken_by_others_and_kept_by_its_cluster() -> None:
    (mine,) = ranges(propose([cluster("a")], (POD,), TWO, taken(), SEED))
    others = reserved(mine, "b")
    moved = propose([cluster("a"), cluster("b")], (POD,), TWO, taken(reservations=(others,)), SEED)
    assert [(each.cidr, each.reservation_id) for each in moved][1] == (mine, others.id)
    assert moved[0].cidr != mine
    assert moved[0].reservation_id is None


def test_a_reservation_that_became_too_small_is_no_proposal() -> None:
    small = reserved("10.9.0.0/24", "a")
    (found,) = propose([cluster("a", nodes=40)], (POD,), TWO, taken(reservations=(small,)), SEED)
    assert found.reservation_id is None
    assert not ip_network(found.cidr or "").overlaps(ip_network("10.9.0.0/24"))


def test_where_nothing_is_free_the_size_that_was_looked_for_is_said() -> None:
    everything = taken("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
    (found,) = propose([cluster("a")], (POD,), TWO, everything, SEED)
    assert found.cidr is None
    assert found.why == "no room in private space for a /21: 3 node blocks of /24, growth 2"


def test_shared_addresses_come_last_and_never_on_a_cloud_that_uses_them() -> None:
    nearly = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    (found,) = propose([cluster("a")], (POD,), TWO, taken(*nearly), SEED)
    assert ip_network(found.cidr or "").subnet_of(ip_network("100.64.0.0/10"))  # type: ignore[arg-type]  # both IPv4
    (none,) = propose([cluster("a")], (POD,), TWO, taken(*nearly, providers=("alibaba",)), SEED)
    assert none.cidr is None


def test_ipv6_comes_out_of_the_fleets_own_network() -> None:
    found = propose([cluster("a", holds=both()), cluster("b", holds=both())], KINDS, TWO, taken(), SEED)
    networks = {ip_network(each.cidr or "").supernet(new_prefix=48) for each in found if each.family == 6}
    other = propose([cluster("a", holds=both())], KINDS, TWO, taken(), b"another fleet")
    assert len(networks) == 1
    assert networks.isdisjoint(
        ip_network(each.cidr or "").supernet(new_prefix=48) for each in other if each.family == 6
    )


def test_a_fleet_too_large_for_one_network_gets_more() -> None:
    clusters = [cluster(f"c{number}", nodes=16_000, holds=both(POD)) for number in range(6)]
    found = [each for each in propose(clusters, (POD,), TWO, taken(), SEED) if each.family == 6]
    assert all(each.cidr for each in found)
    assert len({ip_network(each.cidr or "").supernet(new_prefix=48) for each in found}) > 1
