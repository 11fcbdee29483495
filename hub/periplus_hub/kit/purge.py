"""Deleting what is old in small steps, so that no statement runs long and none that fails undoes the others."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from sqlalchemy import ColumnElement, Table, delete, literal_column, select

from periplus_hub.kit.db import Database
from periplus_hub.kit.tenancy import OfTenant

Stale: TypeAlias = tuple[Table, ColumnElement[bool]]
"""Rows of a table that may go."""
AT_ONCE: Final = 5_000


async def purge(db: Database, scope: OfTenant, stale: Sequence[Stale]) -> None:
    """Delete the tenant's, at most `AT_ONCE` of each table per transaction. Cut off anywhere, the next run goes on."""
    while await _step(db, scope, stale) >= AT_ONCE:
        pass


async def _step(db: Database, scope: OfTenant, stale: Sequence[Stale]) -> int:
    """The most rows that went of any table."""
    most = 0
    async with db.write(scope) as c:
        for table, condition in stale:
            # By place: DELETE takes no LIMIT, and no index has to be looked up a second time.
            row: ColumnElement[object] = literal_column(f"{table.name}.ctid")
            some = select(row).select_from(table).where(condition).limit(AT_ONCE).correlate(None)
            most = max(most, (await c.execute(delete(table).where(row.in_(some)))).rowcount)
    return most
