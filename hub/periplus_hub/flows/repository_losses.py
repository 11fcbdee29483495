"""SQL of rows that were settled and that the flow store does not have any more."""

from collections.abc import Collection, Mapping

from sqlalchemy import and_, case, func, or_, select, update

from periplus_hub.access.scope import Scope, owned
from periplus_hub.flows.repository_blocks import LOADED
from periplus_hub.flows.tables import blocks, hours
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection


async def rows_by_day(c: ReadConnection, scope: Scope, since_s: int) -> dict[int, int]:
    """How many rows of each UTC day, in days since 1970, the store was counted to have."""
    loaded = (owned(scope, blocks), blocks.c.state == LOADED, blocks.c.first_window >= since_s)
    statement = select(blocks.c.day, func.sum(blocks.c.rows).label("rows")).where(*loaded).group_by(blocks.c.day)
    return {int(row.day): int(row.rows) for row in await c.rows(statement)}


async def mark_raw(c: WriteConnection, scope: Scope, since_s: int, lost: Collection[int]) -> int:
    """These hours, and no others since then, lack raw rows; how many of them were not known to.

    Hours of which all rows are there again are made anew.
    """
    is_lost = one_of(hours.c.hour, lost)
    changed = (hours.c.hour >= since_s, hours.c.raw_lost.is_distinct_from(is_lost))
    statement = (
        update(hours)
        .where(owned(scope, hours), *changed)
        .values(raw_lost=is_lost, rolled_raw=case((is_lost, hours.c.rolled_raw), else_=None))
    )
    return sum(row.raw_lost for row in await c.rows(statement.returning(hours.c.raw_lost)))


async def mark_edges(c: WriteConnection, scope: Scope, since_s: int, stored: Mapping[int, int]) -> tuple[int, int]:
    """Hours of which the store has fewer edges than were made: how many are made again, and how many cannot be.

    Since `since_s` all raw rows are kept, but for those of hours that lack some.
    """
    known = select(hours.c.hour, hours.c.edges).where(owned(scope, hours), hours.c.edges.is_not(None))
    short = [row.hour for row in await c.rows(known) if stored.get(row.hour, 0) < row.edges]
    can_be = and_(hours.c.hour >= since_s, ~hours.c.raw_lost)
    again = update(hours).where(owned(scope, hours), one_of(hours.c.hour, short), hours.c.rolled_raw.is_not(None))
    made = await c.rows(again.where(hours.c.hour >= since_s).values(rolled_raw=None).returning(hours.c.hour))
    is_lost = or_(and_(one_of(hours.c.hour, short), ~can_be), and_(hours.c.edges_lost, hours.c.raw_lost))
    marked = update(hours).where(owned(scope, hours), hours.c.edges_lost.is_distinct_from(is_lost))
    lost = await c.rows(marked.values(edges_lost=is_lost, made=hours.c.made + 1).returning(hours.c.edges_lost))
    return len(made), sum(row.edges_lost for row in lost)
