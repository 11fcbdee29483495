"""Can we commit? Asked by readiness."""

from sqlalchemy import text

from periplus_hub.kit.db import Database


async def commit_something(db: Database) -> None:
    """A commit that reaches the disk and leaves no row; raises what the database raises.

    A transaction that wrote nothing is acknowledged without a flush, so it would not notice a full disk. A logical
    message is written and flushed like any change, and nobody reads it.
    """
    async with db.write() as c:
        await c.execute(text("SELECT pg_logical_emit_message(true, 'periplus.ready', '')"))
