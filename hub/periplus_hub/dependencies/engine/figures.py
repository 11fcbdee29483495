"""What crosses each box of a map, and what stays in it. Pure."""

from typing import Any, Final

import numpy as np

from periplus_hub.dependencies.engine.boxes import Boxes
from periplus_hub.dependencies.engine.graph import Numbers
from periplus_hub.dependencies.engine.sums import Rows, added, is_known, known_bits, or_none, strongest
from periplus_hub.dependencies.model import FAILURES, NOT_ARRIVED
from periplus_hub.flows.engine.columns import Flags, Ints

_COUNTED: Final = ("bytes_tx", "bytes_rx", "connections_opened", *FAILURES)
_DEPTHS: Final = 3


class _Way:
    """What passes each box one way, as it grows."""

    def __init__(self, rows: Rows, count: int) -> None:
        self._rows = rows
        self._count = count
        self.passes = np.zeros(count, dtype=np.bool_)
        self.known = np.zeros(count, dtype=np.int64)
        self.sums = {name: np.zeros(count, dtype=np.int64) for name in _COUNTED}

    def add(self, box: Ints, mine: Flags) -> None:
        """The rows that are `mine`, each to its box."""
        at = np.flatnonzero(mine)
        self.passes |= np.bincount(box[at], minlength=self._count) > 0
        self.known |= known_bits(self._rows.known[at], box[at], self._count)
        for name in self.sums:
            self.sums[name] += added(self._rows.sums[name][at], box[at], self._count)


def _together(*measures: tuple[_Way, str]) -> Numbers:
    """Their sum. Where nothing passes it is 0; where something does and none of it is measured, it is not known."""
    passes = np.logical_or.reduce([way.passes for way, _ in measures])
    told = np.logical_or.reduce([is_known(way.known, (name,)) for way, name in measures])
    sums = np.add.reduce([np.where(is_known(way.known, (name,)), way.sums[name], 0) for way, name in measures])
    return or_none(sums, told | ~passes)


def figures(shown: Boxes, rows: Rows, between: tuple[Ints, Ints]) -> dict[str, Any]:
    """The columns of boxes that are numbers, and their states. Each row counts for every box that either end is in."""
    count = len(shown.depth)
    out, into, within = (_Way(rows, count) for _ in range(3))
    arrived = ~np.isin(rows.outcome, NOT_ARRIVED)
    touched: list[Ints] = []
    for depth in range(_DEPTHS):
        ancestor = _ancestor(shown, depth)
        source, destination = (ancestor[each] for each in between)
        touched += [source, destination]
        apart = arrived & (source != destination)
        out.add(source, apart & (source >= 0))
        into.add(destination, apart & (destination >= 0))
        within.add(source, arrived & (source == destination) & (source >= 0))
    box = np.concatenate(touched)
    state = np.tile(rows.state, len(touched))
    return {
        "state": strongest(state[box >= 0], box[box >= 0], count),
        "bytes_sent": _together((out, "bytes_tx"), (into, "bytes_rx")),
        "bytes_received": _together((out, "bytes_rx"), (into, "bytes_tx")),
        "bytes_within": _together((within, "bytes_tx"), (within, "bytes_rx")),
        "connections_opened": _together((out, "connections_opened")),
        "connections_taken": _together((into, "connections_opened")),
        "failures": _together(*((way, name) for way in (out, into, within) for name in FAILURES)),
    }


def _ancestor(shown: Boxes, depth: int) -> Ints:
    """Of each box the one of this depth that it is, or is in; -1 where there is none."""
    found = np.arange(len(shown.depth))
    for _ in range(_DEPTHS - 1):
        is_deeper = (found >= 0) & (shown.depth[found] > depth)
        found = np.where(is_deeper, shown.parent[found], found)
    is_there = (found >= 0) & (shown.depth[found] == depth)
    return np.where(is_there, found, -1)
