"""Both programs derive all they know of a type from one table: a further type is a line of it."""

from array import array

import nanoarrow
import pyarrow as pa
import pytest
import zstandard

from periplus_contract.column_types import COLUMN_TYPES, Bounds, ColumnType, Layout
from periplus_contract.rejections import Reason
from periplus_contract.tables import TABLES, Column, Table
from periplus_hub.ingest.columns import check_rows
from periplus_hub.ingest.decode import arrow_schema
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.ready import ReadyColumn
from periplus_spoke.conversion.records import SectionRows, Values

PORT = ColumnType(
    word="uint16",
    arrow=lambda arrow: arrow.uint16(),
    layout=Layout.NUMBERS,
    code="H",
    bounds=Bounds(0, 49_151, Reason.BAD_COUNT),
)
PORTS = ColumnType(word="list<uint16>", arrow=lambda arrow: arrow.list_(arrow.uint16()), layout=Layout.LISTS, item=PORT)
TOY = Table("toy", (Column("port", PORT), Column("ports", PORTS)))


def sent(columns: dict[str, Values], rows: int) -> pa.Table:
    body, inflated, _ = encode_sections([SectionRows(table=TOY, columns=columns, rows=rows)])
    return pa.ipc.open_stream(zstandard.decompress(body, max_output_size=inflated)).read_all()


def test_a_new_type_is_written_read_and_checked_by_its_line_alone() -> None:
    table = sent({"port": [80, None, 65_535, 443], "ports": [[80, 443], [], None, [65_535]]}, 4)
    assert table.schema.equals(arrow_schema(TOY))
    good, rejected, _ = check_rows(table, TOY)
    assert good.to_pydict() == {"port": [80, None], "ports": [[80, 443], []]}
    assert [(each.reason, each.rows) for each in rejected] == [(Reason.BAD_COUNT, 2)]


def test_a_new_type_goes_in_ready_and_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("periplus_spoke.conversion.ready.COLUMN_TYPES", (*COLUMN_TYPES, PORT, PORTS))
    lists = ReadyColumn(pa.array([[1], [2, 3], []], PORTS.arrow(pa)))
    assert sent({"port": array("H", [1, 2, 3])[1:], "ports": lists[1:]}, 2).to_pydict() == {
        "port": [2, 3],
        "ports": [[2, 3], []],
    }


def test_tables_use_only_the_types_of_the_table_of_types() -> None:
    used = {column.type for tables in TABLES.values() for table in tables for column in table.columns}
    assert used <= set(COLUMN_TYPES)
    assert len({each.word for each in COLUMN_TYPES}) == len(COLUMN_TYPES)


@pytest.mark.parametrize("each", COLUMN_TYPES, ids=str)
def test_both_arrow_libraries_make_the_same_type(each: ColumnType) -> None:
    assert nanoarrow.c_schema(pa.field("", each.arrow(pa))).format == nanoarrow.c_schema(each.arrow(nanoarrow)).format
    if each.layout is Layout.NUMBERS:
        assert array(each.code).itemsize * 8 == each.arrow(pa).bit_width
