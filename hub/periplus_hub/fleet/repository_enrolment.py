"""SQL of enrolment.

The asker has no scope yet: a join token or a registration decides the tenant. So the functions named `system_…` look
things up by secrets and unguessable ids instead of by tenant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, update

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import challenges, credentials, hub_identity, join_tokens, registrations
from periplus_hub.kit.db import ReadConnection, WriteConnection

MAX_LIVE_CREDENTIALS: Final = 4
MAX_LIVE_CHALLENGES: Final = 8


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


async def system_add_challenge(c: WriteConnection, nonce: str, registration_id: UUID, expires_at: datetime) -> None:
    """Remember a nonce, and forget all but the registration's newest few: asking costs the asker nothing."""
    kept = (
        select(challenges.c.nonce)
        .where(challenges.c.registration_id == registration_id)
        .order_by(challenges.c.expires_at.desc())
        .limit(MAX_LIVE_CHALLENGES - 1)
    )
    await c.execute(
        delete(challenges).where(challenges.c.registration_id == registration_id, challenges.c.nonce.not_in(kept))
    )
    await c.execute(insert(challenges).values(nonce=nonce, registration_id=registration_id, expires_at=expires_at))


async def system_take_challenge(c: WriteConnection, nonce: str, registration_id: UUID, now: datetime) -> bool:
    """Use up the nonce; True when it was this registration's and in time."""
    statement = (
        delete(challenges)
        .where(challenges.c.nonce == nonce)
        .returning(challenges.c.registration_id, challenges.c.expires_at)
    )
    row = await c.one_or_none(statement)
    return row is not None and row.registration_id == registration_id and row.expires_at > now


async def add_credential(c: WriteConnection, scope: Scope, registration_id: UUID, values: dict[str, object]) -> None:
    """Write a credential and drop all but the newest few: a restarted spoke asks anew and forgets the old."""
    kept = (
        select(credentials.c.prefix)
        .where(owned(scope, credentials), credentials.c.registration_id == registration_id)
        .order_by(credentials.c.issued_at.desc())
        .limit(MAX_LIVE_CREDENTIALS - 1)
    )
    mine = owned(scope, credentials) & (credentials.c.registration_id == registration_id)
    await c.execute(delete(credentials).where(mine, credentials.c.prefix.not_in(kept)))
    await c.execute(
        insert(credentials).values({**values, "registration_id": registration_id, "tenant_id": scope.tenant_id})
    )


async def system_credential_by_prefix(c: ReadConnection, prefix: str) -> Row[Any] | None:
    """The credential with its registration's tenant, name and state as of now."""
    statement = (
        select(
            credentials.c.secret_sha256,
            credentials.c.expires_at,
            registrations.c.id,
            registrations.c.tenant_id,
            registrations.c.name,
            registrations.c.state,
        )
        .join(registrations, registrations.c.id == credentials.c.registration_id)
        .where(credentials.c.prefix == prefix)
    )
    return await c.one_or_none(statement)


async def system_forget_challenges(c: WriteConnection, now: datetime) -> None:
    """Drop nonces nobody can use any more."""
    await c.execute(delete(challenges).where(challenges.c.expires_at <= now))
