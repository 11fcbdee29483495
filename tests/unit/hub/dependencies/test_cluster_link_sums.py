"""Links between clusters: each byte in one of two directions, whoever opened the connection."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.dependencies.engine.links import cluster_links
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
    shown = {(each.a, each.b): each.bytes_a_to_b or 0 for each in found.links}
    shown |= {(each.b, each.a): each.bytes_b_to_a or 0 for each in found.links}
    assert {way: tx for way, tx in shown.items() if tx} == {way: tx for way, tx in sent.items() if tx}
    assert all(each.a < each.b for each in found.links)
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
