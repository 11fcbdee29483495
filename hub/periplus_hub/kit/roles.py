"""The two roles of a database: its owner, who migrates it, and the hub's own, which row-level security binds.

The hub's may read and write rows, and change no table: neither a fault nor an injected statement lifts a policy.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from periplus_hub.kit.db import Database
from periplus_hub.kit.db_connect import Connector
from periplus_hub.kit.tenancy import NO_TENANT

_ME: Final = "SELECT current_user::text"
_UNBOUND: Final = text("SELECT rolname::text FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)")
_OWNING: Final = text(
    "SELECT current_user::text WHERE EXISTS (SELECT FROM pg_class WHERE relkind = 'r' AND relrowsecurity"
    " AND relnamespace = current_schema()::regnamespace AND pg_has_role(current_user, relowner, 'MEMBER'))"
)
_MISSING: Final = text(
    "SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), CAST(:role AS text))"
    " WHERE NOT has_schema_privilege(:role, current_schema(), 'USAGE')"
    " UNION ALL SELECT format('GRANT %s ON %s TO %I', rights, place, CAST(:role AS text))"
    " FROM (SELECT oid, oid::regclass AS place, CASE WHEN relname = 'alembic_version' THEN 'SELECT'"
    " WHEN relname ~ '_inbox_[0-9]$' THEN 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE'"
    " ELSE 'SELECT, INSERT, UPDATE, DELETE' END AS rights FROM pg_class WHERE relkind = 'r'"
    " AND relnamespace = current_schema()::regnamespace AND pg_get_userbyid(relowner) = current_user) AS mine"
    " WHERE EXISTS (SELECT FROM unnest(string_to_array(rights, ', ')) AS one"
    " WHERE NOT has_table_privilege(:role, mine.oid, one))"
)
"""Of the owner's tables, what the role may not do yet, as the statements that allow it."""


async def role_at(url: str) -> str:
    """The role that logs in there."""
    connection = await Connector(url.replace("postgresql+asyncpg://", "postgresql://", 1)).connect()
    try:
        return str(await connection.fetchval(_ME))
    finally:
        await connection.close()


async def grant(connection: AsyncConnection, role: str) -> None:
    """Let `role` use the tables of the connection's role; what it may already is not granted again."""
    missing = (await connection.execute(_MISSING, {"role": role})).scalars().all()
    for statement in missing:
        await connection.execute(text(statement))
    await connection.commit()


async def owning_role(db: Database) -> str | None:
    """The name of our role, when it owns tables that row-level security guards, or may become their owner."""
    async with db.read(NO_TENANT) as c:
        found: str | None = await c.scalar(_OWNING)
    return found


async def unbound_role(db: Database) -> str | None:
    """The name of our role, when row-level security does not bind it."""
    async with db.read(NO_TENANT) as c:
        found: str | None = await c.scalar(_UNBOUND)
    return found
