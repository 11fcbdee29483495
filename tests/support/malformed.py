"""A corpus of batches that are wrong, each with the problem it must end in. Made from one good batch by one change."""

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import zstandard

from periplus_contract import batch as contract
from periplus_contract.batch import InventoryMark, Section
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import PODS, Kind
from periplus_hub.ingest.arrow_framing import _slot
from periplus_hub.ingest.decode import arrow_schema

from tests.support.batches import Spoke, pod, stream

Case = tuple[str, str, Callable[[Spoke], bytes]]

GOOD_ROWS = [pod("a", "10.1.0.1"), pod("b", "10.1.0.2")]


def pods_table(rows: list[dict[str, Any]] | None = None) -> pa.Table:
    return pa.Table.from_pylist(GOOD_ROWS if rows is None else rows, schema=arrow_schema(PODS))


def with_stream(data: bytes, rows: int = 2, **rewrite: Any) -> Callable[[Spoke], bytes]:
    """A snapshot whose pods section is exactly `data`."""

    def make(spoke: Spoke) -> bytes:
        part = (Section(table="pods", rows=rows, inflated_bytes=len(data)), data)
        return spoke.seal(Kind.INVENTORY, [part], **{"inventory": InventoryMark(mode="snapshot"), **rewrite})

    return make


def with_body(body: bytes, **rewrite: Any) -> Callable[[Spoke], bytes]:
    """A snapshot whose compressed body is exactly `body`."""
    return with_stream(stream(pods_table()), body=body, **rewrite)


def with_header(**rewrite: Any) -> Callable[[Spoke], bytes]:
    return lambda spoke: spoke.snapshot({"pods": GOOD_ROWS}, **rewrite)


def damaged(change: Callable[[bytearray], object]) -> Callable[[Spoke], bytes]:
    """A good batch whose bytes are changed after sealing."""

    def make(spoke: Spoke) -> bytes:
        sealed = bytearray(spoke.snapshot({"pods": GOOD_ROWS}))
        change(sealed)
        return bytes(sealed)

    return make


def with_raw_header(edit: Callable[[dict[str, Any]], None]) -> Callable[[Spoke], bytes]:
    """A header that the contract's own type would not allow, with a right checksum."""

    def make(spoke: Spoke) -> bytes:
        header, body = contract.unseal(spoke.snapshot({"pods": GOOD_ROWS}))
        fields = msgspec.to_builtins(header)
        edit(fields)
        return frame(msgspec.json.encode(fields), bytes(body))

    return make


def frame(encoded: bytes, body: bytes) -> bytes:
    return struct.pack("<8sII", contract.MAGIC, len(encoded), zlib.crc32(encoded)) + encoded + body


def header_length(sealed: bytes | bytearray) -> int:
    return int(struct.unpack_from("<I", sealed, 8)[0])


def truncations() -> Iterator[Case]:
    """Cut at every structural boundary, and beside it."""
    places: dict[str, Callable[[bytearray], int]] = {
        "nothing": lambda _: 0,
        "in magic": lambda _: 5,
        "after magic": lambda _: 8,
        "in prefix": lambda _: 15,
        "after prefix": lambda _: 16,
        "in header": lambda sealed: 16 + header_length(sealed) // 2,
        "before header end": lambda sealed: 15 + header_length(sealed),
        "after header": lambda sealed: 16 + header_length(sealed),
        "in body": lambda sealed: 16 + header_length(sealed) + 20,
        "last byte": lambda sealed: len(sealed) - 1,
    }
    for name, place in places.items():
        yield (
            f"cut: {name}",
            "malformed-batch",
            cut_at(place),
        )


def flipped_bits() -> Iterator[Case]:
    places: dict[str, Callable[[bytearray], int]] = {
        "magic": lambda _: 0,
        "header length": lambda _: 8,
        "checksum": lambda _: 12,
        "header": lambda _: 40,
        "body start": lambda sealed: 16 + header_length(sealed),
        "body middle": lambda sealed: (16 + header_length(sealed) + len(sealed)) // 2,
        "body end": lambda sealed: len(sealed) - 1,
    }
    for name, place in places.items():
        yield (
            f"flipped bit: {name}",
            "malformed-batch",
            flipped_at(place),
        )
    yield "trailing bytes", "malformed-batch", damaged(lambda sealed: sealed.extend(b"more"))


def cut_at(place: Callable[[bytearray], int]) -> Callable[[Spoke], bytes]:
    def cut(sealed: bytearray) -> None:
        del sealed[place(sealed) :]

    return damaged(cut)


