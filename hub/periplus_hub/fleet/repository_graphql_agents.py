"""Agents of nodes as GraphQL pages through them, and how many a cluster has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, false, func, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import CONNECTED_WITHIN, AgentEnd, Liveness
from periplus_hub.fleet.tables import agents
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.keyset import Listing, id_column, plain

_LIVE: Final = agents.c.ended_at.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFilter:
    """Conjunction of what is given. `now` decides liveness."""

    now: datetime
    includes_ended: bool = False
    liveness: Liveness | None = None


def _agents_of(scope: Scope, only: AgentFilter | None) -> Sequence[ColumnElement[bool]]:
    where = [owned(scope, agents)]
    if only is None:
        return where
    if not only.includes_ended:
        where.append(_LIVE)
    since = only.now - CONNECTED_WITHIN
    match only.liveness:
        case Liveness.CONNECTED:
            where.append(agents.c.heard_at >= since)
        case Liveness.STALE:
            where.append(agents.c.heard_at < since)
        case Liveness.NEVER:  # joining is speaking
            where.append(false())
    return where


AGENTS: Final = Listing[Scope](
    name="agents",
    source=agents,
    columns=[
        id_column("NodeAgent", agents.c.id),
        *plain(agents, "registration_id", "node_name", "join_token", "spoke_version", "contract", "joined_at"),
        *plain(agents, "clock_skew_ms", "queued_batches", "queued_bytes", "earlier", "ended_at", "ended_by"),
        agents.c.heard_at.label("last_seen_at"),
        agents.c.end_reason.label("end"),
    ],
    order=[agents.c.node_name, agents.c.id],
    where=_agents_of,
    parent=agents.c.registration_id,
)


async def agents_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """For loaders: those that exist, by id."""
    return await AGENTS.named(c, scope, agents.c.id, ids)


async def agent_counts(c: ReadConnection, scope: Scope, ids: Sequence[UUID], now: datetime) -> dict[UUID, Row[Any]]:
    """By registration that has any: how many agents there are, and how they are."""
    own, heard = agents.c.registration_id, agents.c.heard_at >= now - CONNECTED_WITHIN

    def counted(name: str, condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count().filter(condition).label(name)

    statement = select(
        own,
        counted("connected", _LIVE & heard),
        counted("stale", _LIVE & ~heard),
        counted("superseded", agents.c.end_reason == AgentEnd.SUPERSEDED.value),
        counted("revoked", agents.c.end_reason == AgentEnd.REVOKED.value),
        func.max(agents.c.heard_at).filter(_LIVE).label("last_seen_at"),
    )
    rows = await c.rows(statement.where(owned(scope, agents), one_of(own, ids)).group_by(own))
    return {row.registration_id: row for row in rows}
