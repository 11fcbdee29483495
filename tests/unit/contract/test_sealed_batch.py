"""Sealed batches: what goes in comes out, and any damage is found."""

import itertools
import struct
import zlib
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract import limits
from periplus_contract.batch import (
    MAGIC,
    DamagedBatchError,
    FlowsMark,
    Header,
    InventoryMark,
    Mark,
    PartMark,
    Section,
    body_sha256,
    identity_sha256,
    is_epoch,
    kind_fields,
    offsets,
    seal,
    split,
    unseal,
)
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind

_counts = st.integers(0, 2**40)
_sections = st.lists(
    st.builds(Section, table=st.text(min_size=1, max_size=20), rows=_counts, inflated_bytes=_counts), max_size=4
).map(tuple)
_outcomes = st.lists(
    st.builds(
        Outcome,
        hour_start_s=_counts,
        kind=st.sampled_from(Kind),
        collected=_counts,
        dropped=st.dictionaries(st.text(max_size=10), _counts, max_size=2),
    ),
    max_size=3,
).map(tuple)


def make_header(body: bytes, **changed: object) -> Header:
    fields: dict[str, object] = {
        "contract": "1.0",
        "registration": "0193-r",
        "epoch": "0193-e",
        "seq": 1,
        "kind": Kind.INVENTORY,
        "window_start_s": 0,
        "rows": 0,
        "sections": (),
        "inflated_bytes": 0,
        "sha256": body_sha256(body),
        "sealed_at_us": 0,
        "monotonic_us": 0,
    }
    return Header(**(fields | changed))  # type: ignore[arg-type]  # fields are checked by the strategies' types


_headers = st.fixed_dictionaries(
    {
        "seq": st.integers(1, 2**62),
        "kind": st.sampled_from(Kind),
        "sections": _sections,
        "outcomes": _outcomes,
        "inventory": st.none()
        | st.builds(InventoryMark, mode=st.sampled_from(["snapshot", "delta"]), part=st.integers(1, 99)),
    }
)


@given(body=st.binary(max_size=2_000), fields=_headers)
def test_what_is_sealed_comes_out(body: bytes, fields: dict[str, object]) -> None:
    header = make_header(body, **fields)
    opened, kept = unseal(seal(header, body))
    assert opened == header
    assert bytes(kept) == body


@pytest.mark.promise("damage-is-found")
@given(st.data())
def test_any_flipped_bit_is_found(data: st.DataObject) -> None:
    sealed = bytearray(seal(make_header(b"some body"), b"some body"))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(DamagedBatchError):
        unseal(bytes(sealed))


@pytest.mark.promise("damage-is-found")
@given(st.integers(0, 400))
def test_any_truncation_is_found(length: int) -> None:
    sealed = seal(make_header(b"some body"), b"some body")
    with pytest.raises(DamagedBatchError):
        unseal(sealed[: min(length, len(sealed) - 1)])


@pytest.mark.promise("damage-is-found")
def test_trailing_bytes_are_damage() -> None:
    with pytest.raises(DamagedBatchError, match="sha256"):
        unseal(seal(make_header(b"x"), b"x") + b"\0")


@given(body=st.binary(max_size=50), fields=_headers, data=st.data())
def test_the_identity_of_a_batch_is_of_every_byte(body: bytes, fields: dict[str, object], data: st.DataObject) -> None:
    sealed = seal(make_header(body, **fields), body)
    changed = data.draw(st.sampled_from(sorted(fields)))
    others = {name: data.draw(_headers)[name] if name == changed else value for name, value in fields.items()}
    other = seal(make_header(body, **others), body)
    assert (identity_sha256(sealed) == identity_sha256(other)) == (sealed == other)
    assert identity_sha256(sealed) != identity_sha256(seal(make_header(body + b"x", **fields), body + b"x"))


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("01950000-0000-7000-8000-00000000000a", True),
        ("03bb2cc3-d7ff-7fff-bfff-ffffffffffff", True),
        ("03bb2cc3-d800-7000-8000-000000000000", False),
        ("01950000-0000-7000-8000-00000000000A", False),
        ("01950000-0000-4000-8000-00000000000a", False),
        ("01950000-0000-7000-c000-00000000000a", False),
        ("01950000-0000-7000-8000-00000000000a\n", False),
        ("", False),
    ],
)
def test_an_epoch_leaves_room_for_later_ones(text: str, fits: bool) -> None:
    assert is_epoch(text) is fits


def test_an_absurd_header_length_is_refused_before_it_is_read() -> None:
    with pytest.raises(DamagedBatchError, match="header length"):
        split(struct.pack("<8sII", MAGIC, 2**32 - 1, 0) + b"{}")


def test_a_header_that_is_json_but_no_header_is_damage() -> None:
    for text in (b"{}", b"[]", b'{"seq": "one"}', b"\xff\xfe"):
        forged = struct.pack("<8sII", MAGIC, len(text), zlib.crc32(text)) + text
        with pytest.raises(DamagedBatchError, match="does not decode"):
            split(forged)


def test_unknown_header_fields_are_ignored() -> None:
    fields = msgspec.json.decode(msgspec.json.encode(make_header(b""))) | {"from_the_future": [1, 2]}
    text = msgspec.json.encode(fields)
    opened, _ = unseal(struct.pack("<8sII", MAGIC, len(text), zlib.crc32(text)) + text)
    assert opened == make_header(b"")


def test_the_limits_of_the_wire_hold_when_sealing() -> None:
    body = b"\0" * limits.MAX_COMPRESSED_BYTES
    with pytest.raises(ValueError, match="batch of"):
        seal(make_header(body), body)
    many = tuple(Section(table="x" * 200, rows=1, inflated_bytes=1) for _ in range(500))
    with pytest.raises(ValueError, match="header of"):
        seal(make_header(b"", sections=many), b"")


@given(_sections)
def test_offsets_tile_the_body(sections: tuple[Section, ...]) -> None:
    spans = offsets(sections)
    assert [section for section, _, _ in spans] == list(sections)
    assert all(end - start == section.inflated_bytes for section, start, end in spans)
    assert all(after[1] == before[2] for before, after in itertools.pairwise(spans))


@pytest.mark.parametrize(
    ("kind", "mark"),
    [
        (Kind.INVENTORY, InventoryMark(mode="delta", after_seq=3)),
        (Kind.IPAM, PartMark(part=1, parts=2)),
        (Kind.IPAM, None),
        (Kind.FLOWS, FlowsMark(node="node-1", observed=3, lost={"evicted": 1})),
    ],
)
def test_what_a_kind_adds_stands_under_its_own_name(kind: Kind, mark: Mark | None) -> None:
    header = Header(
        contract="1.0",
        registration="r",
        epoch="e",
        seq=1,
        kind=kind,
        window_start_s=0,
        rows=0,
        sections=(),
        inflated_bytes=0,
        sha256="",
        sealed_at_us=0,
        monotonic_us=0,
        **kind_fields(kind, mark),
    )
    assert header.mark == mark
    written = msgspec.json.decode(msgspec.json.encode(header))
    assert {str(each) for each in Kind} & written.keys() == ({str(kind)} if mark else set())


def test_every_mark_is_one_of_the_header_and_of_one_kind() -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(Header) if field.name in set(Kind)}
    assert {mark for kind in fields.values() for mark in get_args(kind)} - {type(None)} == set(get_args(Mark))
    assert len(fields) == len(get_args(Mark))
