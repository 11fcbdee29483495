"""SQL of what clusters told of days whose hours are not kept one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import BigInteger, cast, func, select, text

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.flows.model import HOUR_S, LOOK_BACK_S, day_of
from periplus_hub.flows.tables import day_coverage, days
from periplus_hub.kit.db import ReadConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldDays:
    """What one cluster told of such days: sums of the asked time, and when it told, also in the week before."""

    told_from: int | None = None
    told_since: int | None = None
    told_until: int | None = None
    sampling: int = 1
    minutes: int = 0
    rows: int = 0
    rejected: int = 0
    observed: int = 0
    unmeasured: int = 0
    other_rows: int = 0
    other_hosts: int = 0
    node_minutes: int = 0
    node_minutes_expected: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)


NOTHING = ToldDays()
_SUMS = (
    "minutes",
    "rows",
    "rejected",
    "observed",
    "unmeasured",
    "other_rows",
    "other_hosts",
    "node_minutes",
    "node_minutes_expected",
)


async def told_of_days(c: ReadConnection, scope: Scope, first: int, last: int) -> dict[UUID, ToldDays]:
    """By active cluster."""
    table = day_coverage
    within = table.c.day_start >= first
    sums = (func.coalesce(func.sum(table.c[name]).filter(within), 0).label(name) for name in _SUMS)
    mine = (table.c.tenant_id == registrations.c.tenant_id) & (table.c.registration_id == registrations.c.id)
    looked_at = mine & (table.c.day_start >= day_of(first - LOOK_BACK_S)) & (table.c.day_start < last)
    statement = (
        select(
            table.c.registration_id,
            func.min(table.c.told_since).label("told_since"),
            func.max(table.c.last_window).label("told_until"),
            func.coalesce(func.max(table.c.sampling).filter(within), 1).label("sampling"),
            *sums,
        )
        .join_from(registrations, table, looked_at)
        .where(owned(scope, registrations), registrations.c.state == State.ACTIVE.value)
        .group_by(table.c.registration_id)
    )
    lost = await _lost(c, scope, first, last)
    return {
        row.registration_id: ToldDays(
            told_from=int(row.told_since) // HOUR_S * HOUR_S,
            told_since=int(row.told_since),
            told_until=int(row.told_until),
            sampling=row.sampling,
            **{name: int(getattr(row, name)) for name in _SUMS},
            lost=lost.get(row.registration_id, {}),
        )
        for row in await c.rows(statement)
    }


async def stale_since(c: ReadConnection, scope: Scope, first: int, last: int) -> int | None:
    """The first such day with rows that are in no edge; None where there is none."""
    within = (days.c.day_start >= first, days.c.day_start < last, days.c.stale_hours > 0)
    found = await c.scalar(select(func.min(days.c.day_start)).where(owned(scope, days), *within))
    return None if found is None else int(found)


async def _lost(c: ReadConnection, scope: Scope, first: int, last: int) -> dict[UUID, dict[str, int]]:
    table = day_coverage
    each = func.json_each_text(table.c.lost).table_valued("key", "value")
    mine = (owned(scope, table), table.c.day_start >= first, table.c.day_start < last)
    counted = (
        select(table.c.registration_id, each.c.key, func.sum(cast(each.c.value, BigInteger)).label("times"))
        .select_from(table)
        .join(each, text("true"))
        .where(*mine)
        .group_by(table.c.registration_id, each.c.key)
    )
    found: dict[UUID, dict[str, int]] = {}
    for row in await c.rows(counted):
        found.setdefault(row.registration_id, {})[row.key] = int(row.times)
    return found
