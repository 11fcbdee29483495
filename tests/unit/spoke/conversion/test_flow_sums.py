"""Flows of a window: added up exactly, within a budget of rows, and cut without losing whose they are."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract import flow_words
from periplus_contract.batch import FlowsMark
from periplus_contract.limits import MAX_MEASURE, MAX_ROWS, MAX_ROWS_PER_OUTCOME
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.cutting import at_most, halves, within_limits
from periplus_spoke.conversion.flow_marks import add_marks
from periplus_spoke.conversion.flow_sums import MEASURES, MOST_HOSTS, Flow, WindowSums, rows_of
from periplus_spoke.conversion.records import Sealable

from tests.support.flow_rows import as_read, flow, measures, totals, window
from tests.support.golden import START_S

_AMOUNT = st.none() | st.integers(0, 2**40)
_ROWS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from([6, 17]), _AMOUNT, st.integers(0, 9)), min_size=1, max_size=60
)


def rows(given_rows: Sequence[tuple[int, int, int | None, int]]) -> list[tuple[Flow, tuple[int | None, ...]]]:
    return [
        (flow(number, protocol=protocol), measures(amount, connections_opened=opened))
        for number, protocol, amount, opened in given_rows
    ]


def in_all(told: Sequence[tuple[Flow, tuple[int | None, ...]]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for _, measured in told:
        sums.update({name: value for name, value in zip(MEASURES, measured, strict=True) if value})
    return dict(sums)


@given(_ROWS, st.integers(1, 70))
def test_sums_are_exact_whatever_the_budget(told: list[tuple[int, int, int | None, int]], budget: int) -> None:
    found = as_read(window(rows(told), budget).sections)
    assert totals(found) == in_all(rows(told))
    others = [row for row in found if row["src"].kind == flow_words.OTHER]
    assert len(found) - len(others) <= budget
    assert all(row["dst"].kind == flow_words.OTHER and row["src"][:2] == (0, 0) for row in others)
    assert len(others) <= 4  # by protocol, and by what is known


def test_the_largest_rows_are_kept() -> None:
    found = as_read(window([(flow(number), measures(number)) for number in range(100)], 10).sections)
    kept = [row["bytes_tx"] for row in found if row["src"].kind != flow_words.OTHER]
    assert sorted(kept) == list(range(90, 100))


def test_what_is_not_known_is_a_row_of_its_own() -> None:
    found = as_read(window([(flow(1), measures(None)), (flow(1), measures(5)), (flow(1), measures(7))]).sections)
    assert sorted((row["bytes_tx"] for row in found), key=str) == [12, None]


def test_hosts_beyond_what_a_window_takes_are_left_out_and_counted() -> None:
    sums = WindowSums(10_000)
    for number in [*range(MOST_HOSTS + 5), 0]:
        one = flow(number % 7)
        sums.add(one._replace(dst=one.dst._replace(host=f"h{number}.example.com")), measures(1))
    found = as_read(sums.sections(START_S, 60))
    hosts = {row["dst"].host for row in found}
    assert len(hosts) == MOST_HOSTS + 1
    assert (sums.other_hosts, totals(found)) == (5, {"bytes_tx": MOST_HOSTS + 6})
    assert sum(row["bytes_tx"] for row in found if not row["dst"].host) == 5


def test_without_hosts_no_byte_is_spent_on_them() -> None:
    told = window([(flow(number), measures(number)) for number in range(100)])
    assert "host" not in told.sections[0].columns


def test_no_measure_is_larger_than_the_wire_takes() -> None:
    [row] = as_read(window([(flow(1), measures(2**64))]).sections)
    assert row["bytes_tx"] == MAX_MEASURE


def keyed(found: Sequence[dict[str, Any]]) -> Counter[tuple[object, ...]]:
    return Counter(tuple(row.values()) for row in found)


@given(_ROWS, st.integers(1, 20))
def test_pieces_have_the_same_rows_with_the_same_ends(told: list[tuple[int, int, int | None, int]], most: int) -> None:
    whole = window(rows(told))
    for pieces in ([piece.sections for piece in at_most(whole, most)], halves(whole.sections)):
        found = [row for piece in pieces for row in as_read(piece)]
        assert keyed(found) == keyed(as_read(whole.sections))
        assert all(piece[1].rows <= max(most, whole.sections[1].rows - whole.sections[1].rows // 2) for piece in pieces)


@given(_ROWS, st.integers(1, 20))
def test_pieces_say_together_what_the_whole_says(told: list[tuple[int, int, int | None, int]], most: int) -> None:
    whole = window(rows(told))
    marks = [piece.flows for piece in at_most(whole, most) if piece.flows]
    assert add_marks(marks) == whole.flows
    assert len(marks) == len(at_most(whole, most))


def test_nothing_that_is_told_of_completeness_is_larger_than_a_hub_takes() -> None:
    absurd = FlowsMark(node="n", observed=1 << 64, unmeasured=1 << 70, other_rows=1 << 60, lost={"events": 1 << 65})
    most = FlowsMark(
        node="n",
        observed=MAX_ROWS_PER_OUTCOME,
        unmeasured=MAX_ROWS_PER_OUTCOME,
        other_rows=MAX_ROWS_PER_OUTCOME,
        lost={"events": MAX_ROWS_PER_OUTCOME},
    )
    [part] = within_limits(msgspec.structs.replace(window([]), flows=absurd))
    assert part.flows == most
    assert add_marks([most, most]) == most


def test_a_large_window_becomes_batches_within_every_limit() -> None:
    told = [(flow(number * 97 % 30_011), measures(number**3, packets_tx=number)) for number in range(40_000)]
    whole = window(told)
    parts = within_limits(whole)
    assert len(parts) > 1
    for part in parts:
        assert part.rows <= MAX_ROWS
        assert len(encode_sections(part.sections)[0]) < 2**20
    found = [row for part in parts for row in as_read(part.sections)]
    assert totals(found) == in_all(told)
    assert len({(row["src"], row["dst"]) for row in found}) == len({flow for flow, _ in told}) == len(found)


def test_a_row_takes_few_bytes_on_the_wire() -> None:
    """5,000 edges of one minute between 1,443 ends: the hard case."""
    told = [
        (
            flow(number * 7919 % 1_443, dst_port=8_000 + number % 97),
            measures(number * 7_919 % 1_000_003, bytes_rx=number * 104_729 % 10_000_019, packets_tx=number % 1_001,
                     packets_rx=number * 31 % 2_003, connections_opened=number % 5, connections_closed=number % 4),
        )
        for number in range(5_000)
    ]  # fmt: skip
    body, _, sections = encode_sections(window(told).sections)
    assert len(body) / sections[1].rows <= 19


@given(_ROWS)
def test_a_batch_is_read_back_as_the_rows_it_was_made_of(told: list[tuple[int, int, int | None, int]]) -> None:
    whole = window(rows(told))
    again = window(list(rows_of(whole.sections)))
    assert as_read(again.sections) == as_read(whole.sections)


@pytest.mark.parametrize("count", [0, 1])
def test_a_window_of_one_row_or_none_is_not_cut(count: int) -> None:
    whole = window([(flow(1), measures(1))] * count)
    assert [part.sections for part in within_limits(whole)] == [whole.sections]
    assert len(halves(whole.sections)) == 1


def test_an_empty_window_keeps_its_mark() -> None:
    [part] = within_limits(window([]))
    assert isinstance(part, Sealable)
    assert msgspec.to_builtins(part.flows)["node"] == "node-1"
