"""Tenants, and the admin token each begins with: what whoever runs the hub's machine does, straight in the database."""

from typing import Final
from uuid import UUID

from periplus_contract.names import ALLOWED, why_no_name
from periplus_hub.access import repository
from periplus_hub.access.model import Tenant
from periplus_hub.access.scope import Role, Scope, system_scope
from periplus_hub.access.service import audit, create_token, revoke_token
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.ids import new_id

DEFAULT_TENANT: Final = "default"
_ACTOR: Final = "system:cli"
_MADE_HERE: Final = "hub admin-token"
_MAX_NAME: Final = 100


async def ensure_default_tenant(db: Database) -> UUID:
    """The tenant a hub works for that was never told of another."""
    async with db.write() as c:
        return await repository.system_ensure_tenant(c, new_id(), DEFAULT_TENANT)


async def tenants(db: Database) -> list[Tenant]:
    """Every tenant, oldest first."""
    async with db.read() as c:
        return await repository.system_tenants(c)


async def create_tenant(db: Database, name: str) -> str:
    """A new tenant; returns its first admin token."""
    if why := why_no_name(name, _MAX_NAME):
        raise Invalid(f"{name[:_MAX_NAME]!r} is no name for a tenant: it {why}", f"Use {ALLOWED}.")
    tenant_id = new_id()
    async with db.write() as c:
        if not await repository.system_add_tenant(c, tenant_id, name):
            raise Conflict(
                f"there is a tenant called {name!r}", f"For a token: 'periplus hub admin-token --tenant {name}'."
            )
        scope = system_scope(tenant_id, _ACTOR)
        await audit(c, scope, "access:tenant:create", "Tenant", str(tenant_id), after={"name": name})
        return await _replace_token(c, scope, _MADE_HERE, db)


async def make_admin_token(db: Database, name: str = _MADE_HERE, *, tenant: str = DEFAULT_TENANT) -> str:
    """A new admin token, straight in the database; earlier ones of this name are revoked."""
    async with db.write() as c:
        tenant_id = await repository.system_tenant_called(c, tenant)
        if tenant_id is None:
            raise NotFound(f"there is no tenant {tenant!r}", "See 'periplus hub tenants list'.")
        return await _replace_token(c, system_scope(tenant_id, _ACTOR), name, db)


async def _replace_token(c: WriteConnection, scope: Scope, name: str, db: Database) -> str:
    now = db.clock.now()
    for earlier in await repository.tokens(c, scope):
        if earlier.name == name and earlier.revoked_at is None:
            await revoke_token(c, scope, earlier.id, now=now)
    _, text = await create_token(c, scope, name, Role.ADMIN, now=now)
    return text
