"""What an ipam batch writes: a cluster's allocations and pools, and the revision that says they changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    SmallInteger,
    Subquery,
    Text,
    Uuid,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, insert
from sqlalchemy.types import TypeEngine

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses import tables
from periplus_hub.kit.db import WriteConnection, lock_number

_DESCRIPTIONS: Final = ("provider", "source", "name", "node", "quality")


@dataclass(slots=True)
class AllocationRows:
    """A cluster's complete set as columns, one row per (kind, cidr)."""

    kind: list[str] = field(default_factory=list)
    cidr: list[str] = field(default_factory=list)
    family: list[int] = field(default_factory=list)
    first_key: list[bytes] = field(default_factory=list)
    last_key: list[bytes] = field(default_factory=list)
    provider: list[str] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    node: list[str] = field(default_factory=list)
    quality: list[str] = field(default_factory=list)


_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    **{column.name: Text() for column in fields(AllocationRows)},
    "family": SmallInteger(),
    "first_key": LargeBinary(),
    "last_key": LargeBinary(),
}


async def replace_allocations(
    c: WriteConnection, scope: Scope, registration_id: UUID, rows: AllocationRows, now: datetime
) -> bool:
    """Make the stored set equal to `rows`, touching only what differs; whether a CIDR came or went."""
    table = tables.allocations
    incoming = _incoming(rows)
    named = exists().where(incoming.c.kind == table.c.kind, _as_cidr(incoming.c.cidr) == table.c.cidr)
    ours = (owned(scope, table), table.c.registration_id == registration_id)
    gone = (await c.execute(delete(table).where(*ours, ~named))).rowcount
    columns = ["tenant_id", "registration_id", "since", *_TYPES]
    values = select(
        literal(scope.tenant_id, Uuid()),
        literal(registration_id, Uuid()),
        literal(now, table.c.since.type),
        *(_as_cidr(column) if column.name == "cidr" else column for column in incoming.c),
    )
    statement = insert(table).from_select(columns, values)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "registration_id", "kind", "cidr"],
        set_={name: new[name] for name in _DESCRIPTIONS},
        where=or_(*(table.c[name].is_distinct_from(new[name]) for name in _DESCRIPTIONS)),
    )
    touched = await c.rows(statement.returning(literal_column("xmax = 0").label("is_new")))
    return gone > 0 or any(row.is_new for row in touched)


def _incoming(rows: AllocationRows) -> Subquery:
    """The rows as a table inside the statement: one array per column."""
    return select(
        *(
            func.unnest(bindparam(f"rows_{name}", getattr(rows, name), type_=ARRAY(kind))).label(name)
            for name, kind in _TYPES.items()
        )
    ).subquery("incoming")


def _as_cidr(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(column, CIDR)


async def replace_pools(
    c: WriteConnection, scope: Scope, registration_id: UUID, rows: Sequence[dict[str, Any]]
) -> None:
    """The latest sample replaces the one before: a pool that is not in it is gone."""
    table = tables.pools
    await c.execute(delete(table).where(owned(scope, table), table.c.registration_id == registration_id))
    if rows:
        await c.execute(insert_owned(scope, table), [{"registration_id": registration_id, **row} for row in rows])


async def record_change(c: WriteConnection, scope: Scope, registration_ids: Sequence[UUID], now: datetime) -> int:
    """Say that these clusters' allocations or domains changed; returns the last revision.

    Revisions of one tenant are handed out and committed one after the other (the lock holds until commit), so whoever
    sees revision N sees everything below it.
    """
    number = lock_number(f"allocation_changes {scope.tenant_id}")
    await c.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
    table = tables.allocation_changes
    values = [{"registration_id": registration_id, "at": now} for registration_id in registration_ids]
    revision = 0
    for value in values:
        revision = await c.scalar(insert_owned(scope, table).values(**value).returning(table.c.revision))
    return int(revision)
