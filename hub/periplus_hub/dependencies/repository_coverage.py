"""SQL of what clusters told of flows."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Row, and_, case, cast, func, select, text
from sqlalchemy.dialects.postgresql import BIT

from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope, owned
from periplus_hub.dependencies.model import GRACE_S, LOOK_BACK_S, ClusterCoverage, Coverage
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.flows.model import HOUR_S, MINUTE_S
from periplus_hub.flows.tables import coverage
from periplus_hub.ingest.tables import outcomes
from periplus_hub.kit.db import ReadConnection

_BITS: Final = 60


async def coverage_between(
    c: ReadConnection, scope: Scope, since: datetime, until: datetime, now: datetime
) -> Coverage:
    """Of every active cluster, what it told of flows in the time, counted in whole minutes from the hour of `since`."""
    first = int(since.timestamp()) // HOUR_S * HOUR_S
    last = min(int(until.timestamp()), int(now.timestamp()) - GRACE_S)
    rows = await c.rows(_told(scope, first, last))
    booked = await _booked(c, scope, first, last)
    return Coverage(
        clusters=tuple(_cluster(row, first, last) for row in rows),
        collected=booked["collected"],
        settled=booked["settled"],
        rejected=sum(row.rejected or 0 for row in rows),
        dropped=await _dropped(c, scope, first, last),
        now=now,
    )


def _told(scope: Scope, first: int, last: int) -> Any:  # noqa: ANN401 - a Select, generic in its columns
    table = coverage
    within = table.c.hour >= first
    minutes = func.bit_count(cast(table.c.minutes, BIT(_BITS)))
    mine = and_(table.c.tenant_id == registrations.c.tenant_id, table.c.registration_id == registrations.c.id)
    looked_at = and_(mine, table.c.hour >= first - LOOK_BACK_S, table.c.hour <= last)
    return (
        select(
            registrations.c.id,
            func.extract("epoch", registrations.c.approved_at).cast(BigInteger).label("approved_at"),
            func.sum(case((within, minutes), else_=0)).label("minutes"),
            func.min(table.c.hour).label("told_from"),
            func.max(table.c.last_window).label("told_until"),
            func.max(case((within, table.c.sampling))).label("sampling"),
            func.sum(case((within, table.c.rows), else_=0)).label("rows"),
            func.sum(case((within, table.c.rejected), else_=0)).label("rejected"),
        )
        .select_from(registrations)
        .outerjoin(table, looked_at)
        .where(owned(scope, registrations), registrations.c.state == State.ACTIVE.value)
        .group_by(registrations.c.id)
        .order_by(registrations.c.name)
    )


def _cluster(row: Row[Any], first: int, last: int) -> ClusterCoverage:
    begins = max(first, int(row.approved_at or first))
    return ClusterCoverage(
        registration_id=row.id,
        minutes_told=int(row.minutes or 0) if row.told_from is not None else 0,
        minutes_expected=max(0, last - begins) // MINUTE_S,
        told_from=row.told_from,
        told_until=row.told_until,
        sampling=row.sampling or 1,
        rows=int(row.rows or 0),
        rejected=int(row.rejected or 0),
    )


async def _booked(c: ReadConnection, scope: Scope, first: int, last: int) -> dict[str, int]:
    sums = [func.coalesce(func.sum(outcomes.c[name]), 0).label(name) for name in ("collected", "settled")]
    row = await c.one_or_none(select(*sums).where(*_of_flows(scope, first, last)))
    return {"collected": 0, "settled": 0} if row is None else {name: int(value) for name, value in row._mapping.items()}  # noqa: SLF001 - public name


async def _dropped(c: ReadConnection, scope: Scope, first: int, last: int) -> dict[str, int]:
    each = func.json_each_text(outcomes.c.dropped).table_valued("key", "value")
    rows_lost = func.sum(cast(each.c.value, BigInteger)).label("lost")
    statement = select(each.c.key, rows_lost).select_from(outcomes).join(each, text("true"))
    rows = await c.rows(statement.where(*_of_flows(scope, first, last)).group_by(each.c.key))
    return {row.key: int(row.lost) for row in rows if row.lost}


def _of_flows(scope: Scope, first: int, last: int) -> list[Any]:
    hours = (outcomes.c.hour_start >= first, outcomes.c.hour_start <= last)
    return [owned(scope, outcomes), outcomes.c.kind == Kind.FLOWS.value, *hours]
