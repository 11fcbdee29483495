"""SQL of enrolment.

The asker has no scope yet: a join token or a registration decides the tenant. So the functions named `system_…` look
things up by secrets and unguessable ids instead of by tenant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Uuid, bindparam, case, delete, func, insert, literal, null, select, union_all, update

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import SpokePrincipal, State, Subject
from periplus_hub.fleet.tables import agents, challenges, credentials, hub_identity, join_tokens, registrations
from periplus_hub.kit.db import ReadConnection, WriteConnection

MAX_LIVE_CREDENTIALS: Final = 4
MAX_LIVE_CHALLENGES: Final = 8
AGENT_STATE: Final = case((agents.c.ended_at.is_not(None), State.REVOKED.value), else_=registrations.c.state)
"""Of an agent, with its registration: both have to be good."""
_PRINCIPAL: Final = (
    registrations.c.tenant_id,
    registrations.c.id.label("registration_id"),
    registrations.c.name,
    AGENT_STATE.label("state"),
    agents.c.id.label("agent_id"),
    func.coalesce(agents.c.node_name, "").label("node_name"),
)
"""The columns of a SpokePrincipal: of registrations, with the agent where it is one."""
_SENDER: Final = bindparam("sender_id", type_=Uuid)
_SUBJECT: Final = union_all(
    select(
        *(registrations.c.tenant_id, registrations.c.id.label("registration_id"), registrations.c.name),
        *(registrations.c.state, null().label("agent_id"), literal("").label("node_name")),
        *(registrations.c.public_key, registrations.c.method, registrations.c.duplicate_of),
    ).where(registrations.c.id == _SENDER),
    select(*(*_PRINCIPAL, agents.c.public_key, literal("token").label("method"), registrations.c.duplicate_of))
    .join_from(agents, registrations, registrations.c.id == agents.c.registration_id)
    .where(agents.c.id == _SENDER),
)
"""The columns of a Subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRegistration:
    """What enrolment writes."""

    id: UUID
    name: str
    cluster_uid: str
    state: State
    domain_id: UUID
    public_key: str
    method: str
    join_token_id: UUID
    spoke_version: str
    contract: str
    kubernetes_version: str
    api_ca_sha256: str
    node_count: int
    machines: Sequence[str]
    way: str
    created_at: datetime
    approved_at: datetime | None
    approved_by: str | None
    duplicate_of: UUID | None


async def system_hub_id(c: ReadConnection) -> str | None:
    """The hub's id; the migration made it."""
    found = await c.scalar(select(hub_identity.c.hub_id))
    return None if found is None else str(found)


async def system_token_by_public_id(c: ReadConnection, public_id: str) -> Row[Any] | None:
    """The join token, whatever its state."""
    return await c.one_or_none(select(join_tokens).where(join_tokens.c.public_id == public_id))


async def system_use_token(c: WriteConnection, token_id: UUID, registration_id: UUID, now: datetime) -> bool:
    """Take the token; False when somebody else did, or when its time is over. Atomic: one use, whatever the races."""
    statement = (
        update(join_tokens)
        .where(join_tokens.c.id == token_id, join_tokens.c.used_at.is_(None), join_tokens.c.expires_at > now)
        .values(used_at=now, used_by_registration=registration_id)
        .returning(join_tokens.c.id)
    )
    return await c.scalar(statement) is not None


async def system_registration_by_id(c: ReadConnection, registration_id: UUID) -> Row[Any] | None:
    """The registration, whatever its state."""
    return await c.one_or_none(select(registrations).where(registrations.c.id == registration_id))


async def live_of_uid(c: WriteConnection, scope: Scope, cluster_uid: str) -> list[UUID]:
    """The live registrations of this kube-system uid, the oldest first.

    Waits for other enrolments of this uid to end: two spokes that start at once must not both be the first.
    """
    await c.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{scope.tenant_id}/{cluster_uid}", 0))))
    statement = (
        select(registrations.c.id)
        .where(
            owned(scope, registrations),
            registrations.c.cluster_uid == cluster_uid,
            registrations.c.state != State.REVOKED.value,
        )
        .order_by(registrations.c.created_at, registrations.c.id)
    )
    return [row.id for row in await c.rows(statement)]


