"""SQL of what clusters told of flows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Table,
    Text,
    case,
    cast,
    func,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import BIT

from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope, owned
from periplus_hub.dependencies.edge_columns import hour_of
from periplus_hub.dependencies.model import GRACE_S, RECENT_S, ClusterCoverage, Coverage
from periplus_hub.dependencies.repository_coverage_days import NOTHING, ToldDays, stale_since, told_of_days
from periplus_hub.dependencies.repository_coverage_nodes import told_by_nodes
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.flows.model import HOUR_S, LOOK_BACK_S, MINUTE_S, MINUTES_OF_HOUR
from periplus_hub.flows.repository_progress import waiting_hours
from periplus_hub.flows.tables import coverage
from periplus_hub.ingest.tables import outcomes
from periplus_hub.kit.db import ReadConnection

_NONE: Final[Mapping[str, int]] = {}
_SUMS: Final = ("rows", "rejected", "observed", "unmeasured", "other_rows", "other_hosts", "nodes", "node_minutes")


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
    by_node = {row.registration_id: row for row in await c.rows(told_by_nodes(scope, first, last))}
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
    parts = (_within(scope, first, last), _earliest(scope, first, last), _latest(scope, first, last))
    statement = select(
        registrations.c.id,
        func.extract("epoch", registrations.c.approved_at).cast(BigInteger).label("approved_at"),
        *(column for part in parts for column in part.c),
    ).select_from(registrations)
    for part in parts:
        statement = statement.outerjoin(part, true())
    mine = (owned(scope, registrations), registrations.c.state == State.ACTIVE.value)
    return statement.where(*mine).order_by(registrations.c.name)


def _within(scope: Scope, first: int, last: int) -> FromClause:
    """The sums of a cluster's hours of the asked time."""
    sums = {"minutes": _minutes_until(coverage, last), **{name: coverage.c[name] for name in _SUMS}}
    # PostgreSQL's sum of integers is a decimal, which takes long to read.
    columns = (func.coalesce(func.sum(each), 0).cast(BigInteger).label(name) for name, each in sums.items())
    sampling = func.max(coverage.c.sampling).label("sampling")
    return _of_cluster(scope, first, last, sampling, *columns).lateral("within")


def _earliest(scope: Scope, first: int, last: int) -> FromClause:
    """The first hour that a cluster told, in the asked time or the week before: one row of an index, not a week."""
    columns = (coverage.c.hour.label("told_from"), _first_minute(coverage).label("told_since"))
    told = _of_cluster(scope, first - LOOK_BACK_S, last, *columns)
    return told.order_by(coverage.c.hour).limit(1).lateral("earliest")


def _latest(scope: Scope, first: int, last: int) -> FromClause:
    """The end of the last window that it told. A long one of the hour before may end later than the hour's own."""
    told = _of_cluster(scope, first - LOOK_BACK_S, last, coverage.c.last_window)
    two = told.order_by(coverage.c.hour.desc()).limit(2).subquery()
    return select(func.max(two.c.last_window).label("told_until")).lateral("latest")


def _of_cluster(scope: Scope, first: int, last: int, *columns: ColumnElement[int]) -> Select[*tuple[Any, ...]]:
    """Of the hours between, told by the cluster of the statement around this one."""
    mine = (coverage.c.tenant_id == registrations.c.tenant_id, coverage.c.registration_id == registrations.c.id)
    between = (coverage.c.hour >= first, coverage.c.hour < last)
    return select(*columns).where(owned(scope, coverage), *mine, *between).correlate(registrations)


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
    told_since = _least(row.told_since, days.told_since)
    # What it told of the time before its approval is among what is known, so that time had to be told, too.
    begun = _least(row.approved_at, told_since)
    begins = first if begun is None else max(first, begun)
    # Of a time whose nodes are folded only they count; the others of that time are among them.
    folded = row.nodes * MINUTES_OF_HOUR + days.node_minutes_expected
    node_told = row.node_minutes + days.node_minutes + (0 if by_node is None else by_node.told)
    node_expected = folded + (0 if by_node is None else max(0, by_node.expected))
    return ClusterCoverage(
        registration_id=row.id,
        minutes_told=days.minutes + row.minutes,
        minutes_expected=max(0, last - begins) // MINUTE_S,
        told_from=_least(row.told_from, days.told_from),
        told_until=row.told_until if days.told_until is None else max(row.told_until or 0, days.told_until),
        sampling=max(row.sampling or 1, days.sampling),
        rows=row.rows + days.rows,
        rejected=row.rejected + days.rejected,
        begun_later=told_since if told_since is not None and told_since > since else None,
        observed=row.observed + days.observed,
        unmeasured=row.unmeasured + days.unmeasured,
        other_rows=row.other_rows + days.other_rows,
        other_hosts=row.other_hosts + days.other_hosts,
        lost=Counter(told.lost) + Counter(days.lost) if told.lost or days.lost else _NONE,
        node_minutes_told=node_told,
        node_minutes_expected=node_expected,
        nodes=0 if by_node is None else by_node.nodes,
        nodes_silent=0 if by_node is None else by_node.silent,
    )


def _least(one: int | None, other: int | None) -> int | None:
    """Of what is known."""
    return other if one is None else one if other is None else min(one, other)


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
