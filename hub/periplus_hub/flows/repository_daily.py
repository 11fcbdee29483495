"""Statements that make one UTC day's edges of those of its hours. What is made replaces the day's partition, whole."""

from typing import Any, Final

from periplus_hub.access.scope import Scope
from periplus_hub.flows.model import DAY_S
from periplus_hub.flows.repository_added_up import LANE, OF_PART, Totals, add_up, totals
from periplus_hub.flows.repository_partitions import clear, drop_partition, partitions, replace, rows_of
from periplus_hub.kit.column_store import ColumnStore

_DAY: Final = "fromUnixTimestamp({at:UInt32})"
_OF_HOURS: Final = f"e.hour >= {_DAY} AND e.hour < fromUnixTimestamp({{end:UInt32}})"
_EDGES: Final = f"edges_hourly AS e WHERE {_OF_HOURS} AND {OF_PART}"


async def of_hours(scope: Scope, store: ColumnStore, day: int) -> Totals:
    """What the day's hours have."""
    return await totals(scope, store, "edges_hourly", _OF_HOURS, _between(day))


async def of_day(scope: Scope, store: ColumnStore, day: int) -> Totals:
    """What the day has itself."""
    return await totals(scope, store, "edges_daily", f"e.hour = {_DAY}", _between(day))


async def make(scope: Scope, store: ColumnStore, day: int, hours: Totals) -> None:
    """The day's edges, of those of its hours."""
    await clear(scope, store, "edges_daily_next", lane=LANE)
    await add_up(scope, store, "edges_daily_next", _EDGES, _between(day), rows=hours.rows)
    rows = await rows_of(scope, store, "edges_daily_next", lane=LANE)
    await replace(scope, store, "edges_daily", "edges_daily_next", day, rows=rows, lane=LANE)


async def drop_before(scope: Scope, store: ColumnStore, before_s: int) -> None:
    """Forget the edges of whole days before a time."""
    for partition in await partitions(scope, store, "edges_daily"):
        if partition + DAY_S <= before_s:
            await drop_partition(scope, store, "edges_daily", partition)


def _between(day: int) -> dict[str, Any]:
    return {"at": day, "end": day + DAY_S}