async def name_holder(c: ReadConnection, scope: Scope, name: str) -> UUID | None:
    """The live registration that has the name."""
    statement = select(registrations.c.id).where(
        owned(scope, registrations), registrations.c.name == name, registrations.c.state != State.REVOKED.value
    )
    found: UUID | None = await c.scalar(statement)
    return found


async def add_registration(c: WriteConnection, scope: Scope, new: NewRegistration) -> None:
    """Write it; the unique index on live names decides between two that race for one."""
    values = {name: getattr(new, name) for name in new.__dataclass_fields__}
    await c.execute(insert(registrations).values({**values, "state": new.state.value, "tenant_id": scope.tenant_id}))


async def hold_token(c: WriteConnection, scope: Scope, token_id: UUID, now: datetime) -> bool:
    """Keep a token for agents from being withdrawn while one joins; False when its time is over, or it is gone."""
    mine = (owned(scope, join_tokens), join_tokens.c.id == token_id, join_tokens.c.expires_at > now)
    held = select(join_tokens.c.id).where(*mine).with_for_update(read=True, key_share=True)
    return await c.scalar(held) is not None


async def system_subject_by_id(c: ReadConnection, sender_id: UUID) -> Subject | None:
    """The registration or the agent with this id, whatever its state."""
    row = await c.one_or_none(_SUBJECT, {"sender_id": sender_id})
    return None if row is None else Subject(**(dict(row._mapping) | {"state": State(row.state)}))


async def system_add_challenge(c: WriteConnection, nonce: str, sender_id: UUID, expires_at: datetime) -> None:
    """Remember a nonce, and forget all but the sender's newest few: asking costs the asker nothing."""
    mine = challenges.c.sender_id == sender_id
    kept = (
        select(challenges.c.nonce).where(mine).order_by(challenges.c.expires_at.desc()).limit(MAX_LIVE_CHALLENGES - 1)
    )
    await c.execute(delete(challenges).where(mine, challenges.c.nonce.not_in(kept)))
    await c.execute(insert(challenges).values(nonce=nonce, sender_id=sender_id, expires_at=expires_at))


async def system_take_challenge(c: WriteConnection, nonce: str, sender_id: UUID, now: datetime) -> bool:
    """Use up the nonce; True when it was this sender's and in time."""
    statement = (
        delete(challenges).where(challenges.c.nonce == nonce).returning(challenges.c.sender_id, challenges.c.expires_at)
    )
    row = await c.one_or_none(statement)
    return row is not None and row.sender_id == sender_id and row.expires_at > now


async def add_credential(c: WriteConnection, scope: Scope, owner: SpokePrincipal, values: dict[str, object]) -> None:
    """Write a credential and drop all but the newest few: a restarted spoke asks anew and forgets the old."""
    of_owner = credentials.c.agent_id.is_not_distinct_from(owner.agent_id)
    mine = owned(scope, credentials) & (credentials.c.registration_id == owner.registration_id) & of_owner
    kept = (
        select(credentials.c.prefix)
        .where(mine)
        .order_by(credentials.c.issued_at.desc())
        .limit(MAX_LIVE_CREDENTIALS - 1)
    )
    await c.execute(delete(credentials).where(mine, credentials.c.prefix.not_in(kept)))
    whose = {"registration_id": owner.registration_id, "agent_id": owner.agent_id, "tenant_id": scope.tenant_id}
    await c.execute(insert(credentials).values({**values, **whose}))


async def system_credential_by_prefix(c: ReadConnection, prefix: str) -> Row[Any] | None:
    """The credential with whose it is, and in which state, as of now."""
    statement = (
        select(credentials.c.secret_sha256, credentials.c.expires_at, *_PRINCIPAL)
        .join(registrations, registrations.c.id == credentials.c.registration_id)
        .outerjoin(agents, agents.c.id == credentials.c.agent_id)
        .where(credentials.c.prefix == prefix)
    )
    return await c.one_or_none(statement)


async def system_forget_challenges(c: WriteConnection, now: datetime) -> None:
    """Drop nonces nobody can use any more."""
    await c.execute(delete(challenges).where(challenges.c.expires_at <= now))
