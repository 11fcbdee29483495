"""What PostgreSQL tells about itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from periplus_hub.kit.db import ReadConnection

_LOOK: Final = text(
    "SELECT current_setting('server_version') AS version, clock_timestamp() AS now, current_user AS role,"
    " current_setting('max_connections')::int AS most_connections,"
    " current_setting('superuser_reserved_connections')::int AS reserved,"
    " (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,"
    " current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """At the server."""

    version: str
    now: datetime
    role: str
    most_connections: int
    reserved: int
    connections: int
    fsync: str
    full_page_writes: str


async def system_look(c: ReadConnection) -> Look:
    """One of the server."""
    (row,) = await c.rows(_LOOK)
    return Look(**row._mapping)
