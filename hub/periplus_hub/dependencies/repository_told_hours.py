"""SQL of which hours clusters told whole."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, and_, cast, func, select
from sqlalchemy.dialects.postgresql import BIT

from periplus_hub.access.scope import Scope, owned
from periplus_hub.dependencies.engine.told_hours import MOST_OF_AN_HOUR, ToldHour, whole
from periplus_hub.flows.model import HOUR_S, MINUTES_OF_HOUR, day_of
from periplus_hub.flows.tables import coverage, node_coverage
from periplus_hub.flows.tables_node_minutes import each_hour, minutes_told
from periplus_hub.inventory.tables import nodes
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection


async def told_hours(
    c: ReadConnection, scope: Scope, clusters: Sequence[UUID], since_s: int
) -> dict[UUID, frozenset[int]]:
    """Of each of these clusters the hours since then of which every node told most."""
    if not clusters:
        return {}
    made_at = await _nodes_made_at(c, scope, clusters)
    found: dict[UUID, list[ToldHour]] = {each: [] for each in clusters}
    for row in await c.rows(_told(scope, clusters, since_s)):
        counts = None if row.agents is None else (int(row.agents), int(row.full))
        found[row.registration_id].append(
            ToldHour(
                hour=row.hour,
                minutes=row.minutes,
                nodes=row.nodes,
                node_minutes=row.node_minutes,
                node_counts=counts,
                observed=row.observed,
                other_rows=row.other_rows,
                lost=row.lost,
            )
        )
    return {each: whole(hours, made_at.get(each, ())) for each, hours in found.items()}


def _told(scope: Scope, clusters: Sequence[UUID], since_s: int) -> Any:  # noqa: ANN401 - a Select, generic in its columns
    each, hour = each_hour()
    minutes = minutes_told(hour, hour + HOUR_S)
    agents = (
        select(
            node_coverage.c.registration_id,
            hour.label("hour"),
            func.count().filter(minutes > 0).label("agents"),
            func.count().filter(minutes >= MOST_OF_AN_HOUR).label("full"),
        )
        .select_from(each)
        .where(owned(scope, node_coverage), one_of(node_coverage.c.registration_id, clusters))
        .where(node_coverage.c.day_start >= day_of(since_s))
        .group_by(node_coverage.c.registration_id, hour)
        .having(func.sum(minutes) > 0)
        .cte("agents")
    )
    same = and_(agents.c.registration_id == coverage.c.registration_id, agents.c.hour == coverage.c.hour)
    return (
        select(
            coverage.c.registration_id,
            coverage.c.hour,
            func.bit_count(cast(coverage.c.minutes, BIT(MINUTES_OF_HOUR))).label("minutes"),
            coverage.c.nodes,
            coverage.c.node_minutes,
            coverage.c.observed,
            coverage.c.other_rows,
            coverage.c.lost,
            agents.c.agents,
            agents.c.full,
        )
        .select_from(coverage)
        .outerjoin(agents, same)
        .where(owned(scope, coverage), one_of(coverage.c.registration_id, clusters), coverage.c.hour >= since_s)
    )


async def _nodes_made_at(c: ReadConnection, scope: Scope, clusters: Sequence[UUID]) -> dict[UUID, list[int]]:
    """When the nodes of today were made, in order; one of which that is not known was always there."""
    made_at = func.coalesce(func.extract("epoch", nodes.c.created_at).cast(BigInteger), 0)
    mine = (owned(scope, nodes), one_of(nodes.c.registration_id, clusters))
    statement = select(nodes.c.registration_id, func.array_agg(made_at).label("made_at")).where(*mine)
    rows = await c.rows(statement.group_by(nodes.c.registration_id))
    return {row.registration_id: sorted(row.made_at) for row in rows}
