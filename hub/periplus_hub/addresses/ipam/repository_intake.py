"""What an ipam batch writes: a cluster's allocations and pools."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    LargeBinary,
    Row,
    Select,
    SmallInteger,
    Subquery,
    Text,
    Uuid,
    and_,
    cast,
    delete,
    join,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import CIDR, insert
from sqlalchemy.types import TypeEngine

from periplus_contract.covers import SEEN
from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.ipam import tables
from periplus_hub.addresses.ipam.engine.batch_rows import AllocationRows, CoveredAllocations
from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import WriteConnection

_TOLD_AGAIN: Final = timedelta(minutes=10)
_OF_A_POOL: Final[dict[str, TypeEngine[Any]]] = {
    "provider": Text(),
    "name": Text(),
    "family": SmallInteger(),
    "node": Text(),
}
_AS_TOLD: Final = {
    name: column for name, column in insert(tables.pools).excluded.items() if not tables.pools.c[name].primary_key
}
"""Made once: it takes longer than the statement."""
_PLACE: Final[ColumnElement[Any]] = literal_column("allocations.ctid")
_DESCRIPTIONS: Final = ("provider", "source", "name", "quality", "reach")


_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    **{column.name: Text() for column in fields(AllocationRows)},
    "family": SmallInteger(),
    "first_key": LargeBinary(),
    "last_key": LargeBinary(),
}


async def replace_allocations(
    c: WriteConnection, scope: Scope, registration_id: UUID, covered: CoveredAllocations, now: datetime
) -> bool:
    """Make what is stored of the covered kinds equal to the rows, touching only what differs.

    Returns whether anything did. Where only seen ones are covered and better ones are known, those stay and
    the seen ones are passed over: they would say the same again, less exactly.
    """
    table = tables.allocations
    incoming = array_table("incoming", _TYPES, (getattr(covered.rows, name) for name in _TYPES))
    whole = table.c.kind.in_([kind for kind, all_of_it in covered.kinds.items() if all_of_it])
    ours_to_change = or_(whole, and_(table.c.kind.in_(list(covered.kinds)), table.c.quality == SEEN))
    ours = (owned(scope, table), table.c.registration_id == registration_id, ours_to_change)
    better = await _better_known(c, scope, registration_id, covered)
    met = _met(select(_PLACE.label("place"), table.c.kind, table.c.cidr, table.c.node).where(*ours), incoming)
    gone = (
        await c.execute(delete(table).where(met.c.place == _PLACE, met.c.kind == table.c.kind, met.c.named.is_(None)))
    ).rowcount
    columns = ["tenant_id", "registration_id", "since", *_TYPES]
    values = select(
        literal(scope.tenant_id, Uuid()),
        literal(registration_id, Uuid()),
        literal(now, table.c.since.type),
        *(_as_cidr(column) if column.name == "cidr" else column for column in incoming.c),
    ).where(incoming.c.kind.in_([kind for kind in covered.kinds if kind not in better]))
    statement = insert(table).from_select(columns, values)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "registration_id", "kind", "cidr", "node"],
        set_={name: new[name] for name in _DESCRIPTIONS},
        where=or_(*(table.c[name].is_distinct_from(new[name]) for name in _DESCRIPTIONS)),
    )
    return gone + (await c.execute(statement)).rowcount > 0


def _met(known: Select[Any], incoming: Subquery) -> CTE:
    """Where each known row is (`place`), its kind, and that of the row that arrived for it (`named`), null for none.

    A full join, which PostgreSQL hashes or merges and never loops over: of a table that was never analysed it expects
    a few rows, and would go through all that arrived for each that is known.
    """
    old = known.subquery("known")
    same = (incoming.c.kind == old.c.kind) & (_as_cidr(incoming.c.cidr) == old.c.cidr)
    same &= incoming.c.node == old.c.node
    both = select(old.c.place, old.c.kind, incoming.c.kind.label("named")).select_from(
        join(old, incoming, same, full=True)
    )
    return both.cte("met").prefix_with("MATERIALIZED")


async def _better_known(
    c: WriteConnection, scope: Scope, registration_id: UUID, covered: CoveredAllocations
) -> set[str]:
    """Kinds of which only the seen ones are covered while others are stored."""
    kinds = [kind for kind, all_of_it in covered.kinds.items() if not all_of_it]
    if not kinds:
        return set()
    table = tables.allocations
    mine = (owned(scope, table), table.c.registration_id == registration_id)
    better = (table.c.kind.in_(kinds), table.c.quality != SEEN)
    return {row.kind for row in await c.rows(select(table.c.kind).distinct().where(*mine, *better))}


def _as_cidr(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(column, CIDR)


async def replace_pools(
    c: WriteConnection, scope: Scope, registration_id: UUID, rows: Sequence[dict[str, Any]], scopes: Collection[str]
) -> None:
    """The latest sample of these scopes replaces the one before: a pool that is not in it is gone.

    A cluster has pools for each of its nodes and tells of all of them every minute. Of those of which it says the same
    again nothing is written, but now and then when that was.
    """
    table = tables.pools
    ours = (owned(scope, table), table.c.registration_id == registration_id)
    told = {_pool_key(row): row for row in rows if row["scope"] in scopes}
    asked = select(*(table.c[name] for name in (*_OF_A_POOL, "digest", "observed_at")))
    known = {
        (row.provider, row.name, row.family, row.node): row
        for row in await c.rows(asked.where(*ours, table.c.scope.in_(list(scopes))))
    }
    gone = list(known.keys() - told.keys())
    if gone:
        named = array_table("gone", _OF_A_POOL, zip(*gone, strict=True))
        await c.execute(delete(table).where(*ours, *(table.c[name] == named.c[name] for name in _OF_A_POOL)))
    values = [{"registration_id": registration_id, **row} for key, row in told.items() if _is_news(row, known.get(key))]
    if values:
        statement = insert_owned(scope, table)
        # A pool may have changed its scope, from one that this batch does not cover.
        keys = table.primary_key.columns
        await c.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=_AS_TOLD), values)


def _pool_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _OF_A_POOL)


def _is_news(row: Mapping[str, Any], known: Row[Any] | None) -> bool:
    """Also where its time is far from the one that is stored: after a while, or when a clock was put right."""
    if known is None or known.digest != row["digest"]:
        return True
    passed: timedelta = row["observed_at"] - known.observed_at
    return not timedelta(0) <= passed < _TOLD_AGAIN
