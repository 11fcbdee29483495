"""Statements that add up the edges of a span of hours. Each making of it has a partition of its own."""

from collections.abc import Sequence
from string import Template
from typing import Any, Final

from periplus_hub.access.scope import Scope
from periplus_hub.flows.model import Hours
from periplus_hub.flows.repository_added_up import LANE, OF_PART, Totals, add_up, totals
from periplus_hub.flows.repository_partitions import drop_partition, sizes
from periplus_hub.kit.column_store import ColumnStore

_TABLE: Final = "edges_spans"
_OF_HOURS: Final = "e.hour >= fromUnixTimestamp({first:UInt32}) AND e.hour < fromUnixTimestamp({until:UInt32})"
_AT: Final = "e.hour = fromUnixTimestamp({at:UInt32})"
_HOURS: Final = f"edges_hourly AS e WHERE {_OF_HOURS} AND {OF_PART}"
_WITH_DAYS: Final = Template("""(
    SELECT * FROM $hours AND NOT has({days:Array(UInt32)}, toUnixTimestamp(toStartOfDay(e.hour)))
    UNION ALL
    SELECT * FROM edges_daily AS e WHERE $of_hours AND $of_part AND has({days:Array(UInt32)}, toUnixTimestamp(e.hour))
) AS e""").substitute(hours=_HOURS, of_hours=_OF_HOURS, of_part=OF_PART)


async def stored(scope: Scope, store: ColumnStore) -> dict[int, int]:
    """How many rows each making has."""
    return await sizes(scope, store, _TABLE)


async def of_hours(scope: Scope, store: ColumnStore, hours: Hours) -> Totals:
    """What these hours have."""
    return await totals(scope, store, "edges_hourly", _OF_HOURS, _between(hours))


async def make(scope: Scope, store: ColumnStore, hours: Hours, place: int, days: Sequence[int], *, rows: int) -> Totals:
    """Add up these hours; of these `days` among them what was added up before. Returns what that came to."""
    await forget(scope, store, place)
    given = {**_between(hours), "at": place, "days": list(days)}
    await add_up(scope, store, _TABLE, _WITH_DAYS if days else _HOURS, given, rows=rows)
    return await totals(scope, store, _TABLE, _AT, {"at": place})


async def forget(scope: Scope, store: ColumnStore, place: int) -> None:
    """A making that nobody asks any more."""
    await drop_partition(scope, store, _TABLE, place, lane=LANE)


def _between(hours: Hours) -> dict[str, Any]:
    return {"first": hours.first, "until": hours.until}
