"""SQL of the agents of nodes: how they join, are heard, and end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Row, Text, Update, Uuid, bindparam, case, delete, func, insert, or_, select, update

from periplus_hub.access.scope import Scope, owned, system_scope
from periplus_hub.fleet.model import CONNECTED_WITHIN, AgentEnd, Liveness, SpokePrincipal, State
from periplus_hub.fleet.repository_liveness import Contact, record_contact
from periplus_hub.fleet.tables import agents, credentials, registrations
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.tables import UTC_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgent:
    """What enrolment writes."""

    id: UUID
    registration_id: UUID
    node_name: str
    public_key: str
    join_token: str
    spoke_version: str
    contract: str
    joined_at: datetime
    heard_at: datetime
    earlier: int


async def lock_agents_of(c: WriteConnection, scope: Scope, registration_id: UUID) -> None:
    """Until the end of the transaction no other agent of this cluster joins or is ended by a person."""
    key = f"{scope.tenant_id}/agents/{registration_id}"
    await c.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


async def agent_with_key(c: ReadConnection, scope: Scope, registration_id: UUID, public_key: str) -> Row[Any] | None:
    """The agent of this cluster that joined with the key, ended or not."""
    own = (owned(scope, agents), agents.c.registration_id == registration_id)
    return await c.one_or_none(select(agents).where(*own, agents.c.public_key == public_key))


async def live_agent_of_node(c: ReadConnection, scope: Scope, registration_id: UUID, node: str) -> Row[Any] | None:
    """The one agent that may speak of the node."""
    own = (owned(scope, agents), agents.c.registration_id == registration_id, agents.c.node_name == node)
    return await c.one_or_none(select(agents).where(*own, agents.c.ended_at.is_(None)))


async def agent_by_id(c: ReadConnection, scope: Scope, agent_id: UUID) -> Row[Any] | None:
    """The agent, ended or not."""
    return await c.one_or_none(select(agents).where(owned(scope, agents), agents.c.id == agent_id))


async def agents_heard_since(c: ReadConnection, scope: Scope, registration_id: UUID, since: datetime) -> int:
    """How many agents of the cluster that did not end were heard, or joined, after that."""
    own = (owned(scope, agents), agents.c.registration_id == registration_id, agents.c.ended_at.is_(None))
    return int(await c.scalar(select(func.count()).select_from(agents).where(*own, agents.c.heard_at > since)))


async def agents_by_liveness(c: ReadConnection, scope: Scope, now: datetime) -> dict[Liveness, int]:
    """How many agents of active clusters did not end, by whether they are heard."""
    heard = agents.c.heard_at >= now - CONNECTED_WITHIN
    statement = (
        select(func.count().filter(heard).label("connected"), func.count().filter(~heard).label("stale"))
        .join_from(agents, registrations, registrations.c.id == agents.c.registration_id)
        .where(owned(scope, agents), owned(scope, registrations), agents.c.ended_at.is_(None))
        .where(registrations.c.state == State.ACTIVE.value)
    )
    (row,) = await c.rows(statement)
    return {Liveness.CONNECTED: row.connected, Liveness.STALE: row.stale}


async def add_agent(c: WriteConnection, scope: Scope, new: NewAgent) -> None:
    """Write it; the unique index on the live agent of a node holds what the caller looked up."""
    values = {name: getattr(new, name) for name in new.__dataclass_fields__}
    await c.execute(insert(agents).values({**values, "tenant_id": scope.tenant_id}))


async def end_agent(c: WriteConnection, scope: Scope, agent_id: UUID, end: AgentEnd, now: datetime) -> None:
    """It sends nothing any more; its credentials go."""
    values = {"ended_at": now, "end_reason": end.value, "ended_by": scope.actor}
    await c.execute(update(agents).where(owned(scope, agents), agents.c.id == agent_id).values(values))
    await c.execute(delete(credentials).where(owned(scope, credentials), credentials.c.agent_id == agent_id))


async def record_contacts(c: WriteConnection, scope: Scope, contacts: Sequence[tuple[SpokePrincipal, Contact]]) -> None:
    """Note one contact of each of these senders."""
    of_spokes = {who.registration_id: contact for who, contact in contacts if who.agent_id is None}
    of_agents = {who.agent_id: contact for who, contact in contacts if who.agent_id is not None}
    if of_spokes:
        await record_contact(c, scope, of_spokes)
    if of_agents:
        await _record_agents(c, scope, of_agents)


async def _record_agents(c: WriteConnection, scope: Scope, contacts: Mapping[UUID, Contact]) -> None:
    values = [
        {
            "agent_id": agent_id,
            "now_heard_at": contact.at,
            "skew_ms": contact.skew_ms,
            "exact": contact.exact,
            "version": contact.spoke_version,
            "batches": contact.queued_batches,
            "bytes": contact.queued_bytes,
        }
        for agent_id, contact in contacts.items()
    ]
    await c.execute(_heard_statement(system_scope(scope.tenant_id, "")), values)


@lru_cache(maxsize=256)
def _heard_statement(scope: Scope) -> Update:
    """Built once per tenant: building a statement costs more than running it. What was not heard stays."""
    skew_ms = bindparam("skew_ms", type_=BigInteger)
    shows_more = (skew_ms > 0) & or_(agents.c.clock_skew_ms.is_(None), agents.c.clock_skew_ms < skew_ms)
    return (
        update(agents)
        .where(owned(scope, agents), agents.c.id == bindparam("agent_id", type_=Uuid))
        .values(
            heard_at=func.greatest(agents.c.heard_at, bindparam("now_heard_at", type_=UTC_TIME)),
            clock_skew_ms=case((or_(bindparam("exact"), shows_more), skew_ms), else_=agents.c.clock_skew_ms),
            spoke_version=func.coalesce(bindparam("version", type_=Text), agents.c.spoke_version),
            queued_batches=func.coalesce(bindparam("batches", type_=BigInteger), agents.c.queued_batches),
            queued_bytes=func.coalesce(bindparam("bytes", type_=BigInteger), agents.c.queued_bytes),
        )
    )
