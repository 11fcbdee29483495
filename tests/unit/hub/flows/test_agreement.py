"""Bytes of pairs of zones: exact where both reporters know both ends alike, and counted once where they do not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.flows.engine.agreement import agreed
from periplus_hub.flows.engine.localities import Names
from periplus_hub.flows.engine.merge import CLIENT, ORDER, SERVER, merged

from tests.support.properties import examples

HOUR = 1_767_225_600
NOWHERE, BARE, R, RA, RB, S, SC, R_ONLY = range(8)
"""Of all pods nothing, or a region each; exactly: nothing, two zones of a region, a zone of another, a region alone."""
NAMES = Names(
    texts=pa.table({"region": ["", "", "r", "r", "r", "s", "s", "r"], "zone": ["", "", "", "a", "b", "", "c", ""]}),
    region_alone=np.array([NOWHERE, NOWHERE, R, R, R, S, S, R]),
    is_exact=np.array([0, 1, 0, 1, 1, 0, 1, 1]),
    has_region=np.array([0, 0, 1, 1, 1, 1, 1, 1]),
)


@dataclass(frozen=True)
class Told:
    """A row of the store's answer."""

    reporter: int
    src: int
    dst: int
    tx: int = 10
    window: int = 0
    edge: int = 0


def table(rows: Sequence[Told]) -> pa.Table:
    count = len(rows)
    whole = pa.table(
        {
            "ends": pa.array([each.edge for each in rows], pa.uint64()),
            "how": pa.array([443 << 16 | 6 << 8 | 1] * count, pa.uint32()),
            "localities": pa.array([each.src << 32 | each.dst for each in rows], pa.uint64()),
            "window": pa.array([HOUR + 60 * each.window for each in rows], pa.uint32()),
            "window_s": pa.array([60] * count, pa.uint32()),
            "reporter": pa.array([each.reporter for each in rows], pa.uint8()),
            **{name: pa.array([0] * count, pa.uint8()) for name in ("src_rule", "dst_rule")},
            "bytes_tx": pa.array([each.tx for each in rows], pa.uint64()),
            "unmeasured": pa.array([0b1111_1111_1110] * count, pa.uint16()),
            "sampling": pa.array([1] * count, pa.uint32()),
        }
    )
    return whole.sort_by([(name, "ascending") for name in ORDER])


def bytes_by_zones(rows: Sequence[Told], edge: int = 0) -> dict[tuple[int, int], int]:
    found = merged(agreed(table(rows), NAMES), ["bytes_tx"]).to_pylist()
    return {
        (row["localities"] >> 32, row["localities"] & 2**32 - 1): row["bytes_tx"]
        for row in found
        if row["ends"] == edge
    }


C, V = CLIENT, SERVER


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Both know both ends by their addresses.
        ([Told(C, RA, RB), Told(V, RA, RB)], {(RA, RB): 10}),
        ([Told(C, RA, RB), Told(C, RB, RB), Told(V, RA, RB), Told(V, RB, RB, 12)], {(RA, RB): 10, (RB, RB): 12}),
        ([Told(C, RA, RB), Told(V, RB, RB)], {(RA, RB): 10, (RB, RB): 10}),
        ([Told(C, RA, NOWHERE), Told(V, RA, NOWHERE)], {(RA, NOWHERE): 10}),
        ([Told(C, RA, RB), Told(C, BARE, RB), Told(V, RA, RB), Told(V, BARE, RB)], {(RA, RB): 10, (BARE, RB): 10}),
        ([Told(C, RA, RB), Told(C, R_ONLY, RB), Told(V, RA, RB)], {(RA, RB): 10, (R_ONLY, RB): 10}),
        # One reporter alone.
        ([Told(C, RA, RB), Told(C, RA, NOWHERE), Told(C, R, SC)], {(RA, RB): 10, (RA, NOWHERE): 10, (R, SC): 10}),
        # The client told a workload with pods in two zones, the server saw its address; and the other way round.
        ([Told(C, R, SC), Told(V, RA, SC)], {(R, SC): 10}),
        ([Told(C, R, SC, 30), Told(V, RA, SC, 10), Told(V, RB, SC, 20)], {(R, SC): 30}),
        ([Told(C, R, SC, 30), Told(V, RA, S, 10), Told(V, RB, S, 20)], {(R, S): 30}),
        ([Told(C, NOWHERE, SC), Told(V, RA, SC)], {(NOWHERE, SC): 10}),
        ([Told(C, R, SC), Told(V, NOWHERE, SC)], {(NOWHERE, SC): 10}),
        ([Told(C, NOWHERE, SC, 20), Told(V, BARE, SC), Told(V, RA, SC)], {(NOWHERE, SC): 20}),
        ([Told(C, R, SC, 20), Told(V, R_ONLY, SC), Told(V, RA, SC)], {(R, SC): 20}),
        # What one side does not know of one window is not known of the others: they are of one edge.
        ([Told(C, R, SC), Told(V, RA, SC), Told(C, RA, SC, 7, 1)], {(R, SC): 17}),
    ],
    ids=str,
)
def test_as_far_as_both_know(rows: list[Told], expected: dict[tuple[int, int], int]) -> None:
    assert bytes_by_zones(rows) == expected


def test_other_edges_keep_what_is_known_of_them() -> None:
    apart = [Told(C, RA, SC, edge=1), Told(V, RA, SC, edge=1), Told(C, RA, RB, 5, edge=3)]
    rows = [*apart, Told(C, R, SC, edge=2), Told(V, RB, SC, edge=2)]
    assert bytes_by_zones(rows, 1) == {(RA, SC): 10}
    assert bytes_by_zones(rows, 2) == {(R, SC): 10}
    assert bytes_by_zones(rows, 3) == {(RA, RB): 5}


PODS = st.lists(
    st.tuples(
        st.sampled_from([RA, RB, SC, BARE]),
        st.sampled_from([RA, RB, SC, R_ONLY]),
        st.integers(0, 3),
        st.integers(0, 100),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda each: each[:3],
)


@pytest.mark.promise("bytes-count-once")
@given(PODS, st.tuples(*[st.sampled_from([NOWHERE, R, None])] * 4))
@examples(2)
def test_whatever_reporters_know_of_zones_each_byte_counts_once(
    passed: list[tuple[int, int, int, int]], blurred: tuple[int | None, ...]
) -> None:
    """Both report the same; of an end, one may know no more than the region, or nothing."""
    client_src, client_dst, server_src, server_dst = blurred

    def seen(where: int, blur: int | None) -> int:
        if blur == R:
            return int(NAMES.region_alone[where])
        return where if blur is None else blur

    sides = ((C, client_src, client_dst), (V, server_src, server_dst))
    whole: dict[tuple[int, int, int, int], int] = {}
    for src, dst, window, tx in passed:
        for side, of_src, of_dst in sides:
            key = (side, seen(src, of_src), seen(dst, of_dst), window)
            whole[key] = whole.get(key, 0) + tx
    rows = [Told(side, src, dst, tx, window) for (side, src, dst, window), tx in whole.items()]
    found = bytes_by_zones(rows)
    assert sum(found.values()) == sum(tx for *_, tx in passed)
    if blurred == (None,) * 4:
        exact: dict[tuple[int, int], int] = {}
        for src, dst, _, tx in passed:
            exact[src, dst] = exact.get((src, dst), 0) + tx
        assert found == exact
