"""No part exceeds a limit of the wire, whatever the rows look like."""

import random

import pytest

from periplus_contract.limits import (
    MAX_COMPRESSED_BYTES,
    MAX_HEADER_BYTES,
    MAX_INFLATE_RATIO,
    MAX_INFLATED_BYTES,
    MAX_IPAM_PARTS,
    MAX_ROWS,
)
from periplus_contract.tables import ALLOCATIONS, NAMESPACES, POOLS, Kind
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.cutting import within_limits
from periplus_spoke.conversion.records import Cell, Sealable, SectionRows


def sealable(rows: int, cell: list[Cell]) -> Sealable:
    columns: dict[str, list[Cell]] = {
        "op": ["upsert"] * rows,
        "uid": [str(index) for index in range(rows)],
        "observed_at": [1] * rows,
        "labels": cell,
    }
    section = SectionRows(table=NAMESPACES, columns=columns, rows=rows)
    return Sealable(kind=Kind.INVENTORY, window_start_s=0, window_s=0, sections=(section,), mode="snapshot")


def uids(parts: list[Sealable]) -> list[Cell]:
    return [uid for part in parts for section in part.sections for uid in section.columns["uid"]]


@pytest.mark.parametrize("noise", [False, True])
def test_parts_hold_every_limit(*, noise: bool) -> None:
    rng = random.Random(7)
    rows = 3_000
    cells: list[Cell] = [(rng.randbytes(400).hex() if noise else "same" * 200,) for _ in range(rows)]
    whole = sealable(rows, cells)
    parts = within_limits(whole)
    for part in parts:
        body, inflated, _ = encode_sections(part.sections)
        assert len(body) + MAX_HEADER_BYTES <= MAX_COMPRESSED_BYTES
        assert inflated <= MAX_INFLATED_BYTES
        assert inflated <= 1024 * 1024 or inflated <= len(body) * MAX_INFLATE_RATIO
        assert part.mode == "snapshot"
    assert uids(parts) == whole.sections[0].columns["uid"]


def test_many_small_rows_are_cut_at_the_row_limit() -> None:
    rows = MAX_ROWS + 1
    parts = within_limits(sealable(rows, [None] * rows))
    assert all(part.rows <= MAX_ROWS for part in parts)
    assert len(uids(parts)) == rows


def test_an_empty_snapshot_is_one_part() -> None:
    empty = Sealable(kind=Kind.INVENTORY, window_start_s=0, window_s=0, sections=(), mode="snapshot")
    assert within_limits(empty) == [empty]


def test_a_statement_is_cut_and_says_none_left_exactly_once() -> None:
    rows = MAX_ROWS + 1
    cidrs: list[Cell] = [f"10.{row >> 16}.{row >> 8 & 255}.{row & 255}/32" for row in range(rows)]
    some = SectionRows(table=ALLOCATIONS, columns={"cidr": cidrs}, rows=rows)
    none = SectionRows(table=POOLS, columns={}, rows=0)
    parts = within_limits(Sealable(kind=Kind.IPAM, window_start_s=0, window_s=60, sections=(none, some)))
    assert 1 < len(parts) <= MAX_IPAM_PARTS
    assert [cidr for part in parts for each in part.sections for cidr in each.columns.get("cidr", [])] == cidrs
    assert sum(section.table is POOLS for part in parts for section in part.sections) == 1
    whole = Sealable(kind=Kind.IPAM, window_start_s=0, window_s=60, sections=(none,))
    assert within_limits(whole) == [whole]
