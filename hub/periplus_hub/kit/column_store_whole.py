"""The column store as a whole, and a tenant's database in it: what a server is, BACKUP, RESTORE.

The engine does these two by itself. They are started and then asked about: they may take longer than a request may.
"""

import asyncio
from typing import Any, Final

from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.tenancy import OfTenant

LANE: Final = "backup"
_ASK_S: Final = 0.2
_DONE: Final = frozenset({"BACKUP_CREATED", "RESTORED"})
_GOES_ON: Final = frozenset({"CREATING_BACKUP", "RESTORING"})
_STATUS: Final = "SELECT toString(status), error FROM system.backups WHERE id = {id:String}"
_TABLES: Final = "SELECT count() FROM system.tables WHERE database = {database:String}"
_SERVER: Final = (
    "SELECT version() AS version, getSetting('readonly') != 0 AS readonly,"
    " (SELECT count() FROM system.replicas WHERE is_readonly) AS stuck_replicas"
)
_STEP: Final = "SELECT max(step) FROM {database:Identifier}.schema_steps"


async def back_up(store: ColumnStore, whose: OfTenant, place: str) -> None:
    """Everything of the tenant; `place` is where to, as the engine calls it: `File('/…')`."""
    await _do(store, whose, f"BACKUP DATABASE {{}} TO {place}")


async def restore(store: ColumnStore, whose: OfTenant, place: str) -> None:
    """Everything of the tenant, of whom the store has nothing."""
    await _do(store, whose, f"RESTORE DATABASE {{}} FROM {place}")


async def has_tables(store: ColumnStore, whose: OfTenant) -> bool:
    """Whether the store has anything of the tenant."""

    def ask(client: Any, database: str) -> bool:  # noqa: ANN401 - the library's client is not typed
        return int(client.command(_TABLES, parameters={"database": database})) > 0

    return await store.apart(whose, ask, lane=LANE)


async def schema_step(store: ColumnStore, whose: OfTenant) -> int:
    """The last step of the schema that the tenant's database has."""

    def ask(client: Any, database: str) -> int:  # noqa: ANN401 - as above
        return int(client.command(_STEP, parameters={"database": database}))

    return await store.apart(whose, ask, lane=LANE)


async def ask_server(store: ColumnStore, whose: OfTenant) -> dict[str, Any]:
    """What a server tells about itself: its version, and what keeps it from taking rows."""

    def ask(client: Any, _database: str) -> dict[str, Any]:  # noqa: ANN401 - as above
        found = client.query(_SERVER)
        return dict(zip(found.column_names, found.result_rows[0], strict=True))

    return await store.apart(whose, ask, lane=LANE)


def quoted(text: str) -> str:
    """A text as the engine reads it in a statement."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


async def _do(store: ColumnStore, whose: OfTenant, statement: str) -> None:
    """`statement` has a place for the database's name."""
    name = str(new_id())

    def begin(client: Any, database: str) -> None:  # noqa: ANN401 - as above
        client.command(f"{statement.format(database)} SETTINGS id = '{name}' ASYNC")

    def ask(client: Any, _database: str) -> tuple[str, str]:  # noqa: ANN401 - as above
        found = client.query(_STATUS, parameters={"id": name}).result_rows
        return found[0] if found else ("UNKNOWN", "the server does not know of it any more")

    await store.apart(whose, begin, lane=LANE)
    while (told := await store.apart(whose, ask, lane=LANE))[0] not in _DONE:
        if told[0] not in _GOES_ON:
            reason = (told[1] or told[0]).partition(", Stack trace")[0].splitlines()[0][:300]
            raise Unavailable(f"the flow store did not do it: {reason}", "Look at its disk, its rights and its log.")
        await asyncio.sleep(_ASK_S)
