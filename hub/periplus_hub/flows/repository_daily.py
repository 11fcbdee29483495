"""Statements that make one UTC day's edges of those of its hours. What is made replaces the day's partition, whole."""

from string import Template
from typing import Any, Final, NamedTuple

from periplus_hub.access.scope import Scope
from periplus_hub.flows.model import DAY_S, MEASURES
from periplus_hub.flows.repository_partitions import clear, drop_partition, partitions, replace, rows_of
from periplus_hub.kit.column_store import ColumnStore

LANE: Final = "days"
_ENDS: Final = ", ".join(
    f"e.{side}_{part}" for side in ("src", "dst") for part in ("registration", "namespace", "kind", "workload")
)
_AGGREGATES: Final = {
    **dict.fromkeys((*MEASURES, "client_bytes", "server_bytes", "windows"), "sum"),
    **dict.fromkeys(("measured", "unmeasured", "reporters"), "groupBitOr"),
    "sampling": "max",
    "first_window": "min",
    "last_window": "max",
}
"""Of all columns but those that tell edges apart. A question that aggregates rows so finds the same in a day as in its
hours."""

_DAY: Final = "fromUnixTimestamp({day:UInt32})"
_OF_HOURS: Final = f"e.hour >= {_DAY} AND e.hour < fromUnixTimestamp({{end:UInt32}})"
_TOTALS: Final = Template("SELECT count() AS edge_rows, $sums FROM $table AS e WHERE $of_day").substitute
_SUMS: Final = ", ".join(f"sum({name}) AS {name}" for name in ("windows", "bytes_tx", "bytes_rx"))
_OF_ITS_HOURS: Final = _TOTALS(sums=_SUMS, table="edges_hourly", of_day=_OF_HOURS)
_OF_ITSELF: Final = _TOTALS(sums=_SUMS, table="edges_daily", of_day=f"e.hour = {_DAY}")
_MAKE: Final = Template("""
    INSERT INTO edges_daily_next
    SELECT * REPLACE (toDateTime({day:UInt32}, 'UTC') AS hour, $values) FROM edges_hourly AS e
    WHERE $of_hours AND cityHash64($ends) % {parts:UInt32} = {part:UInt32} GROUP BY ALL
""").substitute(
    values=", ".join(f"{function}(e.{name}) AS {name}" for name, function in _AGGREGATES.items()),
    of_hours=_OF_HOURS,
    ends=_ENDS,
)


class DayTotals(NamedTuple):
    """Of the edges of a day, as its hours have them or as it has them itself."""

    rows: int
    sums: tuple[int, ...]
    """Of what is the same in the day as in all its hours together."""


async def of_hours(scope: Scope, store: ColumnStore, day: int) -> DayTotals:
    """What the day's hours have."""
    return await _totals(scope, store, _OF_ITS_HOURS, day)


async def of_day(scope: Scope, store: ColumnStore, day: int) -> DayTotals:
    """What the day has itself."""
    return await _totals(scope, store, _OF_ITSELF, day)


async def make(scope: Scope, store: ColumnStore, day: int, parts: int) -> None:
    """The day's edges, of its hours. Each pair of ends is in one of the parts, so that memory is bounded."""
    await clear(scope, store, "edges_daily_next", lane=LANE)
    for part in range(parts):
        given = {**_between(day), "part": part, "parts": parts}
        await store.command(scope, _MAKE, given, lane=LANE)
    rows = await rows_of(scope, store, "edges_daily_next", lane=LANE)
    await replace(scope, store, "edges_daily", "edges_daily_next", day, rows=rows, lane=LANE)


async def drop_before(scope: Scope, store: ColumnStore, before_s: int) -> None:
    """Forget the edges of whole days before a time."""
    for partition in await partitions(scope, store, "edges_daily"):
        if partition + DAY_S <= before_s:
            await drop_partition(scope, store, "edges_daily", partition)


async def _totals(scope: Scope, store: ColumnStore, statement: str, day: int) -> DayTotals:
    found = (await store.query(scope, statement, _between(day), lane=LANE)).to_pylist()[0]
    rows = found.pop("edge_rows")
    return DayTotals(rows=int(rows), sums=tuple(int(each) for each in found.values()))


def _between(day: int) -> dict[str, Any]:
    return {"day": day, "end": day + DAY_S}
