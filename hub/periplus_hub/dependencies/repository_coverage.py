"""SQL of what clusters told of flows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import CTE, BigInteger, ColumnElement, Row, Table, Text, and_, case, cast, func, select, text, union_all
from sqlalchemy.dialects.postgresql import BIT

from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope, owned
from periplus_hub.dependencies.edge_columns import hour_of
from periplus_hub.dependencies.model import GRACE_S, LATE_S, RECENT_S, ClusterCoverage, Coverage
from periplus_hub.dependencies.repository_coverage_days import NOTHING, ToldDays, stale_since, told_of_days
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.flows.model import DAY_S, HOUR_S, LOOK_BACK_S, MINUTE_S, MINUTES_OF_HOUR
from periplus_hub.flows.repository_progress import waiting_hours
from periplus_hub.flows.tables import coverage, day_coverage, node_coverage
from periplus_hub.ingest.tables import outcomes
from periplus_hub.inventory.tables import nodes
from periplus_hub.kit.db import ReadConnection

_NONE: Final[Mapping[str, int]] = {}


async def coverages(
    c: ReadConnection, scope: Scope, times: Sequence[tuple[datetime, datetime, int]], now: datetime
) -> dict[tuple[datetime, datetime, int], Coverage]:
    """The same of each time (since, until, `days_until`) of an operation; most of its fields ask about one."""
    return {each: await coverage_between(c, scope, *each[:2], now, days_until=each[2]) for each in times}


async def coverage_between(
    c: ReadConnection, scope: Scope, since: datetime, until: datetime, now: datetime, *, days_until: int = 0
) -> Coverage:
    """Of every active cluster, what it told of flows in the hours of the time, which answers are made of whole.

    What is not over yet counts in whole minutes. Before `days_until` whole days are asked for.
    """
    first = hour_of(since)
    last = min(hour_of(until) + HOUR_S, int(now.timestamp()) - GRACE_S)
    rows = await c.rows(_told(scope, first, last))
    by_node = {row.registration_id: row for row in await c.rows(_told_by_nodes(scope, first, last))}
    lost = await _lost(c, scope, first, last)
    booked = await _booked(c, scope, first, last)
    waiting = [int(row.hour) for row in await c.rows(waiting_hours(scope, first - LOOK_BACK_S, last))]
    of_days: dict[UUID, ToldDays] = {}
    if first - LOOK_BACK_S < days_until:
        of_days = await told_of_days(c, scope, first, last)
        stale = await stale_since(c, scope, first, last)
        waiting += [] if stale is None else [stale]
    told = (_Told(row, by_node.get(row.id), lost.get(row.id, {}), of_days.get(row.id, NOTHING)) for row in rows)
    clusters = tuple(_cluster(each, first, last, int(since.timestamp())) for each in told)
    return Coverage(
        clusters=clusters,
        collected=booked["collected"],
        settled=booked["settled"],
        rejected=sum(each.rejected for each in clusters),
        dropped=await _dropped(c, scope, first, last),
        waiting_since=min((each for each in waiting if each >= first), default=None),
        waits_lately=max(waiting, default=0) > last - RECENT_S,
        days_until=days_until if first < days_until else None,
        now=now,
    )


def _told(scope: Scope, first: int, last: int) -> Any:  # noqa: ANN401 - a Select, generic in its columns
    table = coverage
    within = table.c.hour >= first
    minutes = _minutes_until(table, last)
    mine = and_(table.c.tenant_id == registrations.c.tenant_id, table.c.registration_id == registrations.c.id)
    looked_at = and_(mine, table.c.hour >= first - LOOK_BACK_S, table.c.hour < last)
    return (
        select(
            registrations.c.id,
            func.extract("epoch", registrations.c.approved_at).cast(BigInteger).label("approved_at"),
            func.sum(case((within, minutes), else_=0)).label("minutes"),
            func.min(table.c.hour).label("told_from"),
            func.min(_first_minute(table)).label("told_since"),
            func.max(table.c.last_window).label("told_until"),
            func.max(case((within, table.c.sampling))).label("sampling"),
            func.sum(case((within, table.c.rows), else_=0)).label("rows"),
            func.sum(case((within, table.c.rejected), else_=0)).label("rejected"),
            func.sum(case((within, table.c.observed), else_=0)).label("observed"),
            func.sum(case((within, table.c.unmeasured), else_=0)).label("unmeasured"),
            func.sum(case((within, table.c.other_rows), else_=0)).label("other_rows"),
            func.sum(case((within, table.c.nodes * MINUTES_OF_HOUR), else_=0)).label("folded_expected"),
            func.sum(case((within, table.c.node_minutes), else_=0)).label("folded_told"),
        )
        .select_from(registrations)
        .outerjoin(table, looked_at)
        .where(owned(scope, registrations), registrations.c.state == State.ACTIVE.value)
        .group_by(registrations.c.id)
        .order_by(registrations.c.name)
    )


def _minutes_until(table: Table, last: int) -> ColumnElement[int]:
    """How many minutes an hour's row tells, of those that had to be told: what came early makes up for no gap."""
    over = (1 << last % HOUR_S // MINUTE_S) - 1
    counted = case((table.c.hour == last // HOUR_S * HOUR_S, table.c.minutes.op("&")(over)), else_=table.c.minutes)
    return func.bit_count(cast(counted, BIT(MINUTES_OF_HOUR)))


def _first_minute(table: Table) -> ColumnElement[int]:
    """Of an hour's row, the time of the first minute that it tells. The bits below the lowest one count to it."""
    minutes = table.c.minutes
    below = cast(minutes.op("&")(-minutes) - 1, BIT(MINUTES_OF_HOUR))
    return table.c.hour + func.bit_count(below) * MINUTE_S


def _told_by_nodes(scope: Scope, first: int, last: int) -> Any:  # noqa: ANN401 - as above
    """Of clusters with agents: the minutes that their nodes told and had to tell, and how many tell nothing of late.

    A node has to tell from when it was made; one that is gone, as long as it told: how long it was there is not kept.
    """
    told = _nodes_that_told(scope, first, last)
    here = _nodes_now(scope, first, told)
    same = and_(told.c.registration_id == here.c.registration_id, told.c.node == here.c.name)
    seen = func.coalesce(told.c.minutes, 0)
    to_tell = func.greatest(last - here.c.since, 0) / MINUTE_S
    is_here = here.c.name.is_not(None)
    is_silent = and_(is_here, here.c.since < last - LATE_S, func.coalesce(told.c.told_until, 0) < last - LATE_S)
    registration = func.coalesce(told.c.registration_id, here.c.registration_id)
    return (
        select(
            registration.label("registration_id"),
            func.sum(func.least(seen, case((is_here, to_tell), else_=seen))).label("told"),
            func.sum(case((is_here, to_tell), else_=seen)).label("expected"),
            func.count(here.c.name).label("nodes"),
            func.count().filter(is_silent).label("silent"),
        )
        .select_from(told.join(here, same, full=True))
        .group_by(registration)
    )


def _nodes_that_told(scope: Scope, first: int, last: int) -> CTE:
    table = node_coverage
    return (
        select(
            table.c.registration_id,
            table.c.node,
            func.max(table.c.last_window).label("told_until"),
            func.min(_first_minute(table)).label("told_since"),
            func.sum(case((table.c.hour >= first, _minutes_until(table, last)), else_=0)).label("minutes"),
        )
        .where(owned(scope, table), table.c.hour >= first - LOOK_BACK_S, table.c.hour < last)
        .group_by(table.c.registration_id, table.c.node)
        .cte("told")
    )


def _nodes_now(scope: Scope, first: int, told: CTE) -> CTE:
    """Of clusters that told, with the time from which each has to tell: hours whose nodes are folded count there."""
    of_hours = select(coverage.c.registration_id, (coverage.c.hour + HOUR_S).label("until"))
    of_days = select(day_coverage.c.registration_id, (day_coverage.c.day_start + DAY_S).label("until"))
    each = union_all(
        of_hours.where(owned(scope, coverage), coverage.c.nodes > 0),
        of_days.where(owned(scope, day_coverage), day_coverage.c.node_minutes_expected > 0),
    ).subquery("each_folded")
    folded = select(each.c.registration_id, func.max(each.c.until).label("until")).group_by(each.c.registration_id)
    folded_until = folded.cte("folded")
    begun = select(told.c.registration_id, func.min(told.c.told_since).label("at")).group_by(told.c.registration_id)
    begun_at = begun.cte("begun")
    made_at, approved_at = (
        func.coalesce(func.extract("epoch", column).cast(BigInteger), 0)
        for column in (nodes.c.created_at, registrations.c.approved_at)
    )
    # What a cluster told of the time before its approval is among what is known, so that time has to be told, too.
    from_then = func.least(approved_at, begun_at.c.at)
    since = func.greatest(made_at, from_then, first, func.coalesce(folded_until.c.until, 0))
    return (
        select(nodes.c.registration_id, nodes.c.name, since.label("since"))
        .join_from(nodes, registrations, registrations.c.id == nodes.c.registration_id)
        .join(begun_at, begun_at.c.registration_id == nodes.c.registration_id)
        .outerjoin(folded_until, folded_until.c.registration_id == nodes.c.registration_id)
        .where(owned(scope, nodes), owned(scope, registrations))
        .cte("here")
    )


async def _lost(c: ReadConnection, scope: Scope, first: int, last: int) -> dict[UUID, dict[str, int]]:
    """What sources say they did not see, by cluster and reason."""
    each = func.json_each_text(coverage.c.lost).table_valued("key", "value")
    is_any = cast(coverage.c.lost, Text) != "{}"
    mine = (owned(scope, coverage), coverage.c.hour >= first, coverage.c.hour < last, is_any)
    counted = (
        select(coverage.c.registration_id, each.c.key, func.sum(cast(each.c.value, BigInteger)).label("times"))
        .select_from(coverage)
        .join(each, text("true"))
        .where(*mine)
        .group_by(coverage.c.registration_id, each.c.key)
    )
    found: dict[UUID, dict[str, int]] = {}
    for row in await c.rows(counted):
        found.setdefault(row.registration_id, {})[row.key] = int(row.times)
    return found


class _Told(NamedTuple):
    """What is known of one cluster: of its hours, of its nodes, what it did not see, of days kept without hours."""

    row: Row[Any]
    by_node: Row[Any] | None
    lost: Mapping[str, int]
    days: ToldDays


def _cluster(told: _Told, first: int, last: int, since: int) -> ClusterCoverage:
    row, by_node, days = told.row, told.by_node, told.days
    told_since = min((int(each) for each in (row.told_since, days.told_since) if each is not None), default=since)
    # What it told of the time before its approval is among what is known, so that time had to be told, too.
    begun = [int(each) for each in (row.approved_at, row.told_since, days.told_since) if each is not None]
    begins = max(first, min(begun, default=first))
    # Of a time whose nodes are folded only they count; the others of that time are among them.
    folded = int(row.folded_expected or 0) + days.node_minutes_expected
    node_told = int(row.folded_told or 0) + days.node_minutes + (0 if by_node is None else int(by_node.told))
    node_expected = folded + (0 if by_node is None else max(0, int(by_node.expected)))
    return ClusterCoverage(
        registration_id=row.id,
        minutes_told=days.minutes + (int(row.minutes or 0) if row.told_from is not None else 0),
        minutes_expected=max(0, last - begins) // MINUTE_S,
        told_from=min((each for each in (row.told_from, days.told_from) if each is not None), default=None),
        told_until=max((each for each in (row.told_until, days.told_until) if each is not None), default=None),
        sampling=max(row.sampling or 1, days.sampling),
        rows=int(row.rows or 0) + days.rows,
        rejected=int(row.rejected or 0) + days.rejected,
        begun_later=told_since if told_since > since else None,
        observed=int(row.observed or 0) + days.observed,
        unmeasured=int(row.unmeasured or 0) + days.unmeasured,
        other_rows=int(row.other_rows or 0) + days.other_rows,
        lost=Counter(told.lost) + Counter(days.lost) if told.lost or days.lost else _NONE,
        node_minutes_told=node_told,
        node_minutes_expected=node_expected,
        nodes=0 if by_node is None else by_node.nodes,
        nodes_silent=0 if by_node is None else by_node.silent,
    )


async def _booked(c: ReadConnection, scope: Scope, first: int, last: int) -> dict[str, int]:
    sums = [func.coalesce(func.sum(outcomes.c[name]), 0).label(name) for name in ("collected", "settled")]
    row = await c.one_or_none(select(*sums).where(*_of_flows(scope, first, last)))
    return {"collected": 0, "settled": 0} if row is None else {name: int(value) for name, value in row._mapping.items()}


async def _dropped(c: ReadConnection, scope: Scope, first: int, last: int) -> dict[str, int]:
    each = func.json_each_text(outcomes.c.dropped).table_valued("key", "value")
    rows_lost = func.sum(cast(each.c.value, BigInteger)).label("lost")
    statement = select(each.c.key, rows_lost).select_from(outcomes).join(each, text("true"))
    rows = await c.rows(statement.where(*_of_flows(scope, first, last)).group_by(each.c.key))
    return {row.key: int(row.lost) for row in rows if row.lost}


def _of_flows(scope: Scope, first: int, last: int) -> list[Any]:
    hours = (outcomes.c.hour_start >= first, outcomes.c.hour_start < last)
    return [owned(scope, outcomes), outcomes.c.kind == Kind.FLOWS.value, *hours]
