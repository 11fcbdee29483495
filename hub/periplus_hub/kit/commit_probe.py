"""Can we commit? Asked by readiness."""

from typing import Final

from sqlalchemy import Table, text

from periplus_hub.kit.db import Database
from periplus_hub.kit.tenancy import NO_TENANT

_COMMIT: Final = text(
    "DO $$ BEGIN IF current_setting('transaction_read_only') = 'on' THEN "
    "RAISE SQLSTATE '25006' USING MESSAGE = 'transactions are read-only'; END IF; "
    "PERFORM pg_logical_emit_message(true, 'periplus.ready', ''); END $$"
)
_USE_ROOM: Final = text(
    "DO $$ BEGIN PERFORM set_config('work_mem', '1MB', true); "
    "PERFORM count(DISTINCT repeat('x', 8000) || n) FROM generate_series(1, 2000) AS n; END $$"
)
"""16 MiB in a temporary file."""


async def commit_something(db: Database, *into: Table) -> None:
    """A commit that reaches the disk and leaves no row; raises what the database raises.

    It has the locks that rows for the tables `into` would need, so it waits for whom they would wait.

    A transaction that wrote nothing is acknowledged without a flush, so it would not notice a full disk. A logical
    message is written and flushed like any change, and nobody reads it. But a server that takes no changes takes
    messages all the same: so it is asked, and what is raised is what any change would raise. And a log that was laid
    out in advance has room when tables have none: so once a unit of work ran out of it, room is tried out first.
    """
    async with db.write(NO_TENANT) as c:
        if db.ran_out_of_room:
            await c.execute(_USE_ROOM)
        for table in into:
            await c.execute(text(f"LOCK TABLE {table.name} IN ROW EXCLUSIVE MODE"))
        await c.execute(_COMMIT)
    db.found_room()
