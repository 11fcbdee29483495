"""Sums of edges by group: each measure only of those that know it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.engine.graph import Numbers, Sums, Totals
from periplus_hub.dependencies.model import ADDED_UP, FAILURES, STATES, EdgeState
from periplus_hub.flows.engine.columns import Flags, Ints, numbers
from periplus_hub.flows.model import MEASURES

SUMMED: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (name,) for name in ("bytes_tx", "bytes_rx", "packets_tx", "packets_rx", "connections_opened")},
    "failures": FAILURES,
    "retransmits": ("retransmits",),
}
_ALL: Final = (1 << len(MEASURES)) - 1
_STRENGTH: Final = (EdgeState.SILENT, EdgeState.UNKNOWN, EdgeState.NEW, EdgeState.ACTIVE)
"""Of several, the last one that there is: only where all are silent, their sum is."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Edges as the store found them, in columns of numbers."""

    sums: Mapping[str, Ints]
    known: Ints
    part: Flags
    state: Ints
    outcome: Ints
    first_seen: Ints
    last_seen: Ints


def rows_of(table: pa.Table) -> Rows:
    """Of what `repository_graph.rows` found."""
    columns = {name: numbers(table.column(name)) for name in _NUMBERS}
    return Rows(
        sums={name: columns[f"sum_{name}"] for name in MEASURES},
        known=columns["known"],
        part=(columns["known"] & columns["unknown_within"] & ADDED_UP) != 0,
        state=columns["state"],
        outcome=columns["outcome"],
        first_seen=columns["first_seen"],
        last_seen=columns["last_seen"],
    )


_NUMBERS: Final = (
    *(f"sum_{name}" for name in MEASURES),
    *("known", "unknown_within", "state", "outcome", "first_seen", "last_seen"),
)


def totals(rows: Rows, group: Ints, count: int) -> Sums:
    """Of each group; a row of group -1 is in none."""
    inside = np.flatnonzero(group >= 0)
    at = group[inside]
    known = known_bits(rows.known[inside], at, count)
    known_by_all = np.full(count, _ALL, dtype=np.int64)
    np.bitwise_and.at(known_by_all, at, rows.known[inside])
    part = (known & ~known_by_all & ADDED_UP) != 0
    np.logical_or.at(part, at, rows.part[inside])
    summed = {name: added(values[inside], at, count) for name, values in rows.sums.items()}
    rtt_known = ((known & _bits(("rtt_us_sum",))) != 0) & (summed["rtt_count"] > 0)
    rtt = summed["rtt_us_sum"] / np.maximum(summed["rtt_count"], 1)
    return Sums(
        dependencies=np.bincount(at, minlength=count).tolist(),
        **{name: _measure(names, summed, known) for name, names in SUMMED.items()},
        rtt_us=or_none(rtt, rtt_known),
        is_part_unmeasured=part.tolist(),
    )


def totals_by_verdict(rows: Rows, mine: Flags) -> Totals:
    """Of the rows that are `mine`."""
    found, group = np.unique(rows.outcome[mine], return_inverse=True)
    of_row = np.full(len(mine), -1, dtype=np.int64)
    of_row[mine] = group
    return Totals(verdict=list(map(Verdict, found.tolist())), sums=totals(rows, of_row, len(found)))


def strongest(state: Ints, group: Ints, count: int) -> list[EdgeState]:
    """The state of each group."""
    strength = np.array([_STRENGTH.index(each) for each in STATES], dtype=np.int64)
    found = np.zeros(count, dtype=np.int64)
    np.maximum.at(found, group, strength[state])
    return [_STRENGTH[each] for each in found.tolist()]


def added(values: Ints, group: Ints, count: int) -> Ints:
    """Exactly."""
    found = np.zeros(count, dtype=np.int64)
    np.add.at(found, group, values)
    return found


def known_bits(known: Ints, group: Ints, count: int) -> Ints:
    """Which measures any of a group knows."""
    found = np.zeros(count, dtype=np.int64)
    np.bitwise_or.at(found, group, known)
    return found


def is_known(known: Ints, names: tuple[str, ...]) -> Flags:
    """Where any of these measures is known."""
    found: Flags = (known & _bits(names)) != 0
    return found


def measured(values: Ints, known: Ints, names: tuple[str, ...]) -> Numbers:
    """Sums that are None where no measure of these is known."""
    return or_none(values, is_known(known, names))


def _measure(names: tuple[str, ...], summed: Mapping[str, Ints], known: Ints) -> Numbers:
    return measured(np.array([summed[name] for name in names]).sum(axis=0), known, names)


def _bits(names: tuple[str, ...]) -> int:
    return sum(1 << MEASURES.index(name) for name in names)


def or_none(values: npt.NDArray[Any], known: Flags) -> Sequence[Any]:
    """The values that are known."""
    return [value if is_told else None for value, is_told in zip(values.tolist(), known.tolist(), strict=True)]
