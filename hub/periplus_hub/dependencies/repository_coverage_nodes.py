"""SQL of what agents of nodes told of flows: each sees its own node, so that each node counts."""

from typing import Any

from sqlalchemy import CTE, BigInteger, and_, case, func, select, true, union_all

from periplus_hub.access.scope import Scope, owned
from periplus_hub.dependencies.model import LATE_S
from periplus_hub.fleet.tables import registrations
from periplus_hub.flows.model import DAY_S, HOUR_S, LOOK_BACK_S, MINUTE_S, day_of
from periplus_hub.flows.tables import coverage, day_coverage, node_coverage
from periplus_hub.flows.tables_node_minutes import first_told, minutes_told
from periplus_hub.inventory.tables import nodes


def told_by_nodes(scope: Scope, first: int, last: int) -> Any:  # noqa: ANN401 - a Select, generic in its columns
    """Of clusters with agents: the minutes that their nodes told and had to tell, and how many tell nothing of late.

    A node has to tell from when it was made; one that is gone, as long as it told: how long it was there is not kept.
    """
    told = _nodes_that_told(scope, first, last)
    here = _nodes_now(scope, first, last, told)
    same = and_(told.c.registration_id == here.c.registration_id, told.c.node == here.c.name)
    seen = func.coalesce(told.c.minutes, 0)
    to_tell = func.greatest(last - here.c.since, 0) // MINUTE_S
    is_here = here.c.name.is_not(None)
    is_silent = and_(is_here, here.c.since < last - LATE_S, func.coalesce(told.c.lately, 0) == 0)
    registration = func.coalesce(told.c.registration_id, here.c.registration_id)
    return (
        select(
            registration.label("registration_id"),
            func.sum(func.least(seen, case((is_here, to_tell), else_=seen))).cast(BigInteger).label("told"),
            func.sum(case((is_here, to_tell), else_=seen)).cast(BigInteger).label("expected"),
            func.count(here.c.name).label("nodes"),
            func.count().filter(is_silent).label("silent"),
        )
        .select_from(told.join(here, same, full=True))
        .group_by(registration)
    )


def _nodes_that_told(scope: Scope, first: int, last: int) -> CTE:
    """On the UTC days of the asked time and of what is of late."""
    table = node_coverage
    return (
        select(
            table.c.registration_id,
            table.c.node,
            func.min(first_told()).label("told_since"),
            func.sum(minutes_told(first, last)).label("minutes"),
            func.sum(minutes_told(last - LATE_S, last)).label("lately"),
        )
        .where(owned(scope, table), table.c.day_start >= day_of(min(first, last - LATE_S)), table.c.day_start < last)
        .group_by(table.c.registration_id, table.c.node)
        .cte("told")
    )


def _nodes_now(scope: Scope, first: int, last: int, told: CTE) -> CTE:
    """Of clusters that told, with the time from which each has to tell: hours whose nodes are folded count there."""
    begun, folded = _begun(scope, first, last, told), _folded(scope, first, last)
    made_at, approved_at = (
        func.coalesce(func.extract("epoch", column).cast(BigInteger), 0)
        for column in (nodes.c.created_at, registrations.c.approved_at)
    )
    # What a cluster told of the time before its approval is among what is known, so that time has to be told, too.
    from_then = func.least(approved_at, begun.c.at)
    since = func.greatest(made_at, from_then, first, func.coalesce(folded.c.until, 0))
    return (
        select(nodes.c.registration_id, nodes.c.name, since.label("since"))
        .join_from(nodes, registrations, registrations.c.id == nodes.c.registration_id)
        .join(begun, begun.c.registration_id == nodes.c.registration_id)
        .outerjoin(folded, folded.c.registration_id == nodes.c.registration_id)
        .where(owned(scope, nodes), owned(scope, registrations))
        .cte("here")
    )


def _begun(scope: Scope, first: int, last: int, told: CTE) -> CTE:
    """Since when agents of a cluster told, as far as it matters: of the week before, one row of an index is read."""
    day = node_coverage.c.day_start
    own = (
        node_coverage.c.tenant_id == registrations.c.tenant_id,
        node_coverage.c.registration_id == registrations.c.id,
    )
    before = (
        select(day)
        .where(owned(scope, node_coverage), *own, day >= day_of(first - LOOK_BACK_S), day < day_of(first))
        .order_by(day)
        .limit(1)
        .correlate(registrations)
        .lateral("before")
    )
    lately = select(told.c.registration_id, func.min(told.c.told_since).label("at")).group_by(told.c.registration_id)
    since = lately.subquery("since")
    at = func.coalesce(before.c.day_start, since.c.at)
    return (
        select(registrations.c.id.label("registration_id"), at.label("at"))
        .select_from(registrations)
        .outerjoin(before, true())
        .outerjoin(since, since.c.registration_id == registrations.c.id)
        .where(owned(scope, registrations), at < last)
        .cte("begun")
    )


def _folded(scope: Scope, first: int, last: int) -> CTE:
    """Up to when each cluster's nodes are folded, of the asked time."""
    hour, day = coverage.c.hour, day_coverage.c.day_start
    of_hours = select(coverage.c.registration_id, (hour + HOUR_S).label("until"))
    of_days = select(day_coverage.c.registration_id, (day + DAY_S).label("until"))
    each = union_all(
        of_hours.where(owned(scope, coverage), coverage.c.nodes > 0, hour >= first, hour < last),
        of_days.where(
            owned(scope, day_coverage), day_coverage.c.node_minutes_expected > 0, day >= day_of(first), day < last
        ),
    ).subquery("each_folded")
    folded = select(each.c.registration_id, func.max(each.c.until).label("until")).group_by(each.c.registration_id)
    return folded.cte("folded")
