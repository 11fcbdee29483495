"""How an agent of a node joins, and how a person ends one.

The join token decides the cluster, and a person with `fleet:approve` made it for that cluster: so nobody waits for
approval. A node has one agent. While that is heard no other takes its place, so whoever has the token can add agents,
and can push none out; once it is silent, as after a lost state folder, the next one with the node's name follows it.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row

from periplus_contract import problems
from periplus_contract.messages import MAX_FACT_CHARS, AgentEnrolRequest, EnrolAnswer, is_fact
from periplus_contract.names import is_node_name
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.scope import Permission, Scope, system_scope
from periplus_hub.access.service import audit
from periplus_hub.fleet import repository_agents as store
from periplus_hub.fleet import secrets
from periplus_hub.fleet.model import (
    AGENT_TOKEN_DAYS,
    AGENTS_COUNT_FOR,
    CLUSTERS_TOPIC,
    CONNECTED_WITHIN,
    MAX_AGENT_TOKEN_DAYS,
    MAX_AGENTS,
    AgentEnd,
    JoinToken,
    NewJoinToken,
    State,
)
from periplus_hub.fleet.repository_domains import add_join_token, lock_registrations
from periplus_hub.fleet.repository_enrolment import hold_token, system_registration_by_id
from periplus_hub.fleet.service_refusals import (
    POLL_AFTER_S,
    check_contract,
    check_key,
    known_token,
    malformed,
    of_token,
    proof_refused,
    refuse_unless_active,
)
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.events import Events
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.node_ids import node_id
from periplus_hub.kit.tenancy import EVERY_TENANT
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

_REFUSED: Final = "spoke:agent:refuse"

_log: Final = structlog.get_logger(__name__)


class AgentEnrolment:
    """The call of an agent that is nobody yet."""

    def __init__(
        self, db: Database, events: Events, room: asyncio.Semaphore, hub_id: Callable[[], Awaitable[str]]
    ) -> None:
        """`room` is for transactions that write on a stranger's word."""
        self._db = db
        self._events = events
        self._room = room
        self._hub_id = hub_id

    async def enrol(self, request: AgentEnrolRequest) -> EnrolAnswer:
        """The agent of this key. Safe to repeat with the same key: an answer may get lost.

        Raises SpokeRequestRefusal: proof-refused, revoked, node-has-agent, too-many-agents, unsupported-version,
        malformed-message.
        """
        _check(request)
        agent_id = new_id()
        async with self._db.read(EVERY_TENANT) as c:
            token = await known_token(c, request.join_token)
        if token.registration_id is None:
            detail = f"join token {token.public_id} is for the spoke of a cluster, not for agents of nodes"
            raise proof_refused(detail, of_token(token, "an agent with a token for a spoke"))
        scope = system_scope(token.tenant_id, f"agent:{agent_id}")
        async with self._room:
            agent, cluster, joined = await self._db.retrying_write(
                scope, lambda c: self._enrol(c, scope, request, agent_id)
            )
        if joined:
            self._events.publish(cluster.tenant_id, CLUSTERS_TOPIC, {"id": str(cluster.id)})
            _log.info("agent_joined", cluster=cluster.name, node=request.node_name, agent=str(agent))
        return EnrolAnswer(
            registration=str(agent),
            cluster_name=cluster.name,
            state="active",
            hub_id=await self._hub_id(),
            poll_after_s=POLL_AFTER_S,
        )

    async def _enrol(
        self, c: WriteConnection, scope: Scope, request: AgentEnrolRequest, agent_id: UUID
    ) -> tuple[UUID, Row[Any], bool]:
        """The agent's id, its cluster, and whether the agent is new."""
        token = await known_token(c, request.join_token)
        now = self._db.clock.now()
        if not await hold_token(c, scope, token.id, now):
            raise proof_refused(f"join token {token.public_id} has expired", of_token(token, "expired"))
        # Before anything is read of them: a DaemonSet starts a thousand at once, and two that see room for the last one
        # would both take it.
        await store.lock_agents_of(c, scope, token.registration_id)
        cluster = await system_registration_by_id(c, token.registration_id)
        if cluster is None:
            raise proof_refused(
                "the cluster of the join token is no more", of_token(token, "of a cluster that is gone")
            )
        refuse_unless_active(cluster.state, f"registration of {cluster.name!r}")
        # The key first: who asks again because an answer was lost must not find the node taken by itself.
        known = await store.agent_with_key(c, scope, cluster.id, request.public_key)
        if known is not None:
            return _as_before(known, request), cluster, False
        earlier = await self._room_on_node(c, scope, cluster, request.node_name)
        new = store.NewAgent(
            id=agent_id,
            registration_id=cluster.id,
            node_name=request.node_name,
            public_key=request.public_key,
            join_token=token.public_id,
            spoke_version=request.spoke_version,
            contract=request.contract,
            joined_at=now,
            heard_at=now,
            earlier=0 if earlier is None else earlier.earlier + 1,
        )
        await store.add_agent(c, scope, new)
        made: dict[str, object] = {"node": new.node_name, "cluster": node_id("Cluster", cluster.id)}
        made |= {"join_token": new.join_token, "superseded": earlier and node_id("NodeAgent", earlier.id)}
        await audit(c, scope, "spoke:agent:enrol", "NodeAgent", str(agent_id), after=made)
        return agent_id, cluster, True

    async def _room_on_node(self, c: WriteConnection, scope: Scope, cluster: Row[Any], node: str) -> Row[Any] | None:
        """The silent agent that ended for this one, if there was any; raises node-has-agent or too-many-agents."""
        now = self._db.clock.now()
        there = await store.live_agent_of_node(c, scope, cluster.id, node)
        if there is not None:
            silent_s = max((now - there.heard_at).total_seconds(), 0.0)
            # An agent that lost its key with its node's disk is silent soon. One that is heard is there, whoever else
            # has the token.
            if silent_s <= CONNECTED_WITHIN.total_seconds():
                detail = f"node {node!r} of {cluster.name!r} has an agent that was heard {silent_s:.0f} s ago"
                retry_after_s = math.ceil(CONNECTED_WITHIN.total_seconds() - silent_s) + 1
                raise SpokeRequestRefusal(problems.NODE_HAS_AGENT, detail, retry_after_s=retry_after_s)
            await store.end_agent(c, scope, there.id, AgentEnd.SUPERSEDED, now)
            return there
        if await store.agents_heard_since(c, scope, cluster.id, now - AGENTS_COUNT_FOR) >= MAX_AGENTS:
            detail = f"{cluster.name!r} has {MAX_AGENTS} agents"
            audited = RefusedAttempt(_REFUSED, "too many agents", "Cluster", str(cluster.id), cluster.tenant_id)
            raise SpokeRequestRefusal(problems.TOO_MANY_AGENTS, detail, audited=audited)
        return None


