"""Whom a failure reaches: from some ends to those that depend on them, or that they depend on, hop by hop. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

import numpy as np
import pyarrow as pa

from periplus_hub.dependencies.engine.ends import PARTS, Ends, ends_of
from periplus_hub.dependencies.engine.sums import SUMMED, Rows, is_known, rows_of
from periplus_hub.dependencies.model import STATES, EdgeEnd, EdgeState, EndFilter
from periplus_hub.flows.engine.columns import UUID_BYTES, Flags, Ints, numbers, plain
from periplus_hub.flows.model import MEASURES
from periplus_hub.flows.model_kinds import ANYBODY, GATEWAY, NODE, RANGE

Named = tuple[bytes, str, str, str]
"""Cluster, namespace, kind and name of an end."""

_STRUCTURE: Final = ("outcome", "known", "unknown_within", "state", "first_seen", "last_seen")


class Direction(Enum):
    """Which way dependencies are followed."""

    CALLERS = "callers"
    DEPENDENCIES = "dependencies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """An end, and the heaviest of the edges of the shortest ways that lead to it."""

    hop: int
    end: EdgeEnd
    through: EdgeEnd
    """The end that it depends on, or that depends on it."""
    is_followed: bool
    """Whether it is known who it is, so that the way goes on there."""
    is_front: bool
    """It is a service, or what is behind one, as the inventory says; no flow is known between the two."""
    bytes_tx: int | None
    bytes_rx: int | None
    connections_opened: int | None
    failures: int | None
    is_part_unmeasured: bool
    """They are at least so many."""
    state: EdgeState
    last_seen: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What was found, and what was not looked at."""

    starts: tuple[EdgeEnd, ...]
    reached: tuple[Reached, ...]
    beyond_depth: int
    """Ends that are one hop further."""
    beyond_nodes: int
    """Ends for which there was no room; nor was followed who is behind them."""
    may_lead: int
    """Edges of which it is not known whether they lead to or from what was reached."""


def reach(
    table: pa.Table,
    asked: EndFilter,
    fronts: Sequence[tuple[Named, Named]],
    *,
    direction: Direction,
    depth: int,
    most: int,
) -> Reach:
    """`fronts` are services with what is behind them: who calls the one depends on the other."""
    whole = _with_fronts(table, fronts)
    ends, rows = ends_of(whole), rows_of(whole)
    is_caller = direction is Direction.CALLERS
    near, far = (ends.dst, ends.src) if is_caller else (ends.src, ends.dst)
    weight = rows.sums["bytes_tx"] + rows.sums["bytes_rx"]
    is_opaque = ends.is_nobody | ends.among("kind", (NODE, GATEWAY, *ANYBODY))
    hop = np.where(_starts(ends, asked, table.num_rows), 0, -1)
    reached: list[tuple[int, int, int]] = []
    beyond_depth = beyond_nodes = 0
    for step in range(1, depth + 2):
        is_followed = (hop == step - 1) & (~is_opaque | (step == 1))
        found, via = _next(near, far, weight, np.flatnonzero(is_followed[near] & (hop[far] == -1)))
        if step > depth:
            beyond_depth = len(found)
            break
        room = most - len(reached)
        hop[found[:room]], hop[found[room:]] = step, _NO_ROOM
        beyond_nodes += len(found[room:])
        reached += [(step, end, row) for end, row in zip(found[:room].tolist(), via[:room].tolist(), strict=True)]
    is_doubtful = ends.among("kind", (*ANYBODY, RANGE, GATEWAY) if is_caller else (*ANYBODY, RANGE, GATEWAY, NODE))
    return Reach(
        starts=tuple(_end(ends, each) for each in np.flatnonzero(hop == 0).tolist()),
        reached=tuple(
            _reached(ends, rows, each, through=int(near[each[2]]), opaque=is_opaque, flows=table.num_rows)
            for each in reached
        ),
        beyond_depth=beyond_depth,
        beyond_nodes=beyond_nodes,
        may_lead=int(is_doubtful[near].sum()),
    )


_NO_ROOM: Final = -2


def _next(near: Ints, far: Ints, weight: Ints, leads: Ints) -> tuple[Ints, Ints]:
    """The ends that these rows lead to, the heaviest first, each with its heaviest row."""
    ordered = leads[np.lexsort((near[leads], -weight[leads], far[leads]))]
    found, first = np.unique(far[ordered], return_index=True)
    via = ordered[first]
    order = np.lexsort((found, -weight[via]))
    return found[order], via[order]


def _starts(ends: Ends, asked: EndFilter, flows: int) -> Flags:
    """The ends that are meant, and what is behind the services among them."""
    is_meant = np.ones(ends.count, dtype=np.bool_)
    for part, words in (
        ("registration", [each.bytes for each in asked.clusters] or None),
        ("namespace", None if asked.namespace is None else [asked.namespace]),
        ("kind", None if asked.kind is None else [asked.kind]),
        ("name", None if asked.name is None else [asked.name]),
    ):
        if words is not None:
            is_meant &= ends.among(part, words)
    behind = ends.dst[flows:][is_meant[ends.src[flows:]]]
    is_meant[behind] = True
    return is_meant


def _end(ends: Ends, end: int) -> EdgeEnd:
    return EdgeEnd(
        registration_id=ends.registration_id(end),
        namespace=ends.word("namespace", end),
        kind=ends.word("kind", end),
        name=ends.word("name", end),
    )


def _reached(
    ends: Ends, rows: Rows, found: tuple[int, int, int], *, through: int, opaque: Flags, flows: int
) -> Reached:
    hop, end, row = found

    def measure(name: str) -> int | None:
        names = SUMMED[name]
        told = bool(is_known(rows.known[row : row + 1], names)[0])
        return sum(int(rows.sums[each][row]) for each in names) if told else None

    return Reached(
        hop=hop,
        end=_end(ends, end),
        through=_end(ends, through),
        is_followed=not opaque[end],
        is_front=row >= flows,
        bytes_tx=measure("bytes_tx"),
        bytes_rx=measure("bytes_rx"),
        connections_opened=measure("connections_opened"),
        failures=measure("failures"),
        is_part_unmeasured=bool(rows.part[row]),
        state=STATES[int(rows.state[row])],
        last_seen=None if row >= flows else datetime.fromtimestamp(int(rows.last_seen[row]), UTC),
    )


def _with_fronts(table: pa.Table, fronts: Sequence[tuple[Named, Named]]) -> pa.Table:
    """The same with a row from each service to what is behind it, of which no measure is known."""
    columns: dict[str, pa.Array] = {}
    for side, name in enumerate(("src", "dst")):
        for part, word in enumerate(PARTS):
            kind = UUID_BYTES if word == "registration" else pa.string()
            told = plain(table.column(f"end_{name}_{word}").combine_chunks()).cast(kind)
            columns[f"end_{name}_{word}"] = pa.concat_arrays(
                [told, pa.array([each[side][part] for each in fronts], kind)]
            )
    unknown: Mapping[str, int] = {"state": STATES.index(EdgeState.UNKNOWN)}
    for column in (*(f"sum_{each}" for each in MEASURES), *_STRUCTURE):
        added = pa.array([unknown.get(column, 0)] * len(fronts), pa.int64())
        columns[column] = pa.concat_arrays([pa.array(numbers(table.column(column))), added])
    return pa.table(columns)


def nothing() -> Reach:
    """Where no flow is known."""
    return Reach(starts=(), reached=(), beyond_depth=0, beyond_nodes=0, may_lead=0)
