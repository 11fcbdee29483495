"""Statements of tenants, API tokens and the audit trail."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_hub.access import tables
from periplus_hub.access.model import ApiToken, Tenant
from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.kit.db import ReadConnection, WriteConnection

_TOKEN: Final = [
    tables.api_tokens.c[name]
    for name in ("id", "name", "role", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")
]


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(**row._mapping)


async def add_tenant(c: WriteConnection, scope: Scope, name: str) -> bool:
    """The tenant of the scope, which is new; False when the name is taken."""
    statement = upsert(tables.tenants).values(id=scope.tenant_id, name=name)
    return (await c.execute(statement.on_conflict_do_nothing())).rowcount > 0


async def system_tenant_called(c: ReadConnection, name: str) -> UUID | None:
    """The tenant of this name."""
    found: UUID | None = await c.scalar(select(tables.tenants.c.id).where(tables.tenants.c.name == name))
    return found


async def system_tenants(c: ReadConnection) -> list[Tenant]:
    """Every tenant, oldest first."""
    table = tables.tenants
    rows = await c.rows(select(table.c.id, table.c.name, table.c.created_at).order_by(table.c.created_at, table.c.id))
    return [Tenant(**row._mapping) for row in rows]


async def system_tenant_ids(c: ReadConnection) -> list[UUID]:
    """Every tenant, for jobs that visit each in turn."""
    return [row.id for row in await c.rows(select(tables.tenants.c.id).order_by(tables.tenants.c.id))]


async def system_token_by_prefix(c: ReadConnection, prefix: str) -> tuple[UUID, str, ApiToken] | None:
    """(tenant, sha256 of the secret, token) for a public prefix: the asker is nobody until this matched."""
    table = tables.api_tokens
    row = await c.one_or_none(select(table.c.tenant_id, table.c.secret_sha256, *_TOKEN).where(table.c.prefix == prefix))
    if row is None:
        return None
    found = dict(row._mapping)
    return found.pop("tenant_id"), found.pop("secret_sha256"), ApiToken(**found)


async def add_token(c: WriteConnection, scope: Scope, values: Mapping[str, Any]) -> None:
    """Store a token's row."""
    await c.execute(insert_owned(scope, tables.api_tokens, values))


async def tokens(c: ReadConnection, scope: Scope) -> list[ApiToken]:
    """Every token of the tenant, newest first."""
    table = tables.api_tokens
    statement = select(*_TOKEN).where(owned(scope, table)).order_by(table.c.created_at.desc(), table.c.id)
    return [_token(row) for row in await c.rows(statement)]


async def token_by_id(c: ReadConnection, scope: Scope, token_id: UUID) -> ApiToken | None:
    """One token of the tenant."""
    table = tables.api_tokens
    row = await c.one_or_none(select(*_TOKEN).where(owned(scope, table), table.c.id == token_id))
    return row and _token(row)


async def note_revoked(c: WriteConnection, scope: Scope, token_id: UUID, now: datetime) -> bool:
    """Revoke a token that still holds; False when there is none."""
    table = tables.api_tokens
    change = update(table).where(owned(scope, table), table.c.id == token_id, table.c.revoked_at.is_(None))
    return (await c.execute(change.values(revoked_at=now))).rowcount > 0


async def note_used(c: WriteConnection, scope: Scope, token_id: UUID, now: datetime) -> None:
    """Remember when a token was last seen."""
    table = tables.api_tokens
    await c.execute(update(table).where(owned(scope, table), table.c.id == token_id).values(last_used_at=now))


async def add_event(c: WriteConnection, scope: Scope, values: Mapping[str, Any]) -> None:
    """Append to the audit trail, at the transaction's time."""
    await c.execute(insert_owned(scope, tables.audit_events, {**values, "at": func.now()}))
