"""SQL of network domains and of people's changes to the fleet."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.fleet.model import Mode, State, ordered_pair
from periplus_hub.fleet.tables import (
    credentials,
    domain_connections,
    domain_moves,
    join_tokens,
    network_domains,
    registrations,
)
from periplus_hub.kit.db import ReadConnection, WriteConnection

_LIVE: Final = network_domains.c.ended_at.is_(None)


async def add_implicit_domain(c: WriteConnection, scope: Scope, domain_id: UUID, name: str) -> None:
    """A network domain of the cluster's own, with another name when a domain has the cluster's already."""
    values = {"tenant_id": scope.tenant_id, "id": domain_id, "implicit": True}
    statement = upsert(network_domains).values(**values, name=name).on_conflict_do_nothing()
    if (await c.execute(statement)).rowcount == 0:
        named = {"id": domain_id, "implicit": True, "name": f"{name} ({str(domain_id)[-12:]})"}
        await c.execute(insert(network_domains).values({**named, "tenant_id": scope.tenant_id}))


async def add_domain(c: WriteConnection, scope: Scope, values: Mapping[str, object]) -> None:
    """Write a domain."""
    await c.execute(insert(network_domains).values({**values, "tenant_id": scope.tenant_id}))


async def lock_domain(c: WriteConnection, scope: Scope, domain_id: UUID) -> Row[Any] | None:
    """The domain, held against being deleted or filled meanwhile; None for one that ended."""
    mine = network_domains.c.id == domain_id
    statement = select(network_domains).where(owned(scope, network_domains), mine, _LIVE)
    return await c.one_or_none(statement.with_for_update())


async def domain_before(c: ReadConnection, scope: Scope, name: str) -> Row[Any] | None:
    """The domain of the last revoked cluster of this name, with that cluster's uid; None when it had only its own."""
    mine = registrations.c.domain_id == network_domains.c.id
    statement = (
        select(network_domains.c.id, network_domains.c.name, network_domains.c.ended_at, registrations.c.cluster_uid)
        .join(registrations, mine & owned(scope, registrations))
        .where(
            owned(scope, network_domains),
            registrations.c.name == name,
            registrations.c.state == State.REVOKED.value,
            ~network_domains.c.implicit,
        )
        .order_by(registrations.c.revoked_at.desc(), registrations.c.id.desc())
        .limit(1)
    )
    return await c.one_or_none(statement)


async def change_domain(c: WriteConnection, scope: Scope, domain_id: UUID, values: Mapping[str, object]) -> None:
    """Change columns of a domain."""
    statement = update(network_domains).where(owned(scope, network_domains), network_domains.c.id == domain_id)
    await c.execute(statement.values(**values))


async def clusters_in(c: ReadConnection, scope: Scope, domain_id: UUID) -> int:
    """How many clusters that are not revoked are in the domain."""
    mine = (registrations.c.domain_id == domain_id, registrations.c.state != State.REVOKED.value)
    statement = select(func.count()).where(owned(scope, registrations), *mine)
    return int(await c.scalar(statement) or 0)


async def active_in(c: ReadConnection, scope: Scope, domain_ids: Sequence[UUID]) -> list[UUID]:
    """The active clusters in these domains."""
    mine = (registrations.c.domain_id.in_(domain_ids), registrations.c.state == State.ACTIVE.value)
    statement = select(registrations.c.id).where(owned(scope, registrations), *mine).order_by(registrations.c.id)
    return [row.id for row in await c.rows(statement)]


async def end_domains(c: WriteConnection, scope: Scope, domain_ids: Sequence[UUID], now: datetime) -> None:
    """End domains, and their connections with them."""
    table, ends = domain_connections, network_domains.c.id.in_(domain_ids)
    await c.execute(update(network_domains).where(owned(scope, network_domains), ends, _LIVE).values(ended_at=now))
    touching = or_(table.c.domain_a.in_(domain_ids), table.c.domain_b.in_(domain_ids))
    await c.execute(delete(table).where(owned(scope, table), touching))


async def end_vacated(c: WriteConnection, scope: Scope, domain_ids: Sequence[UUID], now: datetime) -> None:
    """End those of the domains that came with a cluster and have none any more that is not revoked."""
    live = registrations.c.state != State.REVOKED.value
    used = exists().where(registrations.c.domain_id == network_domains.c.id, owned(scope, registrations), live)
    mine = (owned(scope, network_domains), network_domains.c.id.in_(domain_ids))
    vacated = await c.rows(select(network_domains.c.id).where(*mine, network_domains.c.implicit, ~used))
    if vacated:
        await end_domains(c, scope, [row.id for row in vacated], now)


