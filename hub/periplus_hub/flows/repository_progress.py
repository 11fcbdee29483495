"""SQL of whether the flow store has what was told."""

from datetime import timedelta
from typing import Final

from sqlalchemy import exists, func, or_, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.flows.tables import coverage, hours, inboxes
from periplus_hub.kit.db import ReadConnection

PATIENCE: Final = timedelta(minutes=15)
"""Longer than a loader and a roll-up that work take."""
_TIME_BITS: Final = 80


async def has_told(c: ReadConnection, scope: Scope) -> bool:
    """Whether any cluster of the tenant ever told flows, if only that nothing passed."""
    return bool(await c.scalar(select(exists().where(owned(scope, coverage)))))


async def is_behind(c: ReadConnection, scope: Scope, since_s: int) -> bool:
    """Whether something of the hours since then waits for longer than PATIENCE to be loaded or made edges of."""
    stale = (hours.c.rolled_raw.is_distinct_from(hours.c.raw_version), hours.c.hour >= since_s)
    late = or_(hours.c.rolled_at.is_(None), hours.c.rolled_at < func.now() - PATIENCE)
    if await c.scalar(select(exists().where(owned(scope, hours), *stale, late))):
        return True
    now_s = float(await c.scalar(select(func.extract("epoch", func.now()))))
    for table in inboxes:
        oldest = await c.scalar(select(table.c.id).where(owned(scope, table)).order_by(table.c.id).limit(1))
        # Its id says when it was taken: rows that are loaded go within minutes.
        if oldest is not None and (oldest.int >> _TIME_BITS) / 1_000 < now_s - PATIENCE.total_seconds():
            return True
    return False
