"""What nanoarrow writes, pyarrow reads back whole: every type, null and empty."""

import pyarrow as pa
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.batch import offsets
from periplus_contract.column_types import BOOL, INT64, TIMESTAMP, UTF8, UTF8_LIST
from periplus_contract.limits import MAX_LIST_ITEMS, MAX_TEXT_BYTES
from periplus_contract.tables import Column, Table
from periplus_spoke.conversion.arrow import clip, encode_sections
from periplus_spoke.conversion.records import Cell, SectionRows

TABLE = Table(
    "everything",
    (
        Column("text", UTF8),
        Column("must", UTF8, nullable=False),
        Column("flag", BOOL),
        Column("count", INT64),
        Column("moment", TIMESTAMP),
        Column("texts", UTF8_LIST),
        Column("absent", UTF8),
    ),
)

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_INT = st.integers(-(2**63), 2**63 - 1)
_MOMENT = st.integers(0, 4_000_000_000_000_000)
_ROW = st.tuples(
    st.none() | _TEXT,
    _TEXT,
    st.none() | st.booleans(),
    st.none() | _INT,
    st.none() | _MOMENT,
    st.none() | st.lists(_TEXT, max_size=3),
)


def decode(body: bytes, sections: list[SectionRows]) -> list[dict[str, list[Cell]]]:
    raw = zstandard.ZstdDecompressor().decompress(body)
    _, inflated, headers = encode_sections(sections)
    assert len(raw) == inflated
    decoded = []
    for header, start, end in offsets(headers):
        table = pa.ipc.open_stream(raw[start:end]).read_all()
        table.validate(full=True)
        assert table.num_rows == header.rows
        moment = table.schema.get_field_index("moment")
        if moment >= 0:
            table = table.set_column(moment, "moment", table.column(moment).cast(pa.int64()))
        decoded.append(table.to_pydict())
    return decoded


def section(rows: list[tuple[Cell, ...]]) -> SectionRows:
    names = TABLE.column_names[:6]
    columns: dict[str, list[Cell]] = {name: [row[index] for row in rows] for index, name in enumerate(names)}
    return SectionRows(table=TABLE, columns=columns, rows=len(rows))


@given(st.lists(st.lists(_ROW, min_size=1, max_size=20), min_size=1, max_size=3))
def test_every_cell_survives(batches: list[list[tuple[Cell, ...]]]) -> None:
    sections = [section(rows) for rows in batches]
    body, _, _ = encode_sections(sections)
    for given_section, found in zip(sections, decode(body, sections), strict=True):
        for name in TABLE.column_names[:6]:
            assert found[name] == given_section.columns[name]
        assert found["absent"] == [None] * given_section.rows


def test_types_are_the_contracts() -> None:
    sections = [section([("a", "b", True, 1, 2, ["c"])])]
    body, _, _ = encode_sections(sections)
    schema = pa.ipc.open_stream(zstandard.ZstdDecompressor().decompress(body)).schema
    assert [str(field.type) for field in schema] == [
        "string",
        "string",
        "bool",
        "int64",
        "timestamp[us, tz=UTC]",
        "list<item: string>",
        "string",
    ]
    assert [field.nullable for field in schema] == [True, False, True, True, True, True, True]


def test_a_section_of_no_rows_is_there_and_empty() -> None:
    body, inflated, headers = encode_sections([section([])])
    stream = zstandard.decompress(body, max_output_size=inflated)
    assert [(each.rows, each.inflated_bytes) for each in headers] == [(0, len(stream))]
    assert pa.ipc.open_stream(stream).read_all().num_rows == 0


@given(st.text(max_size=3_000))
def test_a_clipped_text_fits_and_is_a_beginning(text: str) -> None:
    cut = clip(text)
    assert len(cut.encode(errors="replace")) <= MAX_TEXT_BYTES
    assert cut == text or text.encode(errors="replace").startswith(cut.encode())


def test_a_text_beyond_the_limit_is_cut_in_its_cell() -> None:
    sections = [section([("é" * 5_000, "b", None, None, None, None)])]
    body, _, _ = encode_sections(sections)
    assert decode(body, sections)[0]["text"] == ["é" * (MAX_TEXT_BYTES // 2)]


def test_a_list_beyond_the_limit_is_cut_in_its_cell() -> None:
    sections = [section([("b", "b", None, None, None, ["a=b"] * (MAX_LIST_ITEMS + 1))])]
    body, _, _ = encode_sections(sections)
    assert decode(body, sections)[0]["texts"] == [["a=b"] * MAX_LIST_ITEMS]
