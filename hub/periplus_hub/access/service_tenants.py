"""Tenants, and the admin token each begins with: what whoever runs the hub's machine does, straight in the database."""

from typing import Final
from uuid import UUID

from periplus_contract.names import ALLOWED, why_no_name
from periplus_hub.access import repository
from periplus_hub.access.model import DEFAULT_TENANT, MAX_TENANT_NAME, Tenant
from periplus_hub.access.scope import Role, Scope, system_scope
from periplus_hub.access.service import audit, create_token, revoke_token
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.tenancy import EVERY_TENANT

_ACTOR: Final = "system:cli"
_MADE_HERE: Final = "hub admin-token"


async def ensure_default_tenant(db: Database) -> UUID:
    """The tenant a hub works for that was never told of another."""
    # Two processes may start on one empty database. `add_tenant` leaves the name to the first, and the other finds it
    # on its second round.
    while (found := await _tenant_called(db, DEFAULT_TENANT)) is None:
        scope = system_scope(new_id(), _ACTOR)
        async with db.write(scope) as c:
            await repository.add_tenant(c, scope, DEFAULT_TENANT)
    return found


async def tenants(db: Database) -> list[Tenant]:
    """Every tenant, oldest first."""
    async with db.read(EVERY_TENANT) as c:
        return await repository.system_tenants(c)


async def create_tenant(db: Database, name: str) -> str:
    """A new tenant; returns its first admin token."""
    if why := why_no_name(name, MAX_TENANT_NAME):
        raise Invalid(f"{name[:MAX_TENANT_NAME]!r} is no name for a tenant: it {why}", f"Use {ALLOWED}.")
    scope = system_scope(new_id(), _ACTOR)
    async with db.write(scope) as c:
        if not await repository.add_tenant(c, scope, name):
            raise Conflict(
                f"there is a tenant called {name!r}", f"For a token: 'periplus hub admin-token --tenant {name}'."
            )
        await audit(c, scope, "access:tenant:create", "Tenant", str(scope.tenant_id), after={"name": name})
        return await _replace_token(c, scope, _MADE_HERE, db)


async def make_admin_token(db: Database, name: str = _MADE_HERE, *, tenant: str = DEFAULT_TENANT) -> str:
    """A new admin token, straight in the database; earlier ones of this name are revoked."""
    tenant_id = await _tenant_called(db, tenant)
    if tenant_id is None:
        raise NotFound(f"there is no tenant {tenant!r}", "See 'periplus hub tenants list'.")
    scope = system_scope(tenant_id, _ACTOR)
    async with db.write(scope) as c:
        return await _replace_token(c, scope, name, db)


async def _tenant_called(db: Database, name: str) -> UUID | None:
    async with db.read(EVERY_TENANT) as c:
        return await repository.system_tenant_called(c, name)


async def _replace_token(c: WriteConnection, scope: Scope, name: str, db: Database) -> str:
    now = db.clock.now()
    # In one session with the new one: whoever lost a token runs this again, and is never left with two or with none.
    for earlier in await repository.tokens(c, scope):
        if earlier.name == name and earlier.revoked_at is None:
            await revoke_token(c, scope, earlier.id, now=now)
    _, text = await create_token(c, scope, name, Role.ADMIN, now=now)
    return text
