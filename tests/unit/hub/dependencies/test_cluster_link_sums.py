"""Links between clusters: each byte in one of two directions, whoever opened the connection."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.dependencies.engine.ends import LOCAL_PARTS
from periplus_hub.dependencies.engine.links import NOT_KNOWN, LinkPlace, cluster_links
from periplus_hub.dependencies.model import LinkLevel
from periplus_hub.flows.model import NOBODY

from tests.support.edge_rows import EAST, KNOWN, WEST, edge_rows, row

SOUTH = UUID(int=3)
CLUSTERS = (EAST, WEST, SOUTH)


def end(cluster: UUID, kind: str = "") -> tuple[UUID, str, str, str]:
    return (cluster, "", kind, "")


@given(
    st.dictionaries(
        st.tuples(st.sampled_from([*CLUSTERS, NOBODY]), st.sampled_from([*CLUSTERS, NOBODY]), st.integers(0, 4)),
        st.tuples(st.integers(0, 2**40), st.integers(0, 2**40), st.sampled_from([0, 1, KNOWN])),
        min_size=1,
    )
)
def test_what_leaves_a_cluster_arrives_at_the_others(told: dict[tuple[UUID, UUID, int], tuple[int, int, int]]) -> None:
    rows = [
        row(
            *(end(each, "external" if each == NOBODY else "") for each in (src, dst)),
            outcome=outcome, bytes_tx=tx, bytes_rx=rx, known=known,
        )
        for (src, dst, outcome), (tx, rx, known) in told.items()
    ]  # fmt: skip
    found = cluster_links(edge_rows(rows), 1_000)
    sent: dict[tuple[UUID, UUID], int] = {}
    for (src, dst, outcome), (tx, rx, known) in told.items():
        if src != dst and NOBODY not in (src, dst) and outcome in {0, 1, 4}:
            sent[src, dst] = sent.get((src, dst), 0) + (tx if known & 1 else 0)
            sent[dst, src] = sent.get((dst, src), 0) + (rx if known & 2 else 0)
    pairs = [(each.a.registration_id, each.b.registration_id) for each in found.links]
    shown = {pair: each.bytes_a_to_b or 0 for pair, each in zip(pairs, found.links, strict=True)}
    shown |= {(b, a): each.bytes_b_to_a or 0 for (a, b), each in zip(pairs, found.links, strict=True)}
    assert {way: tx for way, tx in shown.items() if tx} == {way: tx for way, tx in sent.items() if tx}
    assert all(a is not None and b is not None and a < b for a, b in pairs)
    assert found.count == len(found.links) == len({frozenset(way[:2]) for way in told if NOBODY not in way[:2]} - {
        frozenset({each}) for each in CLUSTERS
    })  # fmt: skip


def link(*rows: dict[str, Any]) -> Any:
    [only] = cluster_links(edge_rows(rows), 10).links
    return only


def test_directions_are_added_whoever_opened() -> None:
    there = row(end(EAST), end(WEST), bytes_tx=10, bytes_rx=1, connections_opened=3, packets_tx=50, retransmits=2)
    back = row(end(WEST), end(EAST), bytes_tx=200, bytes_rx=20, packets_rx=50, rtt_us_sum=90, rtt_count=3)
    found = link(there, back)
    assert (found.bytes_a_to_b, found.bytes_b_to_a) == (30, 201)
    assert (found.connections_by_a, found.connections_by_b) == (3, 0)
    assert (found.retransmit_ratio, found.rtt_us) == (0.02, 30)


def test_unknown_is_not_zero_and_nothing_is() -> None:
    bytes_only = 0b11
    found = link(row(end(EAST), end(WEST), bytes_tx=10, known=bytes_only))
    assert (found.connections_by_a, found.connections_by_b) == (None, 0)
    assert (found.retransmits, found.retransmit_ratio, found.dropped_bytes) == (None, None, None)
    dropped = link(row(end(EAST), end(WEST), bytes_tx=10, outcome=2))
    assert (dropped.bytes_a_to_b, dropped.dropped_bytes) == (0, 10)
    assert link(row(end(EAST), end(WEST), outcome=2, known=KNOWN - bytes_only)).dropped_bytes is None


def test_what_may_cross_is_told_beside() -> None:
    rows = [row(end(EAST), end(NOBODY, kind), bytes_tx=5) for kind in ("address", "ambiguous", "external")]
    found = cluster_links(edge_rows(rows), 10)
    assert (found.links, found.unresolved.sums.dependencies, found.unresolved.sums.bytes_tx) == ((), [2], [10])


AWS = {EAST: "aws", WEST: "aws", SOUTH: "vsphere"}
ZONES = [("", ""), ("eu", ""), ("eu", "eu-a"), ("us", "eu-a"), ("", "eu-a")]
PLACES = st.tuples(st.sampled_from([*CLUSTERS, NOBODY]), st.sampled_from(ZONES))


def whereabouts(cluster: UUID, where: tuple[str, str], by: LinkLevel) -> LinkPlace:
    """What a person would say of an end."""
    region, zone = where
    if not (zone if by is LinkLevel.ZONE else region):
        return NOT_KNOWN
    whose = None if AWS[cluster] == "aws" else cluster
    return LinkPlace(
        registration_id=whose, provider=AWS[cluster], region=region, zone=zone if by is LinkLevel.ZONE else ""
    )


@given(
    st.dictionaries(st.tuples(PLACES, PLACES), st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), min_size=1),
    st.sampled_from([LinkLevel.REGION, LinkLevel.ZONE]),
)
def test_what_leaves_a_zone_arrives_elsewhere_and_what_may_leave_it_is_told(
    told: dict[tuple[Any, Any], tuple[int, int]], by: LinkLevel
) -> None:
    def local(place: tuple[UUID, tuple[str, str]]) -> tuple[UUID, str, str, str]:
        cluster, (region, zone) = place
        return (cluster, "external" if cluster == NOBODY else "", region, zone if by is LinkLevel.ZONE else "")

    rows = [row(local(src), local(dst), bytes_tx=tx, bytes_rx=rx) for (src, dst), (tx, rx) in told.items()]
    found = cluster_links(edge_rows(rows, LOCAL_PARTS), 1_000, by, AWS)
    sent: dict[frozenset[LinkPlace], int] = {}
    for (src, dst), (tx, rx) in told.items():
        if NOBODY in (src[0], dst[0]):
            continue
        places = [whereabouts(*each, by) for each in (src, dst)]
        if places[0] != places[1] or places[0] == NOT_KNOWN:
            sent[frozenset(places)] = sent.get(frozenset(places), 0) + tx + rx
    shown = {frozenset((each.a, each.b)): (each.bytes_a_to_b or 0) + (each.bytes_b_to_a or 0) for each in found.links}
    assert shown == sent
    assert found.count == len(sent)


def test_each_way_between_zones() -> None:
    a, b = (EAST, "", "eu", "eu-a"), (WEST, "", "eu", "eu-b")
    rows = [row(a, b, bytes_tx=5, bytes_rx=1), row(b, a, bytes_tx=70, bytes_rx=10, connections_opened=1)]
    [found] = cluster_links(edge_rows(rows, LOCAL_PARTS), 10, LinkLevel.ZONE, AWS).links
    assert (found.a.zone, found.b.zone) == ("eu-a", "eu-b")
    assert (found.bytes_a_to_b, found.bytes_b_to_a) == (15, 71)
    assert (found.connections_by_a, found.connections_by_b) == (0, 1)
