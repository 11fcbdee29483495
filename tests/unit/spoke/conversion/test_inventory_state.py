"""The laws of the inventory state: what the hub rebuilds from a snapshot and deltas is the state."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.tables import ENDPOINTS, NAMESPACES, PODS, Table
from periplus_spoke.conversion.cutting import within_limits
from periplus_spoke.conversion.inventory_state import InventoryState
from periplus_spoke.conversion.records import Cell, Sealable
from periplus_spoke.conversion.rows import Row, positions

UIDS = ("a", "b", "c", "d")
Believed = dict[str, dict[str, Row]]


def pod(mark: int, ended: int | None = None) -> Row:
    row: list[Cell] = [None] * len(positions(PODS))
    row[positions(PODS)["phase"]] = str(mark)
    row[positions(PODS)["ended_at"]] = ended
    return tuple(row)


def replay(believed: Believed, sealables: Iterable[Sealable]) -> Believed:
    """What a hub does, in plain Python."""
    for sealable in sealables:
        if sealable.mode == "snapshot":
            believed = {}
        for section in sealable.sections:
            rows = believed.setdefault(section.table.name, {})
            seen: set[Cell] = set()
            for index in range(section.rows):
                cells = {name: values[index] for name, values in section.columns.items()}
                uid = cells["uid"]
                assert isinstance(uid, str)
                assert uid not in seen, "a row twice in one delta"
                seen.add(uid)
                if cells["op"] == "delete":
                    rows.pop(uid, None)
                else:
                    rows[uid] = tuple(cells[name] for name in section.table.column_names[3:])
    return believed


def state_of(state: InventoryState, tables: Iterable[Table]) -> Believed:
    return {table.name: dict(state.rows(table)) for table in tables}


def without_empty(believed: Believed) -> Believed:
    return {name: rows for name, rows in believed.items() if rows}


_STEP = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(UIDS), st.integers(0, 3)),
    st.tuples(st.just("drop"), st.sampled_from(UIDS), st.just(0)),
    st.tuples(st.just("slice"), st.sampled_from(UIDS), st.integers(0, 7)),
    st.tuples(st.just("drain"), st.just(""), st.just(0)),
    st.tuples(st.just("snapshot"), st.just(""), st.just(0)),
)


@pytest.mark.promise("inventory-ends-equal")
@given(st.lists(_STEP, max_size=40))
def test_snapshot_and_deltas_rebuild_the_state(steps: list[tuple[str, str, int]]) -> None:
    state = InventoryState()
    told: list[Sealable] = [state.snapshot(0)]
    lived: set[str] = set()
    for at, (what, uid, value) in enumerate(steps, start=1):
        if what == "put":
            state.put(PODS, uid, pod(value), at)
            lived.add(uid)
        elif what == "drop":
            state.drop(PODS, uid, at)
        elif what == "slice":
            rows = [(f"{uid}/{bit}", (str(bit),) * len(positions(ENDPOINTS))) for bit in range(3) if value >> bit & 1]
            state.put_many(ENDPOINTS, uid, rows, at)
        elif what == "drain":
            told += state.drain()
        else:
            told.append(state.snapshot(at))
    told += state.drain()
    assert without_empty(replay({}, told)) == without_empty(state_of(state, (PODS, ENDPOINTS)))
    assert not state.changed


def test_a_pods_birth_is_one_row_of_one_delta() -> None:
    state = InventoryState()
    state.put(PODS, "a", pod(0), 1)
    state.snapshot(2)
    state.put(PODS, "b", pod(1), 3)
    (delta,) = state.drain()
    assert (delta.mode, delta.rows, delta.sections[0].columns["uid"]) == ("delta", 1, ["b"])


def test_a_short_life_between_two_drains_is_told_in_order() -> None:
    state = InventoryState()
    state.put(PODS, "a", pod(1), 5)
    state.drop(PODS, "a", 7)
    born, died = state.drain()
    assert born.sections[0].columns["op"] == ["upsert"]
    assert died.sections[0].columns["op"] == ["delete"]
    assert died.sections[0].columns["ended_at"] == [7]


def test_a_deleted_pod_ends_when_its_containers_did() -> None:
    state = InventoryState()
    state.put(PODS, "a", pod(1, ended=4), 5)
    state.snapshot(5)
    state.drop(PODS, "a", 9)
    (delta,) = state.drain()
    assert delta.sections[0].columns["ended_at"] == [4]
    assert delta.sections[0].columns["observed_at"] == [9]


def test_an_equal_row_is_no_change() -> None:
    state = InventoryState()
    state.put(NAMESPACES, "a", ("x", (), None), 1)
    state.snapshot(1)
    state.put(NAMESPACES, "a", ("x", (), None), 2)
    assert not state.changed
    assert state.drain() == []


@given(st.integers(0, 400), st.integers(0, 60), st.integers(1, 4_000))
def test_parts_together_are_the_whole(pods: int, endpoints: int, width: int) -> None:
    state = InventoryState()
    for index in range(pods):
        state.put(PODS, f"pod-{index}", pod(index), 1)
    wide = ("x" * width,) * len(positions(ENDPOINTS))
    for index in range(endpoints):
        state.put_many(ENDPOINTS, str(index), [(f"{index}/e", wide)], 1)
    whole = state.snapshot(1)
    parts = within_limits(whole)
    believed: Believed = {}
    for part in parts:
        believed = replay(believed, [Sealable(kind=part.kind, window_start_s=0, window_s=0, sections=part.sections)])
    assert without_empty(believed) == without_empty(state_of(state, (PODS, ENDPOINTS)))
    assert sum(part.rows for part in parts) == whole.rows
