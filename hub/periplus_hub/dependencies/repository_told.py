"""SQL of what clusters told of each hour."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, func, or_, select, true

from periplus_hub.access.scope import Scope, owned
from periplus_hub.flows.repository_progress import waiting_hours
from periplus_hub.flows.tables import coverage, day_coverage, hours
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection


async def hours_told(
    c: ReadConnection, scope: Scope, clusters: Sequence[UUID], first_s: int, until_s: int
) -> frozenset[int]:
    """The hours that any of these clusters told (any at all, where none is named).

    Hours with rows that are not among the edges yet are missing: what passed then is not known here.
    """
    whose = one_of(coverage.c.registration_id, clusters) if clusters else true()
    waiting = waiting_hours(scope, first_s, until_s).subquery()
    is_whole = coverage.c.hour.not_in(select(waiting.c.hour))
    within = (coverage.c.hour >= first_s, coverage.c.hour < until_s, is_whole)
    same = and_(hours.c.tenant_id == coverage.c.tenant_id, hours.c.hour == coverage.c.hour)
    is_made = or_(coverage.c.rows == 0, hours.c.rolled_raw.is_not(None))
    statement = (
        select(coverage.c.hour)
        .outerjoin(hours, same)
        .where(owned(scope, coverage), whose, *within)
        .group_by(coverage.c.hour)
        .having(func.bool_and(is_made))
    )
    return frozenset(row.hour for row in await c.rows(statement))


async def hours_of_days_told(
    c: ReadConnection, scope: Scope, clusters: Sequence[UUID], first_s: int, until_s: int
) -> dict[int, int]:
    """Of days whose hours are not kept one by one, a bit for each hour that any of these clusters told."""
    table = day_coverage
    whose = one_of(table.c.registration_id, clusters) if clusters else true()
    within = (table.c.day_start >= first_s, table.c.day_start < until_s)
    statement = select(table.c.day_start, func.bit_or(table.c.hours).label("hours"))
    rows = await c.rows(statement.where(owned(scope, table), whose, *within).group_by(table.c.day_start))
    return {row.day_start: row.hours for row in rows}