def flipped_at(place: Callable[[bytearray], int]) -> Callable[[Spoke], bytes]:
    def flip(sealed: bytearray) -> None:
        sealed[place(sealed)] ^= 4

    return damaged(flip)


def broken_headers() -> Iterator[Case]:
    yield "header: not json", "malformed-batch", lambda _: frame(b"{", b"")
    yield "header: a list", "malformed-batch", lambda _: frame(b"[]", b"")
    yield "header: bad utf8", "malformed-batch", lambda _: frame(b'{"contract":"\xff"}', b"")
    yield "header: deep json", "malformed-batch", lambda _: frame(b"[" * 20_000, b"")
    deep = b'{"contract":"1.0","newer":' + b"[" * 20_000
    yield "header: deep json in a field of a newer minor", "malformed-batch", lambda _: frame(deep, b"")
    yield "header: no seq", "malformed-batch", with_raw_header(lambda fields: fields.pop("seq"))
    yield "header: text seq", "malformed-batch", with_raw_header(lambda fields: fields.update(seq="1"))
    yield "header: unknown kind", "malformed-batch", with_raw_header(lambda fields: fields.update(kind="rumours"))
    yield "header: float rows", "malformed-batch", with_raw_header(lambda fields: fields.update(rows=2.5))
    absurd = {"seq": 0, "window_start_s": -1, "window_s": 10**9, "rows": -1, "inflated_bytes": -1, "sealed_at_us": -1}
    for name, value in {**absurd, "monotonic_us": -1, "oldest_held_seq": 0}.items():
        yield f"absurd {name}", "invalid-batch", with_header(**{name: value})
    for name in ("seq", "window_start_s", "sealed_at_us", "monotonic_us", "oldest_held_seq"):
        yield f"huge {name}", "invalid-batch", with_header(**{name: 2**63 + 1})
    yield "astronomic seq", "malformed-or-invalid", with_raw_header(lambda fields: fields.update(seq=10**30))
    yield "epoch: no uuid", "invalid-batch", with_header(epoch="yesterday")
    yield "epoch: other form", "invalid-batch", with_header(epoch="0195000000007000800000000000000A")
    yield "epoch: capitals", "invalid-batch", with_header(epoch="01950000-0000-7000-8000-00000000000A")
    yield "epoch: of chance", "invalid-batch", with_header(epoch="6fa459ea-ee8a-4ca4-894e-db77e160355e")
    yield "epoch: no variant", "invalid-batch", with_header(epoch="01950000-0000-7000-0000-000000000001")
    yield "epoch: the year 2100", "invalid-batch", with_header(epoch="03bb2cc3-d800-7000-8000-000000000001")
    yield "epoch: the last there is", "invalid-batch", with_header(epoch="ffffffff-ffff-7fff-bfff-ffffffffffff")
    yield "version: next major", "unsupported-version", with_header(contract="2.0")
    yield "version: none", "invalid-batch", with_header(contract="newest")
    yield "kind not taken", "unsupported-kind", lambda spoke: spoke.seal(Kind.DNS, [])
    yield "other registration", "wrong-identity", with_header(registration="01950000-0000-7000-8000-00000000dead")
    yield "sha256 of other bytes", "malformed-batch", with_header(sha256=hashlib.sha256(b"").hexdigest())


def broken_sums() -> Iterator[Case]:
    yield "rows do not add up", "invalid-batch", with_header(rows=3)
    yield "bytes do not add up", "invalid-batch", with_header(inflated_bytes=7)
    yield "too many rows", "too-large", with_header(rows=50_001)
    yield "too many inflated bytes", "too-large", with_header(inflated_bytes=16 * 1024 * 1024 + 1)
    data = stream(pods_table())
    one = Section(table="pods", rows=2, inflated_bytes=len(data))
    many = tuple(msgspec.structs.replace(one, table=f"t{number}") for number in range(17))
    yield "17 sections", "invalid-batch", with_header(sections=many, rows=34, inflated_bytes=17 * len(data))
    yield "a table twice", "invalid-batch", with_header(sections=(one, one), rows=4, inflated_bytes=2 * len(data))
    negative = msgspec.structs.replace(one, table="x", rows=-2, inflated_bytes=-len(data))
    yield "negative section", "invalid-batch", with_header(sections=(one, negative), rows=0, inflated_bytes=0)
    yield "section of other rows", "invalid-batch", with_stream(data, rows=1)
    outcome = Outcome(hour_start_s=3600, kind=Kind.FLOWS, collected=1)
    yield "257 outcomes", "invalid-batch", with_header(outcomes=(outcome,) * 257)
    changes: dict[str, dict[str, Any]] = {
        "negative": {"collected": -1},
        "absurd": {"folded": 2**60},
        "no hour": {"hour_start_s": 3601},
        "many reasons": {"dropped": {f"r{n}": 1 for n in range(33)}},
        "long reason": {"dropped": {"r" * 65: 1}},
    }
    for name, change in changes.items():
        yield f"outcome: {name}", "invalid-batch", with_header(outcomes=(msgspec.structs.replace(outcome, **change),))


