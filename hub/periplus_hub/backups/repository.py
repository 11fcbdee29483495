"""What a backup asks PostgreSQL about itself."""

from typing import Final

from sqlalchemy import text

from periplus_hub.kit.db import ReadConnection

_SERVER: Final = text(
    "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size"
)
_HAS_TABLES: Final = text(
    "SELECT EXISTS (SELECT FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S')"
    " AND relnamespace = current_schema()::regnamespace)"
)


async def system_server(c: ReadConnection) -> tuple[str, int]:
    """The server's version, and how many bytes the database takes."""
    row = (await c.rows(_SERVER))[0]
    return str(row.version), int(row.size)


async def system_has_tables(c: ReadConnection) -> bool:
    """Whether anything is in the database's schema."""
    return bool(await c.scalar(_HAS_TABLES))
