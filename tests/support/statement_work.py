"""How much PostgreSQL does for each statement: rows it touches, whatever they cost on this machine.

The server explains every statement it ran to the session that asked, with what each step of the plan really did. No
table has statistics, as on a database that was filled a moment ago and never analysed.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import Database, DatabaseLimits

from tests.support.hub_db import as_owner

_SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_parameter_max_length": "0",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "warning",
    "log_min_messages": "panic",
}


_PATIENT = DatabaseLimits(read_statement_s=600, write_statement_s=600, lock_s=600, checkout_s=600)
"""However slow this machine is now: what is judged is the work."""


class Work:
    """Rows by statement; a statement is known by the text it begins with."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()

    def hear(self, _connection: object, message: Any) -> None:
        """What a session was told; plans are among it."""
        text = str(message.message)
        if "plan:" in text:
            plan = json.loads(text.partition("plan:\n")[2])
            self.rows[plan["Query Text"].strip()[:200]] += sum(_touched(plan["Plan"]))

    def take(self) -> Counter[str]:
        """What was done since the last time."""
        taken, self.rows = self.rows, Counter()
        return taken


def _touched(plan: Mapping[str, Any]) -> Iterator[int]:
    removed = ("Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck")
    rows = plan.get("Actual Rows", 0) + sum(plan.get(name, 0) for name in removed)
    yield round(rows * plan.get("Actual Loops", 1))
    for part in plan.get("Plans", ()):
        yield from _touched(part)


@asynccontextmanager
async def explained(url: str, clock: Clock) -> AsyncIterator[tuple[Database, Work]]:
    """A `Database` at `url` whose statements are counted in the `Work`; nothing there is ever analysed."""
    admin = await asyncpg.connect(as_owner(url).replace("+asyncpg", ""))
    name = await admin.fetchval("SELECT current_database()")
    for setting, value in _SETTINGS.items():
        await admin.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
    for row in await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        await admin.execute(f"ALTER TABLE {row['tablename']} SET (autovacuum_enabled = false)")
    await admin.close()
    db, work = Database(url, clock, _PATIENT), Work()
    connect = db.connector.connect

    async def listening(*arguments: Any, **more: Any) -> Any:
        connection = await connect(*arguments, **more)
        connection.add_log_listener(work.hear)
        return connection

    db.connector.connect = listening  # type: ignore[method-assign]  # a test's ear
    try:
        yield db, work
    finally:
        await db.dispose()
