"""SQL of UTC days: which are to be made anew, and which alone are left because their hours are not kept."""

from typing import Final

from sqlalchemy import BigInteger, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_hub.access.scope import Scope, owned
from periplus_hub.flows.model import DAY_S, DaysAnswer, DirtyDay, day_of, spans_of
from periplus_hub.flows.repository_spans import usable_spans_in
from periplus_hub.flows.tables import coverage, day_coverage, days, hours
from periplus_hub.kit.db import ReadConnection, WriteConnection

_STALE: Final = days.c.made_version.is_distinct_from(days.c.version) & days.c.hours_kept
_BETWEEN: Final = (bindparam("day", type_=BigInteger), bindparam("end", type_=BigInteger))
_LEAVE_EDGES: Final = text(
    """
    INSERT INTO flow_days (tenant_id, day_start, version, made_version, hours_kept, stale_hours)
    SELECT tenant_id, :day, 0, 0, false, count(*) FILTER (WHERE rolled_raw IS DISTINCT FROM raw_version OR edges_lost)
    FROM flow_hours WHERE tenant_id = :tenant AND hour >= :day AND hour < :end GROUP BY tenant_id
    ON CONFLICT (tenant_id, day_start)
    DO UPDATE SET hours_kept = false, stale_hours = flow_days.stale_hours + excluded.stale_hours
    """
).bindparams(*_BETWEEN)
_LEAVE_COVERAGE: Final = text(
    """
    WITH told AS (
      SELECT c.*, bit_count(c.minutes::bit(60)) AS told,
        c.hour + 60 * bit_count(((c.minutes & -c.minutes) - 1)::bit(60)) AS first_minute,
        h.rolled_raw IS DISTINCT FROM h.raw_version OR h.edges_lost AS is_stale
      FROM flow_coverage c LEFT JOIN flow_hours h ON h.tenant_id = c.tenant_id AND h.hour = c.hour
      WHERE c.tenant_id = :tenant AND c.hour >= :day AND c.hour < :end),
    unseen AS (
      SELECT registration_id, json_object_agg(key, times) AS lost FROM (
        SELECT registration_id, key, sum(value::bigint) AS times
        FROM told, json_each_text(told.lost) GROUP BY registration_id, key) AS each
      GROUP BY registration_id)
    INSERT INTO flow_day_coverage (tenant_id, registration_id, day_start, hours, minutes, sampling, told_since,
      last_window, rows, rejected, observed, unmeasured, other_rows, other_hosts, node_minutes,
      node_minutes_expected, lost)
    SELECT t.tenant_id, t.registration_id, :day,
      bit_or(CASE WHEN t.is_stale THEN 0 ELSE 1 << ((t.hour - :day) / 3600)::int END), sum(t.told), max(t.sampling),
      min(t.first_minute), max(t.last_window), sum(t.rows), sum(t.rejected), sum(t.observed), sum(t.unmeasured),
      sum(t.other_rows), sum(t.other_hosts), sum(t.node_minutes), sum(t.nodes * 60),
      coalesce((array_agg(u.lost))[1], '{}')
    FROM told t LEFT JOIN unseen u ON u.registration_id = t.registration_id
    GROUP BY t.tenant_id, t.registration_id
    ON CONFLICT DO NOTHING
    """
).bindparams(*_BETWEEN)
"""What comes of a day after it was left is in no answer: it is not added to what was told."""


async def touch_day(c: WriteConnection, scope: Scope, hour: int) -> None:
    """The hour was made, so that its day has to be."""
    statement = upsert(days).values(tenant_id=scope.tenant_id, day_start=day_of(hour), version=1)
    again = {"version": days.c.version + 1}
    await c.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "day_start"], set_=again))


async def dirty_days(c: ReadConnection, scope: Scope, now_s: int) -> list[DirtyDay]:
    """Days that are over and whose edges are not those of their hours, oldest first."""
    over = days.c.day_start <= now_s - DAY_S
    statement = select(days.c.day_start, days.c.version).where(owned(scope, days), _STALE, over)
    rows = await c.rows(statement.order_by(days.c.day_start))
    return [DirtyDay(start=row.day_start, version=row.version) for row in rows]


async def note_made(c: WriteConnection, scope: Scope, day: DirtyDay) -> None:
    """The day's edges are made of this version."""
    mine = (owned(scope, days), days.c.day_start == day.start)
    await c.execute(update(days).where(*mine).values(made_version=day.version))


async def days_answer(c: ReadConnection, scope: Scope, now_s: int, hourly_days: int) -> DaysAnswer:
    """Up to when edges are asked of days, and which spans can be asked instead of their hours.

    Hours are deleted a day after they were asked for the last time, so that none goes while it is asked for.
    """
    gone, stale = (func.max(days.c.day_start).filter(~days.c.hours_kept), func.min(days.c.day_start).filter(_STALE))
    spans = usable_spans_in(scope).label("spans")
    statement = select(gone.label("gone"), stale.label("stale"), spans).where(owned(scope, days))
    row = await c.one_or_none(statement)
    left_until = 0 if row is None or row.gone is None else int(row.gone) + DAY_S
    made_until = day_of(now_s) if row is None or row.stale is None else min(int(row.stale), day_of(now_s))
    needed = max(left_until, min(day_of(now_s - hourly_days * DAY_S) + DAY_S, made_until))
    usable = () if row is None else spans_of(row.spans)
    return DaysAnswer(needed_until=needed, made_until=max(needed, made_until), spans=usable)


async def left_until(c: ReadConnection, scope: Scope) -> int:
    """The hours before this are left to their days, and can be deleted."""
    gone = await c.scalar(select(func.max(days.c.day_start)).where(owned(scope, days), ~days.c.hours_kept))
    return 0 if gone is None else int(gone) + DAY_S


async def leave_oldest(c: WriteConnection, scope: Scope, before_s: int) -> bool:
    """From now on the oldest day answers for its hours, if all of it is before then; False where there is none.

    A day that is not made of its hours as they are keeps them, and so do all days after it.
    """
    stale = await c.scalar(select(func.min(days.c.day_start)).where(owned(scope, days), _STALE))
    limit = day_of(before_s) if stale is None else min(day_of(before_s), int(stale))
    oldest = [await c.scalar(select(func.min(each.c.hour)).where(owned(scope, each))) for each in (hours, coverage)]
    day = min((day_of(int(each)) for each in oldest if each is not None), default=limit)
    if day >= limit:
        return False
    given = {"tenant": scope.tenant_id, "day": day, "end": day + DAY_S}
    await c.execute(_LEAVE_COVERAGE, given)
    await c.execute(_LEAVE_EDGES, given)
    for table in (hours, coverage):
        await c.execute(delete(table).where(owned(scope, table), table.c.hour >= day, table.c.hour < day + DAY_S))
    return True


async def forget_days(c: WriteConnection, scope: Scope, before_s: int) -> None:
    """The store has no days before then."""
    for table in (days, day_coverage):
        await c.execute(delete(table).where(owned(scope, table), table.c.day_start < day_of(before_s)))