def broken_chains() -> Iterator[Case]:
    marks = {
        "none": None,
        "part 0": InventoryMark(mode="snapshot", part=0),
        "part beyond": InventoryMark(mode="snapshot", part=3, parts=2),
        "absurd parts": InventoryMark(mode="snapshot", part=1, parts=10**9),
        "delta in parts": InventoryMark(mode="delta", part=1, parts=2, after_seq=1),
        "delta after itself": InventoryMark(mode="delta", after_seq=10**6),
        "delta after nothing": InventoryMark(mode="delta", after_seq=0),
    }
    for name, mark in marks.items():
        yield f"chain: {name}", "invalid-batch", with_header(inventory=mark)
    yield "chain: delta after its own seq", "invalid-batch", after_its_own_seq


def after_its_own_seq(spoke: Spoke) -> bytes:
    return spoke.snapshot({"pods": GOOD_ROWS}, inventory=InventoryMark(mode="delta", after_seq=spoke.seq + 1))


def bombs() -> Iterator[Case]:
    data = stream(pods_table())
    compressor = zstandard.ZstdCompressor(level=3)
    zeros = bytes(16 * 1024 * 1024)
    yield "ratio bomb", "invalid-batch", with_stream(zeros)
    yield "undeclared bomb", "invalid-batch", with_body(compressor.compress(bytes(512 * 1024 * 1024)))
    unknown = zstandard.ZstdCompressor(level=3, write_content_size=False)
    yield "unsized bomb", "malformed-batch", with_body(unknown.compress(bytes(64 * 1024 * 1024)))
    window = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=0)
    streaming = zstandard.ZstdCompressor(compression_params=window).compressobj()
    yield "long window", "invalid-batch", with_body(streaming.compress(data) + streaming.flush())
    frames = compressor.compress(data[:100]) + compressor.compress(data[100:])
    yield "two frames", "invalid-batch", with_body(frames)
    yield "trailing frame", "malformed-batch", with_body(compressor.compress(data) + compressor.compress(b""))
    yield (
        "skippable frame",
        "invalid-or-malformed",
        with_body(struct.pack("<II", 0x184D2A50, 4) + b"skip" + compressor.compress(data)),
    )
    yield "not zstd", "malformed-batch", with_body(b"PK\x03\x04 something else")
    yield "empty body", "malformed-batch", empty_body
    yield "fewer bytes than said", "invalid-batch", with_body(compressor.compress(data[:-8]))
    dictionary = zstandard.train_dictionary(
        4096, [bytes([n % 251]) * 64 + data[:200] + bytes([n % 7]) * n for n in range(400)]
    )
    yield "zstd dictionary", "invalid-batch", with_body(zstandard.ZstdCompressor(dict_data=dictionary).compress(data))


def empty_body(spoke: Spoke) -> bytes:
    header, _ = contract.unseal(spoke.snapshot({"pods": GOOD_ROWS}))
    return contract.seal(msgspec.structs.replace(header, sha256=hashlib.sha256(b"").hexdigest()), b"")


