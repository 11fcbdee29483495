"""Columns that are Arrow already are sent as they are, and cut by their buffers, as if they were cells."""

from array import array
from itertools import pairwise

import nanoarrow
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.column_types import BOOL, INT64, TIMESTAMP, UTF8, UTF8_LIST
from periplus_contract.tables import Column, Kind, Table
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.cutting import at_most, cut, halves, within_limits
from periplus_spoke.conversion.ready import ReadyColumn
from periplus_spoke.conversion.records import Sealable, SectionRows

TABLE = Table(
    "everything",
    (
        Column("text", UTF8),
        Column("flag", BOOL),
        Column("count", INT64),
        Column("moment", TIMESTAMP),
        Column("texts", UTF8_LIST),
    ),
)
_TEXT = st.text(st.characters(codec="utf-8"), max_size=9)
_ROWS = st.lists(
    st.tuples(
        st.none() | _TEXT,
        st.none() | st.booleans(),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.integers(0, 4_000_000_000_000_000),
        st.none() | st.lists(_TEXT, max_size=3),
    ),
    min_size=1,
    max_size=30,
)
Rows = list[tuple[str | None, bool | None, int | None, int | None, list[str] | None]]


def as_cells(rows: Rows) -> SectionRows:
    columns = {name: [row[index] for row in rows] for index, name in enumerate(TABLE.column_names)}
    return SectionRows(table=TABLE, columns=columns, rows=len(rows))


def as_arrow(rows: Rows, behind: int = 0) -> SectionRows:
    """The same from pyarrow; `behind` rows that do not count stand before the first, in the same buffers."""
    columns = {}
    for index, column in enumerate(TABLE.columns):
        cells = [rows[0][index]] * behind + [row[index] for row in rows]
        columns[column.name] = ReadyColumn(pa.array(cells, column.type.arrow(pa)).slice(behind))
    return SectionRows(table=TABLE, columns=columns, rows=len(rows))


def sealable(section: SectionRows) -> Sealable:
    return Sealable(kind=Kind.FLOWS, window_start_s=0, window_s=60, sections=(section,))


def read(*sections: SectionRows) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for section in sections:
        body, inflated, _ = encode_sections([section])
        table = pa.ipc.open_stream(zstandard.decompress(body, max_output_size=inflated)).read_all()
        table.validate(full=True)
        assert table.schema.types == [column.type.arrow(pa) for column in TABLE.columns]
        found += table.to_pylist()
    return found


@given(_ROWS, st.integers(0, 20))
def test_arrow_goes_in_as_cells_do(rows: Rows, behind: int) -> None:
    assert read(as_arrow(rows, behind)) == read(as_cells(rows))


@given(_ROWS, st.integers(0, 9), st.data())
def test_arrow_is_cut_as_cells_are(rows: Rows, behind: int, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.sets(st.integers(1, max(len(rows) - 1, 1)).filter(lambda end: end < len(rows)))))
    ready = [piece for [piece] in cut([as_arrow(rows, behind)], ends)]
    cells = [piece for [piece] in cut([as_cells(rows)], ends)]
    assert [read(piece) for piece in ready] == [read(piece) for piece in cells]
    again = [part for piece in ready for [part] in halves([piece])]
    assert read(*again) == read(as_cells(rows))


@given(_ROWS)
def test_both_are_measured_alike(rows: Rows) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("periplus_spoke.conversion.cutting._TARGET_BYTES", 100)
        lengths = [
            [part.rows for part in within_limits(sealable(section))] for section in (as_arrow(rows), as_cells(rows))
        ]
    assert lengths[0] == lengths[1]


def test_numbers_of_a_python_array_go_in_whole_and_in_pieces() -> None:
    numbers = Table("flows", (Column("count", INT64), Column("moment", TIMESTAMP)))
    section = SectionRows(
        table=numbers, columns={"count": array("q", range(10)), "moment": array("q", range(10, 20))}, rows=10
    )
    pieces = [part.sections[0] for part in at_most(sealable(section), 4)]
    assert [piece.rows for piece in pieces] == [4, 4, 2]
    counts = []
    for piece in pieces:
        body, inflated, _ = encode_sections([piece])
        table = pa.ipc.open_stream(zstandard.decompress(body, max_output_size=inflated)).read_all()
        assert table.column("moment").cast(pa.int64()).to_pylist() == [10 + row for row in table["count"].to_pylist()]
        counts += table["count"].to_pylist()
    assert counts == list(range(10))


_OTHERS = (array("i", [1]), ReadyColumn(pa.array(["1"])), ReadyColumn(nanoarrow.c_array([True], nanoarrow.bool_())))


@pytest.mark.parametrize("values", _OTHERS, ids=["narrower", "text", "bool"])
def test_a_ready_column_of_another_type_is_refused(values: "array[int] | ReadyColumn") -> None:
    section = SectionRows(table=Table("flows", (Column("count", INT64),)), columns={"count": values}, rows=1)
    with pytest.raises(ValueError, match="not of the type int64"):
        encode_sections([section])


def test_a_type_that_the_contract_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no column type"):
        ReadyColumn(pa.array([1.5]))


@given(st.lists(st.integers(0, 6), max_size=5), st.data())
def test_pieces_are_together_exactly_the_rows(sizes: list[int], data: st.DataObject) -> None:
    sections = [
        SectionRows(table=Table(f"table{number}", TABLE.columns), columns={"count": array("q", range(rows))}, rows=rows)
        for number, rows in enumerate(sizes)
    ]
    ends = sorted(data.draw(st.sets(st.integers(1, 40).filter(lambda end: end < sum(sizes)))) if sum(sizes) > 1 else ())
    pieces = cut(sections, ends)
    lengths = [sum(section.rows for section in piece) for piece in pieces]
    bounds = [0, *ends, sum(sizes)]
    assert lengths == [end - start for start, end in pairwise(bounds)]
    for section in sections:
        parts = [each for piece in pieces for each in piece if each.table == section.table]
        assert [value for each in parts for value in each.columns["count"]] == list(range(section.rows))
        assert len(parts) == 1 or section.rows
