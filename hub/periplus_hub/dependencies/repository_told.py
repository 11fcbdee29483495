"""SQL of what clusters told of each hour."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, func, or_, select, true

from periplus_hub.access.scope import Scope, owned
from periplus_hub.flows.repository_progress import waiting_hours
from periplus_hub.flows.tables import coverage, hours
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection


async def minutes_told(
    c: ReadConnection, scope: Scope, clusters: Sequence[UUID], first_s: int, until_s: int
) -> dict[int, int]:
    """Of each hour that any of these clusters told (of any at all, where none is named), a bit for each minute.

    Hours with rows that are not among the edges yet are missing: what passed then is not known here.
    """
    whose = one_of(coverage.c.registration_id, clusters) if clusters else true()
    waiting = waiting_hours(scope, first_s, until_s).subquery()
    is_whole = coverage.c.hour.not_in(select(waiting.c.hour))
    within = (coverage.c.hour >= first_s, coverage.c.hour < until_s, is_whole)
    same = and_(hours.c.tenant_id == coverage.c.tenant_id, hours.c.hour == coverage.c.hour)
    is_made = or_(coverage.c.rows == 0, hours.c.rolled_raw.is_not(None))
    statement = (
        select(coverage.c.hour, func.bit_or(coverage.c.minutes).label("minutes"))
        .outerjoin(hours, same)
        .where(owned(scope, coverage), whose, *within)
        .group_by(coverage.c.hour)
        .having(func.bool_and(is_made))
    )
    return {row.hour: row.minutes for row in await c.rows(statement)}