async def implicit_with_one(c: ReadConnection, scope: Scope, domain_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the domains that came with a cluster and have exactly one that is not revoked."""
    mine = (owned(scope, network_domains), network_domains.c.id.in_(domain_ids), network_domains.c.implicit)
    live = owned(scope, registrations) & (registrations.c.state != State.REVOKED.value)
    statement = (
        select(network_domains.c.id)
        .join(registrations, (registrations.c.domain_id == network_domains.c.id) & live)
        .where(*mine)
        .group_by(network_domains.c.id)
        .having(func.count() == 1)
    )
    return {row.id for row in await c.rows(statement)}


async def note_moves(c: WriteConnection, scope: Scope, left: Mapping[UUID, UUID], now: datetime) -> None:
    """Remember which domain each of these registrations leaves. Of two moves at one instant the first counts."""
    rows = [
        {"registration_id": registration_id, "domain_id": domain_id, "left_at": now}
        for registration_id, domain_id in left.items()
    ]
    if rows:
        await c.execute(insert_owned(scope, domain_moves, rows).on_conflict_do_nothing())


def domain_at(scope: Scope, at: datetime) -> ColumnElement[UUID]:
    """The domain a row of `registrations` was in at a time, for queries that have that table in their FROM."""
    moves = domain_moves
    left = (
        select(moves.c.domain_id)
        .where(owned(scope, moves), moves.c.registration_id == registrations.c.id, moves.c.left_at > at)
        .order_by(moves.c.left_at)
        .limit(1)
        .correlate(registrations)
        .scalar_subquery()
    )
    # The first move after that time left the domain that is meant; without one, it is where the cluster is now.
    return func.coalesce(left, registrations.c.domain_id)


async def connection(c: ReadConnection, scope: Scope, pair: tuple[UUID, UUID]) -> dict[str, str] | None:
    """Mode and note of the connection of two domains."""
    table = domain_connections
    first, second = ordered_pair(*pair)
    asked = select(table.c.mode, table.c.note)
    row = await c.one_or_none(asked.where(owned(scope, table), table.c.domain_a == first, table.c.domain_b == second))
    return None if row is None else {"mode": row.mode, "note": row.note}


async def put_connection(c: WriteConnection, scope: Scope, pair: tuple[UUID, UUID], mode: Mode, note: str) -> bool:
    """Write or replace the connection of two domains; False when it was so already."""
    first, second = ordered_pair(*pair)
    values = {"tenant_id": scope.tenant_id, "domain_a": first, "domain_b": second, "mode": mode.value, "note": note}
    statement = upsert(domain_connections).values(**values)
    new, old = statement.excluded, domain_connections.c
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "domain_a", "domain_b"],
        set_={"mode": new.mode, "note": new.note},
        where=(old.mode != new.mode) | (old.note != new.note),
    )
    return (await c.execute(statement)).rowcount > 0


async def delete_connection(c: WriteConnection, scope: Scope, pair: tuple[UUID, UUID]) -> bool:
    """Whether there was one."""
    table = domain_connections
    first, second = ordered_pair(*pair)
    statement = delete(table).where(owned(scope, table), table.c.domain_a == first, table.c.domain_b == second)
    return (await c.execute(statement)).rowcount > 0


async def lock_registrations(c: WriteConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """The registrations, held against other changes, in id order so that two askers cannot block each other."""
    table = registrations
    statement = select(table).where(owned(scope, table), table.c.id.in_(ids)).order_by(table.c.id).with_for_update()
    return {row.id: row for row in await c.rows(statement)}


async def change_registrations(
    c: WriteConnection, scope: Scope, ids: Sequence[UUID], values: Mapping[str, object]
) -> None:
    """Change columns of registrations."""
    statement = update(registrations).where(owned(scope, registrations), registrations.c.id.in_(ids))
    await c.execute(statement.values(**values))


async def revoke(c: WriteConnection, scope: Scope, registration_id: UUID, now: datetime) -> None:
    """Set the state and take the credentials away."""
    values = {"state": State.REVOKED.value, "revoked_at": now, "revoked_by": scope.actor}
    await change_registrations(c, scope, [registration_id], values)
    mine = credentials.c.registration_id == registration_id
    await c.execute(delete(credentials).where(owned(scope, credentials), mine))


async def add_join_token(c: WriteConnection, scope: Scope, values: Mapping[str, object]) -> None:
    """Write a join token."""
    await c.execute(insert(join_tokens).values({**values, "tenant_id": scope.tenant_id}))


async def delete_join_token(c: WriteConnection, scope: Scope, token_id: UUID) -> str | None:
    """Delete a token that was not used yet; its public id, or None."""
    statement = delete(join_tokens).where(
        owned(scope, join_tokens), join_tokens.c.id == token_id, join_tokens.c.used_at.is_(None)
    )
    found: str | None = await c.scalar(statement.returning(join_tokens.c.public_id))
    return found
