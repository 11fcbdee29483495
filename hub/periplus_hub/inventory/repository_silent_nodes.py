"""Nodes that tell nothing of themselves although agents tell of others of their cluster."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import exists, func, or_, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import agents, registrations
from periplus_hub.inventory.tables import nodes
from periplus_hub.kit.db import ReadConnection

SILENT_FOR: Final = timedelta(minutes=15)
"""So long may a node that comes, or an agent that starts again, take."""


async def silent_nodes(c: ReadConnection, scope: Scope, now: datetime) -> dict[UUID, str]:
    """Of active clusters that have agents, one node that is ready and older, and of which no agent was heard lately."""
    since = now - SILENT_FOR
    of_cluster = (
        owned(scope, agents),
        agents.c.registration_id == nodes.c.registration_id,
        agents.c.ended_at.is_(None),
    )
    has_agents = exists().where(*of_cluster)
    is_heard = exists().where(*of_cluster, agents.c.node_name == nodes.c.name, agents.c.heard_at >= since)
    statement = (
        select(nodes.c.registration_id, func.min(nodes.c.name).label("name"))
        .join_from(nodes, registrations, registrations.c.id == nodes.c.registration_id)
        .where(owned(scope, nodes), owned(scope, registrations), registrations.c.state == State.ACTIVE.value)
        .where(nodes.c.ready, or_(nodes.c.created_at.is_(None), nodes.c.created_at < since), has_agents, ~is_heard)
        .group_by(nodes.c.registration_id)
    )
    return {row.registration_id: row.name for row in await c.rows(statement)}
