"""What two ends report of one edge: each byte once, whatever the order, and nothing that only one saw is lost."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.flows.engine.merge import CLIENT, SERVER, merged

from tests.support.properties import examples

HOUR = 1_767_225_600


@dataclass(frozen=True, order=True)
class Told:
    """A row of the store's answer."""

    edge: str
    window: int
    reporter: int
    tx: int
    window_s: int = 60


def merge(rows: Sequence[Told]) -> dict[str, dict[str, int]]:
    ordered = sorted(rows, key=lambda each: (each.edge, each.window, each.window_s, each.reporter))
    count = len(ordered)
    edges = sorted({each.edge for each in rows})
    table = pa.table(
        {
            "ends": pa.array([edges.index(each.edge) for each in ordered], pa.uint64()),
            "how": pa.array([443 << 16 | 6 << 8 | 1] * count, pa.uint32()),
            "localities": pa.array([0] * count, pa.uint64()),
            "window": pa.array([HOUR + 60 * each.window for each in ordered], pa.uint32()),
            "window_s": pa.array([each.window_s for each in ordered], pa.uint32()),
            "reporter": pa.array([each.reporter for each in ordered], pa.uint8()),
            **{name: pa.array([0] * count, pa.uint8()) for name in ("src_rule", "dst_rule")},
            "bytes_tx": pa.array([each.tx for each in ordered], pa.uint64()),
            "unmeasured": pa.array([0b1111_1111_1110] * count, pa.uint16()),
            "sampling": pa.array([1] * count, pa.uint32()),
        }
    )
    return {edges[row["ends"]]: row for row in merged(table, ["bytes_tx"]).to_pylist()}


def total(*rows: tuple[int, int, int]) -> int:
    """Of one edge: (window, reporter, bytes)."""
    return merge([Told("web", *row) for row in rows])["web"]["bytes_tx"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, CLIENT, 100), (0, SERVER, 100)], 100),
        ([(0, CLIENT, 100), (0, SERVER, 90)], 100),
        ([(0, CLIENT, 90), (0, SERVER, 100)], 100),
        ([(0, CLIENT, 100)], 100),
        ([(0, SERVER, 100)], 100),
        ([(0, CLIENT, 50), (1, SERVER, 50)], 100),
        ([(0, CLIENT, 50), (30, SERVER, 50)], 100),
        ([(0, CLIENT, 60), (1, CLIENT, 40), (0, SERVER, 50), (1, SERVER, 50)], 100),
        ([(0, CLIENT, 40), (1, CLIENT, 60), (0, SERVER, 50), (1, SERVER, 50)], 100),
        ([(0, CLIENT, 100), (0, SERVER, 60), (1, SERVER, 40)], 100),
        ([(0, CLIENT, 100), (0, SERVER, 60), (2, SERVER, 40)], 140),
        ([(0, CLIENT, 100), (0, SERVER, 60), (1, SERVER, 70)], 130),
    ],
    ids=str,
)
def test_the_client_counts_and_of_the_server_what_is_more(rows: list[tuple[int, int, int]], expected: int) -> None:
    assert total(*rows) == expected


def test_coarser_windows_of_one_end_are_compared_as_such() -> None:
    fine = [Told("web", minute, SERVER, 10) for minute in range(5)]
    assert merge([Told("web", 0, CLIENT, 50, 300), *fine])["web"]["bytes_tx"] == 50


def test_edges_do_not_notice_each_other() -> None:
    found = merge([Told("a", 0, CLIENT, 5), Told("b", 0, SERVER, 7), Told("b", 1, CLIENT, 1), Told("c", 1, SERVER, 2)])
    assert {name: row["bytes_tx"] for name, row in found.items()} == {"a": 5, "b": 8, "c": 2}
    assert {name: (row["client_bytes"], row["server_bytes"], row["reporters"]) for name, row in found.items()} == {
        "a": (5, 0, 1),
        "b": (1, 7, 3),
        "c": (0, 2, 2),
    }
    assert (found["b"]["first_window"], found["b"]["last_window"]) == (HOUR, HOUR + 120)


ROWS = st.lists(
    st.builds(
        Told,
        edge=st.sampled_from("ab"),
        window=st.integers(0, 5),
        reporter=st.sampled_from([CLIENT, SERVER]),
        tx=st.integers(0, 100),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda each: (each.edge, each.window, each.reporter),
)


@pytest.mark.promise("bytes-count-once")
@given(ROWS)
@examples(2)
def test_a_sum_is_never_less_than_what_either_end_saw_nor_more_than_both(rows: list[Told]) -> None:
    found = merge(rows)
    for edge in {each.edge for each in rows}:
        mine = [each for each in rows if each.edge == edge]
        client, server = (sum(each.tx for each in mine if each.reporter == side) for side in (CLIENT, SERVER))
        by_window: dict[int, list[int]] = {}
        for each in mine:
            by_window.setdefault(each.window, []).append(each.tx)
        assert max(client, server) <= found[edge]["bytes_tx"] <= sum(map(max, by_window.values()))


@given(ROWS, st.integers(0, 3))
@examples(1)
def test_an_edge_that_one_end_reports_alone_is_what_it_says(rows: list[Told], window: int) -> None:
    alone = [Told("alone", window, SERVER, 9), *rows]
    found = merge(alone)
    assert found["alone"]["bytes_tx"] == 9
    assert {name: row["bytes_tx"] for name, row in found.items() if name != "alone"} == {
        name: row["bytes_tx"] for name, row in merge(rows).items()
    }
