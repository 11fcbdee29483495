"""Makes the edges of UTC days of those of their hours, for the time when hours are not kept any more.

A day is made again whenever an hour of it was. What is made depends on the hours alone.
"""

from typing import Final

import structlog

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_daily, repository_days
from periplus_hub.flows.model import DirtyDay
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import Database

_log: Final = structlog.get_logger(__name__)


async def make_days(db: Database, store: ColumnStore, scope: Scope, now_s: int) -> int:
    """Make every day anew that is over and has to be; returns how many."""
    async with db.read(scope) as c:
        dirty = await repository_days.dirty_days(c, scope, now_s)
    for day in dirty:
        await _make(db, store, scope, day)
    return len(dirty)


async def _make(db: Database, store: ColumnStore, scope: Scope, day: DirtyDay) -> None:
    """Its version was read first: what is made of its hours meanwhile makes it dirty again."""
    hours = await repository_daily.of_hours(scope, store, day.start)
    await repository_daily.make(scope, store, day.start, hours)
    crashpoint("flows.day_replaced")
    made = await repository_daily.of_day(scope, store, day.start)
    if made.sums != hours.sums:
        _log.warning("flow_day_differs", day=day.start, remedy="It is made again; its hours stay until then.")
        return
    async with db.write(scope) as c:
        await repository_days.note_made(c, scope, day)
