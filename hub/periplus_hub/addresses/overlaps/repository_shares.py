"""Storing what every cluster has in a group."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    Text,
    Uuid,
    delete,
    func,
    join,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.types import TypeEngine

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.overlaps import tables
from periplus_hub.addresses.overlaps.engine.stored_groups import digest_of
from periplus_hub.addresses.overlaps.engine.tenant_register import Share
from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.query_plans import looked_up

_TABLE: Final = tables.overlap_group_clusters
_PLACE: Final[ColumnElement[Any]] = literal_column("overlap_group_clusters.ctid")
_ROWS_AT_ONCE: Final = 10_000
_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    "group_id": Uuid(),
    "registration_id": Uuid(),
    "severity": Text(),
    "uses": Text(),
    "members": BigInteger(),
}
_CONTENT: Final = ("severity", "uses", "members")


async def share_digests(c: ReadConnection, scope: Scope) -> dict[UUID, int]:
    """The digest of every stored group's shares: PostgreSQL writes the text that `str(Share)` is."""
    uses = func.array_to_string(_TABLE.c.uses, ",")
    line = func.concat_ws(" ", _TABLE.c.registration_id, _TABLE.c.severity, uses, _TABLE.c.members)
    lines = func.string_agg(line, aggregate_order_by(literal(";"), _TABLE.c.registration_id))
    statement = select(_TABLE.c.group_id, lines.label("lines")).where(owned(scope, _TABLE)).group_by(_TABLE.c.group_id)
    return {row.group_id: digest_of(row.lines) for row in await c.rows(statement)}


async def save_shares(c: WriteConnection, scope: Scope, groups: Iterable[tuple[UUID, Sequence[Share]]]) -> None:
    """Make the stored shares of these groups equal to what is given, touching only what differs.

    To be run `by_index`. Old and new meet in a full join, which PostgreSQL hashes or merges and never loops over.
    """
    for some in _batched(groups):
        # Only what differs is written: a row that is written again is a dead row for VACUUM and a page for the WAL.
        incoming = _incoming(some)
        known = _known([group_id for group_id, _ in some], scope)
        same = (incoming.c.group_id == known.c.group_id) & (incoming.c.registration_id == known.c.registration_id)
        met = select(known.c.place, known.c.group_id).select_from(join(known, incoming, same, full=True))
        await _delete(c, met.where(incoming.c.group_id.is_(None)))
        values = select(
            literal(scope.tenant_id, Uuid()),
            *(func.string_to_array(each, ",") if each.name == "uses" else each for each in incoming.c),
        )
        statement = insert(_TABLE).from_select(["tenant_id", *_TYPES], values)
        new = statement.excluded
        await c.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "group_id", "registration_id"],
                set_={name: new[name] for name in _CONTENT},
                where=or_(*(_TABLE.c[name].is_distinct_from(new[name]) for name in _CONTENT)),
            )
        )


async def drop_shares(c: WriteConnection, scope: Scope, group_ids: Sequence[UUID]) -> None:
    """These groups are gone. To be run `by_index`."""
    known = _known(group_ids, scope)
    await _delete(c, select(known.c.place, known.c.group_id))


async def _delete(c: WriteConnection, rows: Select[Any]) -> None:
    """Rows by their `place`."""
    # By ctid, which the join just read: through the index every row would be looked for twice. Safe within one
    # statement, which has one snapshot; the group's id beside it keeps the plan on the tenant's own rows.
    gone = rows.cte("gone").prefix_with("MATERIALIZED")
    await c.execute(delete(_TABLE).where(gone.c.place == _PLACE, gone.c.group_id == _TABLE.c.group_id))


def _known(group_ids: Sequence[UUID], scope: Scope) -> Subquery:
    """What is stored of these groups, and where."""
    asked = array_table("asked", {"group_id": Uuid()}, [group_ids])
    mine = select(_PLACE.label("place"), _TABLE.c.group_id, _TABLE.c.registration_id)
    rows = looked_up(mine.where(owned(scope, _TABLE), _TABLE.c.group_id == asked.c.group_id), asked)
    return select(rows).select_from(asked.join(rows, true())).subquery("known")


def _batched(groups: Iterable[tuple[UUID, Sequence[Share]]]) -> Iterator[list[tuple[UUID, Sequence[Share]]]]:
    some, rows = [], 0
    for group_id, shares in groups:
        some.append((group_id, shares))
        rows += len(shares)
        if rows >= _ROWS_AT_ONCE:
            yield some
            some, rows = [], 0
    if some:
        yield some


def _incoming(groups: Sequence[tuple[UUID, Sequence[Share]]]) -> Subquery:
    rows = [(group_id, *share) for group_id, shares in groups for share in shares]
    return array_table("incoming", _TYPES, zip(*rows, strict=True))