async def create_agents_token(
    c: WriteConnection, scope: Scope, clock: Clock, registration_id: UUID, lifetime_days: int = AGENT_TOKEN_DAYS
) -> NewJoinToken:
    """A token with which agents of this cluster join, as many as it has nodes, until it ends or is withdrawn."""
    scope.require(Permission.FLEET_APPROVE)
    if not 1 <= lifetime_days <= MAX_AGENT_TOKEN_DAYS:
        raise Invalid(f"a join token cannot live for {lifetime_days} days", f"Give 1 to {MAX_AGENT_TOKEN_DAYS}.")
    cluster = (await lock_registrations(c, scope, [registration_id])).get(registration_id)
    if cluster is None:
        raise NotFound(f"no registration {registration_id}", "List the clusters and take an id from there.")
    if cluster.state != State.ACTIVE.value:
        raise Conflict(
            f"{cluster.name!r} is {cluster.state}, and agents join active clusters only",
            "Approve the cluster first, or take the registration that it has now.",
        )
    minted, now = secrets.mint(secrets.JOIN_PREFIX), clock.now()
    token = JoinToken(
        id=new_id(),
        public_id=minted.public_id,
        cluster_name=None,
        registration_id=registration_id,
        domain_id=None,
        auto_approve=True,
        created_by=scope.actor,
        created_at=now,
        expires_at=now + timedelta(days=lifetime_days),
        used_at=None,
        used_by_registration=None,
    )
    values = {name: getattr(token, name) for name in JoinToken.__dataclass_fields__}
    await add_join_token(c, scope, values | {"secret_sha256": minted.secret_sha256})
    made = {"public_id": minted.public_id, "agents_of": node_id("Cluster", registration_id)}
    made["expires_at"] = token.expires_at.isoformat()
    await audit(c, scope, "fleet:join-token:create", "JoinToken", str(token.id), after=made)
    return NewJoinToken(token, minted.text)


async def revoke_agent(c: WriteConnection, scope: Scope, clock: Clock, agent_id: UUID) -> UUID:
    """Let an agent send no more: not with its key. With another key, and a join token, its node gets another one.

    Returns its cluster. Revoking one that has ended changes nothing.
    """
    scope.require(Permission.FLEET_APPROVE)
    found = await store.agent_by_id(c, scope, agent_id)
    if found is None:
        raise NotFound(f"no agent {agent_id}", "List the agents of the cluster and take an id from there.")
    cluster: UUID = found.registration_id
    await store.lock_agents_of(c, scope, cluster)
    found = await store.agent_by_id(c, scope, agent_id)
    if found is not None and found.ended_at is None:
        await store.end_agent(c, scope, agent_id, AgentEnd.REVOKED, clock.now())
        detail = {"node": found.node_name, "cluster": node_id("Cluster", cluster)}
        was, now_is = {"end": None}, {"end": AgentEnd.REVOKED.value}
        await audit(c, scope, "fleet:agent:revoke", "NodeAgent", str(agent_id), detail=detail, before=was, after=now_is)
    return cluster


def _as_before(known: Row[Any], request: AgentEnrolRequest) -> UUID:
    """The agent this key is already; raises revoked or proof-refused."""
    if known.ended_at is not None:
        raise SpokeRequestRefusal(problems.REVOKED, f"the agent of node {known.node_name!r} is {known.end_reason}")
    if known.node_name != request.node_name:
        detail = f"this key is of the agent of node {known.node_name!r}"
        raise proof_refused(detail, RefusedAttempt(_REFUSED, "the key of another node", *_about(known)))
    agent: UUID = known.id
    return agent


def _about(agent: Row[Any]) -> tuple[str, str, UUID]:
    return "NodeAgent", str(agent.id), agent.tenant_id


def _check(request: AgentEnrolRequest) -> None:
    check_key(request.public_key)
    if not is_node_name(request.node_name):
        raise malformed("node_name is not the name of a node: up to 253 of a-z, 0-9, '-' and '.'")
    if not is_fact(request.spoke_version):
        raise malformed(f"spoke_version is at most {MAX_FACT_CHARS} printable characters")
    check_contract(request.contract)
