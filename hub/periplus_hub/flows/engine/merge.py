"""One edge of what its two ends reported, each byte once.

Per window the client's report counts, and of the server's only what is more; so two reporters that saw different parts
of the time add up, and two that saw the same do not. Both cut time by their own clocks, so what passed around the turn
of a window may stand in one window of the one and in the next of the other: what the server has more in a window is
taken for what the client has more in a window beside it, if the server reported that window too.

Where one reporter has coarser windows than the other, an edge is merged in the coarsest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from periplus_hub.flows.engine.columns import Flags, Ints, changes, numbers, words
from periplus_hub.flows.model import MEASURES

ORDER: Final = ("ends", "how", "localities", "window", "window_s", "reporter")
"""What rows that are merged are sorted by."""
CLIENT: Final = 1
SERVER: Final = 2
_BYTES: Final = ("bytes_tx", "bytes_rx")
EVERY_MEASURE: Final = (1 << len(MEASURES)) - 1


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


def merged(rows: pa.Table, measures: Sequence[str]) -> pa.Table:
    """Edges of what `repository_rollup.windows` found, in the order of ORDER: what passed between two zones is one."""
    pairs = {name: words(rows.column(name)) for name in ("ends", "localities")}
    columns = {name: numbers(rows.column(name)) for name in rows.column_names if name not in pairs}
    edge = changes(*pairs.values(), columns["how"])
    first = np.flatnonzero(edge)
    cells = _cells(np.cumsum(edge) - 1, first, columns["window"], columns["window_s"])
    sides = columns["reporter"] == CLIENT, columns["reporter"] == SERVER
    both = cells.has(sides[0]) & cells.has(sides[1])
    totals = {name: _total(cells, columns[name], sides, both) for name in measures}
    told = sum(columns[name] for name in measures if name in _BYTES) + np.zeros(len(edge), dtype=np.int64)
    per_edge = np.flatnonzero(np.diff(cells.edge, prepend=-1))
    return pa.table(
        {
            **{name: each[first] for name, each in pairs.items()},
            "how": columns["how"][first].astype(np.uint32),
            **{name: columns[name][first].astype(np.uint8) for name in ("src_rule", "dst_rule")},
            **{name: np.add.reduceat(each, per_edge).astype(np.uint64) for name, each in totals.items()},
            "measured": np.bitwise_or.reduceat(~columns["unmeasured"] & EVERY_MEASURE, first).astype(np.uint16),
            "unmeasured": np.bitwise_or.reduceat(columns["unmeasured"], first).astype(np.uint16),
            **{
                name: np.add.reduceat(np.where(side, told, 0), first).astype(np.uint64)
                for name, side in zip(("client_bytes", "server_bytes"), sides, strict=True)
            },
            "reporters": np.bitwise_or.reduceat(columns["reporter"], first).astype(np.uint8),
            "windows": np.diff(per_edge, append=len(cells.edge)).astype(np.uint32),
            "sampling": np.maximum.reduceat(columns["sampling"], first).astype(np.uint32),
            "first_window": np.minimum.reduceat(columns["window"], first).astype(np.uint32),
            "last_window": np.maximum.reduceat(columns["window"] + columns["window_s"], first).astype(np.uint32),
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
    start = np.flatnonzero(changes(edge, cell))
    of_edge, at, wide = edge[start], cell[start], coarsest[start]
    beside = np.zeros(len(start), dtype=np.bool_)
    beside[1:] = (of_edge[1:] == of_edge[:-1]) & (at[1:] - at[:-1] == wide[1:])
    return _Cells(start, of_edge, at, wide, beside)
