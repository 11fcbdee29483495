"""One edge of what its two ends reported, each byte once.

Per window the client's report counts, and of the server's only what is more; so two reporters that saw different parts
of the time add up, and two that saw the same do not. Both cut time by their own clocks, so what passed around the turn
of a window may stand in one window of the one and in the next of the other: what the server has more in a window is
taken for what the client has more in a window beside it, if the server reported that window too.

Where one reporter has coarser windows than the other, an edge is merged in the coarsest.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from periplus_hub.flows.model import MEASURES

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CLIENT: Final = 1
SERVER: Final = 2
_BYTES: Final = ("bytes_tx", "bytes_rx")


@dataclass(frozen=True, slots=True)
class _Cells:
    """Windows of edges, in order: where each begins among the rows, and which edge and time it is of."""

    start: Ints
    edge: Ints
    window: Ints
    width: Ints
    beside: Flags
    """Whether the cell before is the same edge's window right before."""

    def sums(self, values: Ints, mine: Flags) -> Ints:
        """Of the rows of each cell that are `mine`."""
        summed: Ints = np.add.reduceat(np.where(mine, values, 0), self.start)
        return summed

    def has(self, mine: Flags) -> Flags:
        """Which cells have rows that are `mine`."""
        return np.logical_or.reduceat(mine, self.start)


def merged(hour: int, rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Rows of `edges_hourly` of what `repository_rollup.windows` found: sorted by `key`, window and reporter."""
    if not rows.num_rows:
        return rows.slice(0, 0)
    columns = {name: rows.column(name).combine_chunks() for name in rows.column_names}
    edge = numbered([columns[name] for name in key])
    edge_start = np.flatnonzero(np.diff(edge, prepend=-1))
    cells = _cells(edge, edge_start, numbers(columns["window"]), numbers(columns["window_s"]))
    reporter = numbers(columns["reporter"])
    sides = reporter == CLIENT, reporter == SERVER
    both = cells.has(sides[0]) & cells.has(sides[1])
    first = pa.array(edge_start)
    totals = {name: _total(cells, numbers(columns[name]), sides, both) for name in MEASURES}
    end = numbers(columns["window"]) + numbers(columns["window_s"])
    told = sum(numbers(columns[name]) for name in _BYTES)
    per_edge = np.flatnonzero(np.diff(cells.edge, prepend=-1))
    return pa.table(
        {
            "hour": np.full(len(edge_start), hour, dtype=np.uint32),
            **{name: plain(columns[name]).take(first) for name in (*key, "src_rule", "dst_rule")},
            **{name: np.add.reduceat(each, per_edge).astype(np.uint64) for name, each in totals.items()},
            "measured": _joined(columns["measured"], edge_start),
            "unmeasured": _joined(columns["unmeasured"], edge_start),
            **{
                name: np.add.reduceat(np.where(side, told, 0), edge_start).astype(np.uint64)
                for name, side in zip(("client_bytes", "server_bytes"), sides, strict=True)
            },
            "reporters": np.bitwise_or.reduceat(reporter.astype(np.uint8), edge_start),
            "windows": np.diff(per_edge, append=len(cells.edge)).astype(np.uint32),
            "sampling": np.maximum.reduceat(numbers(columns["sampling"]), edge_start).astype(np.uint32),
            "first_window": np.minimum.reduceat(numbers(columns["window"]), edge_start).astype(np.uint32),
            "last_window": np.maximum.reduceat(end, edge_start).astype(np.uint32),
        }
    )


def _total(cells: _Cells, values: Ints, sides: tuple[Flags, Flags], both: Flags) -> Ints:
    """Per cell the client's, and of the server's what no window of the client's explains."""
    client, server = (cells.sums(values, side) for side in sides)
    more = np.maximum(server - client, 0)
    spare = np.where(both, np.maximum(client - server, 0), 0)
    earlier = np.where(cells.beside, np.minimum(more, np.roll(spare, 1)), 0)
    more -= earlier
    spare -= np.roll(earlier, -1)
    later = np.where(np.roll(cells.beside, -1), np.minimum(more, np.roll(spare, -1)), 0)
    total: Ints = client + more - later
    return total


def _cells(edge: Ints, edge_start: Ints, window: Ints, width: Ints) -> _Cells:
    coarsest = np.maximum.reduceat(width, edge_start)[edge]
    cell = window // coarsest * coarsest
    new = np.ones(len(edge), dtype=np.bool_)
    new[1:] = (edge[1:] != edge[:-1]) | (cell[1:] != cell[:-1])
    start = np.flatnonzero(new)
    of_edge, at, wide = edge[start], cell[start], coarsest[start]
    beside = np.zeros(len(start), dtype=np.bool_)
    beside[1:] = (of_edge[1:] == of_edge[:-1]) & (at[1:] - at[:-1] == wide[1:])
    return _Cells(start, of_edge, at, wide, beside)


def numbered(columns: list[pa.Array]) -> Ints:
    """A running number that changes wherever any of the columns does."""
    new = np.zeros(len(columns[0]), dtype=np.bool_)
    for column in columns:
        codes = plain(column).dictionary_encode().indices.to_numpy(zero_copy_only=False)
        new[1:] |= codes[1:] != codes[:-1]
    return np.cumsum(new).astype(np.int64)


def _joined(bits: pa.Array, edge_start: Ints) -> npt.NDArray[np.uint16]:
    joined: npt.NDArray[Any] = np.bitwise_or.reduceat(numbers(bits), edge_start)
    return joined.astype(np.uint16)


def numbers(values: pa.Array) -> Ints:
    """As signed 64-bit."""
    return np.asarray(values.to_numpy(zero_copy_only=False)).astype(np.int64)


def plain(values: pa.Array) -> pa.Array:
    """Without what the library calls 16 bytes."""
    return values.storage.cast(pa.binary(16)) if isinstance(values, pa.ExtensionArray) else values
