"""SQL of whether the flow store has what was told."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, CompoundSelect, Select, Table, and_, cast, exists, func, or_, select, union

from periplus_hub.access.scope import Scope, owned
from periplus_hub.flows.model import HOUR_S
from periplus_hub.flows.repository_blocks import LOADED
from periplus_hub.flows.tables import blocks, coverage, day_coverage, hours, inboxes
from periplus_hub.kit.db import ReadConnection

PATIENCE: Final = timedelta(minutes=15)
"""Longer than a loader and a roll-up that work take."""
USUAL_PAUSE: Final = timedelta(minutes=5)
"""Between two roll-ups of an hour that goes on; as long the newest rows may not be among edges."""
_TIME_BITS: Final = 80


async def has_told(c: ReadConnection, scope: Scope) -> bool:
    """Whether any cluster of the tenant ever told flows, if only that nothing passed."""
    return bool(await c.scalar(select(or_(*(exists().where(owned(scope, each)) for each in (coverage, day_coverage))))))


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


def waiting_hours(scope: Scope, first_s: int, last_s: int) -> CompoundSelect[Any]:
    """Hours from that of `first_s` to `last_s` with accepted rows that their edges are not made of, as `hour`.

    They wait for the flow store or for the roll-up, came when older rows of the hour were deleted, or the store lost
    them or the edges. What waits as
    short as is usual in an hour that goes on does not count, nor do rows of the last minutes, as some always wait.
    """
    settled_s = last_s - int(USUAL_PAUSE.total_seconds())
    is_usual = or_(hours.c.rolled_at > func.now() - USUAL_PAUSE, hours.c.hour > settled_s)
    pausing = and_(hours.c.hour > last_s - 2 * HOUR_S, is_usual)
    stale = hours.c.rolled_raw.is_distinct_from(hours.c.raw_version) & ~func.coalesce(pausing, False)
    within = (hours.c.hour >= first_s // HOUR_S * HOUR_S, hours.c.hour < last_s)
    rolled_before = select(hours.c.hour).where(owned(scope, hours), or_(stale, hours.c.edges_lost), *within)
    return union(rolled_before, *(_hours_of_inbox(scope, table, first_s, settled_s) for table in inboxes))


def _hours_of_inbox(scope: Scope, table: Table, first_s: int, last_s: int) -> Select[Any]:
    """Of rows that the flow store does not have."""
    is_held = (owned(scope, blocks), func.cardinality(blocks.c.members) > 0, blocks.c.state == LOADED)
    loaded = select(func.unnest(blocks.c.members)).where(*is_held)
    within = (table.c.last_window >= first_s, table.c.first_window < last_s)
    first = func.greatest(table.c.first_window, first_s, type_=BigInteger)
    last = func.least(table.c.last_window, last_s - 1, type_=BigInteger)
    # Each hour of a batch may have some: hardly any batch has more than two.
    hour = func.generate_series(first - first % HOUR_S, last, cast(HOUR_S, BigInteger))
    return select(cast(hour, BigInteger).label("hour")).where(owned(scope, table), table.c.id.not_in(loaded), *within)