def stream_with(table: pa.Table, options: pa.ipc.IpcWriteOptions | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def overlapping() -> bytes:
    """A stream whose columns share their texts: every buffer that is there twice is written once, and used twice."""
    long = dict.fromkeys(("namespace", "name", "node", "workload_kind", "workload_name", "phase"), "x" * 4_000)
    data = bytearray(stream(pods_table([row | long for row in GOOD_ROWS])))
    start = 16 + struct.unpack_from("<i", data, 4)[0]  # behind the schema and the frame of the record batch
    end = start + struct.unpack_from("<i", data, start - 4)[0]
    metadata, body = memoryview(data)[start:end], bytes(data[end:])
    (root,) = struct.unpack_from("<I", metadata, 0)
    vector = _behind(metadata, _behind(metadata, root, 2), 2)
    places: dict[bytes, int] = {}
    shared = bytearray()
    for entry in range(vector + 4, vector + 4 + 16 * struct.unpack_from("<I", metadata, vector)[0], 16):
        place, length = struct.unpack_from("<qq", metadata, entry)
        content = body[place : place + length]
        if content not in places:
            places[content] = len(shared)
            shared += content + bytes(-length % 8)
        struct.pack_into("<q", metadata, entry, places[content])
    struct.pack_into("<q", metadata, _slot(metadata, root, 3), len(shared))
    return bytes(data[:end]) + bytes(shared) + struct.pack("<Ii", 0xFFFFFFFF, 0)


def _behind(metadata: memoryview, table: int, field: int) -> int:
    """What a field of a flatbuffers table points to."""
    slot = _slot(metadata, table, field)
    return slot + int(struct.unpack_from("<I", metadata, slot)[0])


def with_odd_item_names() -> bytes:
    """A stream that keeps the contract, but for the name of a list's items: bytes that are no text."""
    table = pods_table()
    place = table.column_names.index("labels")
    odd = pa.list_(pa.field("itam", pa.string()))
    renamed = table.set_column(place, pa.field("labels", odd), table.column("labels").cast(odd))
    return stream(renamed).replace(b"itam", b"\xff\xfe\xfd\xff")


def broken_arrow() -> Iterator[Case]:
    table = pods_table()
    data = stream(table)
    yield (
        "arrow: compressed buffers",
        "invalid-batch",
        with_stream(stream_with(table, pa.ipc.IpcWriteOptions(compression="zstd"))),
    )
    coded = table.set_column(3, "namespace", table.column("namespace").dictionary_encode())
    yield "arrow: dictionaries", "invalid-batch", with_stream(stream_with(coded))
    numbers = table.set_column(3, "namespace", pa.array([1, 2], pa.int64()))
    yield "arrow: other type", "invalid-batch", with_stream(stream(numbers))
    nested = table.set_column(3, "namespace", pa.array([["a"], ["b"]], pa.list_(pa.string())))
    yield "arrow: nested type", "invalid-batch", with_stream(stream(nested))
    yield "arrow: required column missing", "invalid-batch", with_stream(stream(table.drop_columns(["uid"])))
    yield "arrow: no column known", "invalid-batch", with_stream(stream(pa.table({"x": [1, 2]})))
    twice = pa.Table.from_arrays([*table.columns, table.column("name")], names=[*table.column_names, "name"])
    yield "arrow: column twice", "invalid-batch", with_stream(stream(twice))
    wide = pa.Table.from_arrays([pa.array([True, False])] * 2_000, names=[f"c{n}" for n in range(2_000)])
    yield "arrow: 2000 columns", "invalid-batch", with_stream(stream(wide))
    yield "arrow: bytes used more than once", "invalid-batch", with_stream(overlapping())
    yield "arrow: cut", "invalid-batch", with_stream(data[: len(data) // 2])
    yield "arrow: cut in metadata", "invalid-batch", with_stream(data[:40])
    yield "arrow: only schema", "invalid-batch", with_stream(data[: data.index(b"\xff\xff\xff\xff", 8)])
    yield "arrow: bytes behind the end", "invalid-batch", with_stream(data + b"\0" * 8)
    yield "arrow: two streams", "invalid-batch", with_stream(data + data)
    yield "arrow: nothing", "invalid-batch", with_stream(b"")
    yield "arrow: json", "invalid-batch", with_stream(b'[{"op": "upsert"}]' * 8)
    bad = bytearray(data)
    position = bad.index(b"shop")
    bad[position : position + 2] = b"\xff\xfe"
    yield "arrow: bad utf8", "invalid-batch", with_stream(bytes(bad))
    offsets = bytearray(data)
    place = offsets.index(struct.pack("<iii", 0, 4, 8))
    struct.pack_into("<i", offsets, place + 8, 10**6)
    yield "arrow: offsets beyond the data", "invalid-batch", with_stream(bytes(offsets))
    many = b"".join(stream(table.slice(n % 2, 1)) for n in range(2))
    yield "arrow: streams back to back", "invalid-batch", with_stream(many)
    rows = pa.Table.from_batches(table.slice(0, 1).to_batches() * 70)
    yield "arrow: 70 record batches", "invalid-batch", with_stream(stream(rows), rows=70)


def corpus() -> list[Case]:
    """Name, slug of the problem, and how to make it with the next seq of a spoke."""
    parts = (truncations, flipped_bits, broken_headers, broken_sums, broken_chains, bombs, broken_arrow)
    return [case for part in parts for case in part()]
