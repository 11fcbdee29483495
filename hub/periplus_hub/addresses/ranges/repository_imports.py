"""Imports of which parts are still to come: what came of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.ranges.tables import range_import_parts as _table
from periplus_hub.kit.db import ReadConnection, WriteConnection


class Arrived(NamedTuple):
    """How much of an import has come: its next part's number, its bytes, and whose it is."""

    parts: int
    size_bytes: int
    by: str


async def arrived(c: ReadConnection, scope: Scope, import_id: UUID) -> Arrived | None:
    """None for one of which nothing is there."""
    size_bytes, by = func.sum(func.length(_table.c.content)), func.min(_table.c.created_by)
    columns = (func.count().label("parts"), size_bytes.label("size_bytes"), by.label("by"))
    (row,) = await c.rows(select(*columns).where(owned(scope, _table), _table.c.import_id == import_id))
    return Arrived(row.parts, int(row.size_bytes), row.by) if row.parts else None


async def unfinished(c: ReadConnection, scope: Scope) -> int:
    """How many imports there are of which parts are still to come."""
    count = func.count(_table.c.import_id.distinct())
    return int(await c.scalar(select(count).where(owned(scope, _table))) or 0)


async def add_part(
    c: WriteConnection, scope: Scope, import_id: UUID, number: int, content: bytes, *, now: datetime
) -> None:
    """Keep one more; parts are numbered from 0."""
    values = {"import_id": import_id, "number": number, "content": content}
    await c.execute(insert_owned(scope, _table).values(created_by=scope.actor, created_at=now, **values))


async def take_parts(c: WriteConnection, scope: Scope, import_id: UUID) -> list[bytes]:
    """All that came, in order; it is kept no longer."""
    gone = delete(_table).where(owned(scope, _table), _table.c.import_id == import_id)
    rows = await c.rows(gone.returning(_table.c.number, _table.c.content))
    return [row.content for row in sorted(rows, key=lambda row: row.number)]


async def forgettable(c: ReadConnection, scope: Scope, before: datetime) -> list[UUID]:
    """Imports of which no part has come since then."""
    latest = func.max(_table.c.created_at)
    statement = select(_table.c.import_id).where(owned(scope, _table)).group_by(_table.c.import_id)
    return [row.import_id for row in await c.rows(statement.having(latest < before))]


async def forget(c: WriteConnection, scope: Scope, import_ids: Sequence[UUID]) -> None:
    """Their parts are kept no longer."""
    await c.execute(delete(_table).where(owned(scope, _table), _table.c.import_id.in_(import_ids)))
