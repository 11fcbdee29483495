"""Can we commit? Asked by readiness."""

from typing import Final

from sqlalchemy import text

from periplus_hub.kit.db import Database

_COMMIT: Final = text(
    "DO $$ BEGIN IF current_setting('transaction_read_only') = 'on' THEN "
    "RAISE SQLSTATE '25006' USING MESSAGE = 'transactions are read-only'; END IF; "
    "PERFORM pg_logical_emit_message(true, 'periplus.ready', ''); END $$"
)


async def commit_something(db: Database) -> None:
    """A commit that reaches the disk and leaves no row; raises what the database raises.

    A transaction that wrote nothing is acknowledged without a flush, so it would not notice a full disk. A logical
    message is written and flushed like any change, and nobody reads it. But a server that takes no changes takes
    messages all the same: so it is asked, and what is raised is what any change would raise.
    """
    async with db.write() as c:
        await c.execute(_COMMIT)
