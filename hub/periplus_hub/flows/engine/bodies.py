"""What the inbox keeps of a batch: its checked rows in the types of the store, one body for each UTC day.

The rows that the spoke sent are not kept as they came: what the store is given must not depend on what a later hub
takes for a valid row.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from periplus_hub.flows.model import DAY_S, HOUR_S, MEASURES, MINUTE_S, DayOfBatch, FlowRows, HourOfBatch

Ints = npt.NDArray[np.int64]

_LENGTH: Final = struct.Struct("<I")
_LEVEL: Final = 1
_NARROW: Final = {
    "src": pa.int32(),
    "dst": pa.int32(),
    "window_start": pa.uint32(),
    "window_s": pa.uint32(),
    "reporter": pa.uint8(),
    "collector": pa.uint16(),
    "protocol": pa.uint8(),
    "verdict": pa.uint8(),
    "dst_port": pa.uint16(),
    **dict.fromkeys(MEASURES, pa.uint64()),
    "sampling": pa.uint32(),
}
_TEXTS: Final = ("policy", "drop_reason")
_PEER_TEXTS: Final = ("namespace", "kind", "workload", "cluster", "host")


def prepared(peers: pa.Table, flows: pa.Table, window_start_s: int, window_s: int) -> FlowRows:
    """What the inbox gets of a batch. Its rows are checked: references stay within `peers`, numbers in their range."""
    window = flows.column("window_start").to_numpy()
    days = tuple(_days(_stored_peers(peers), _stored_flows(flows), window)) if len(window) else ()
    return FlowRows(days=days, hours=_hours(flows, window, window_start_s, window_s))


def opened(body: bytes) -> tuple[pa.Table, pa.Table]:
    """The peers and the flows of a body."""
    raw = zstandard.ZstdDecompressor().decompress(body)
    (length,) = _LENGTH.unpack_from(raw)
    view = memoryview(raw)[_LENGTH.size :]
    return _read(view[:length]), _read(view[length:])


def _days(peers: pa.Table, flows: pa.Table, window: Ints) -> Iterator[DayOfBatch]:
    day = window // DAY_S
    for each in np.unique(day).tolist():
        mask = day == each
        mine = flows if mask.all() else flows.filter(pa.array(mask))
        yield DayOfBatch(
            day=each,
            rows=mine.num_rows,
            first_window=int(window[mask].min()),
            last_window=int(window[mask].max()),
            body=_body(peers, mine),
        )


def _body(peers: pa.Table, flows: pa.Table) -> bytes:
    first, second = _written(peers), _written(flows)
    return zstandard.ZstdCompressor(level=_LEVEL).compress(b"".join((_LENGTH.pack(len(first)), first, second)))


def _written(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return memoryview(sink.getvalue())


def _read(stream: memoryview) -> pa.Table:
    return pa.ipc.open_stream(stream).read_all()


def _stored_peers(peers: pa.Table) -> pa.Table:
    high, low = (peers.column(f"address_{half}").to_numpy() for half in ("high", "low"))
    texts = {name: pc.fill_null(peers.column(name), "") for name in _PEER_TEXTS}
    return pa.table({"address": address_array(high, low), **texts})


def address_array(high: Ints, low: Ints) -> pa.Array:
    """128 bits in two halves, each in two's complement, as the store takes an IPv6 address."""
    words = np.empty((len(high), 2), dtype=">i8")
    words[:, 0], words[:, 1] = high, low
    return pa.Array.from_buffers(pa.binary(16), len(high), [None, pa.py_buffer(words.tobytes())])


def _stored_flows(flows: pa.Table) -> pa.Table:
    unmeasured = np.zeros(flows.num_rows, dtype=np.uint16)
    columns: dict[str, Any] = {}
    for name, kind in _NARROW.items():
        values = flows.column(name)
        if name in MEASURES and values.null_count:
            unmeasured |= np.asarray(values.is_null()).astype(np.uint16) << MEASURES.index(name)
            values = pc.fill_null(values, 0)
        columns[name] = values.cast(kind)
    return pa.table({**columns, "unmeasured": unmeasured, **{name: flows.column(name) for name in _TEXTS}})


def _hours(flows: pa.Table, window: Ints, start_s: int, window_s: int) -> tuple[HourOfBatch, ...]:
    """The hours that the batch's own window touches, also those without rows: nothing passed, and that was seen."""
    hour_of_row = window // HOUR_S * HOUR_S
    sampling = flows.column("sampling").to_numpy() if len(window) else window
    end_s = start_s + max(window_s, 1)
    found = []
    for hour in range(start_s // HOUR_S * HOUR_S, end_s, HOUR_S):
        mine = hour_of_row == hour
        found.append(
            HourOfBatch(
                hour=hour,
                minutes=_minutes(max(start_s, hour) - hour, min(end_s, hour + HOUR_S) - hour),
                last_window=min(end_s, hour + HOUR_S),
                rows=int(mine.sum()),
                sampling=int(sampling[mine].max()) if mine.any() else 1,
            )
        )
    return tuple(found)


def _minutes(first_s: int, end_s: int) -> int:
    """The minutes of an hour that [first, end) touches, as bits."""
    first, end = first_s // MINUTE_S, -(-end_s // MINUTE_S)
    return ((1 << end) - 1) & ~((1 << first) - 1)
