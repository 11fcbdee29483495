"""What crosses each box of a map, and what stays in it. Pure."""

from typing import Any, Final

import numpy as np

from periplus_hub.dependencies.engine.boxes import Boxes
from periplus_hub.dependencies.engine.sums import Rows, added, known_bits, measured, strongest
from periplus_hub.dependencies.model import FAILURES, NOT_ARRIVED
from periplus_hub.flows.engine.columns import Flags, Ints

_BYTES: Final = ("bytes_tx", "bytes_rx")
_CONNECTIONS: Final = ("connections_opened",)
_COUNTED: Final = (*_BYTES, *_CONNECTIONS, *FAILURES)
_DEPTHS: Final = 3


class _Sums:
    """Of each box, as they grow."""

    def __init__(self, rows: Rows, count: int) -> None:
        self._rows = rows
        self._count = count
        self.known = np.zeros(count, dtype=np.int64)
        self.out, self.into, self.within = (
            {name: np.zeros(count, dtype=np.int64) for name in _COUNTED} for _ in range(3)
        )

    def add(self, into: dict[str, Ints], box: Ints, mine: Flags) -> None:
        """The rows that are `mine`, each to its box."""
        at = np.flatnonzero(mine)
        self.known |= known_bits(self._rows.known[at], box[at], self._count)
        for name in into:
            into[name] += added(self._rows.sums[name][at], box[at], self._count)


def figures(shown: Boxes, rows: Rows, between: tuple[Ints, Ints]) -> dict[str, Any]:
    """The columns of boxes that are numbers, and their states. Each row counts for every box that either end is in."""
    count = len(shown.depth)
    sums = _Sums(rows, count)
    arrived = ~np.isin(rows.outcome, NOT_ARRIVED)
    touched: list[Ints] = []
    for depth in range(_DEPTHS):
        ancestor = _ancestor(shown, depth)
        source, destination = (ancestor[each] for each in between)
        touched += [source, destination]
        apart = arrived & (source != destination)
        sums.add(sums.out, source, apart & (source >= 0))
        sums.add(sums.into, destination, apart & (destination >= 0))
        sums.add(sums.within, source, arrived & (source == destination) & (source >= 0))
    box = np.concatenate(touched)
    state = np.tile(rows.state, len(touched))
    out, into, within, known = sums.out, sums.into, sums.within, sums.known
    failed = np.array([each[name] for each in (out, into, within) for name in FAILURES]).sum(axis=0)
    return {
        "state": strongest(state[box >= 0], box[box >= 0], count),
        "bytes_sent": measured(out["bytes_tx"] + into["bytes_rx"], known, _BYTES),
        "bytes_received": measured(out["bytes_rx"] + into["bytes_tx"], known, _BYTES),
        "bytes_within": measured(within["bytes_tx"] + within["bytes_rx"], known, _BYTES),
        "connections_opened": measured(out["connections_opened"], known, _CONNECTIONS),
        "connections_taken": measured(into["connections_opened"], known, _CONNECTIONS),
        "failures": measured(failed, known, FAILURES),
    }


def _ancestor(shown: Boxes, depth: int) -> Ints:
    """Of each box the one of this depth that it is, or is in; -1 where there is none."""
    found = np.arange(len(shown.depth))
    for _ in range(_DEPTHS - 1):
        is_deeper = (found >= 0) & (shown.depth[found] > depth)
        found = np.where(is_deeper, shown.parent[found], found)
    is_there = (found >= 0) & (shown.depth[found] == depth)
    return np.where(is_there, found, -1)
