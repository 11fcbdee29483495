"""What people say of the reach of a cluster's addresses, over what its spoke tells."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Row, delete, func, select

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.ipam.tables import reach_corrections
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection

_TABLE: Final = reach_corrections
SAYS: Final = "="
"""Between kind and reach in what `corrections_of` answers."""


async def corrections_by_clusters(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, list[Row[Any]]]:
    """By cluster, those of pods first."""
    found: dict[UUID, list[Row[Any]]] = {each: [] for each in ids}
    mine = (owned(scope, _TABLE), one_of(_TABLE.c.registration_id, ids))
    for row in await c.rows(select(_TABLE).where(*mine).order_by(_TABLE.c.registration_id, _TABLE.c.kind)):
        found[row.registration_id].append(row)
    return found


def corrections_of(scope: Scope, clusters: FromClause, name: str) -> ColumnElement[list[str] | None]:
    """Within a statement about clusters: what was said of each, by the column with its id."""
    each = _TABLE.c.kind + SAYS + _TABLE.c.reach
    mine = (owned(scope, _TABLE), _TABLE.c.registration_id == clusters.c[name])
    said = select(func.array_agg(each)).where(*mine).correlate(clusters).scalar_subquery()
    return said.label("corrections")


async def put_corrections(
    c: WriteConnection, scope: Scope, ids: Sequence[UUID], correction: Mapping[str, str], now: datetime
) -> None:
    """`correction` has kind, reach and reason. It takes the place of the one before."""
    values = [{"registration_id": each, "set_by": scope.actor, "set_at": now, **correction} for each in ids]
    statement = insert_owned(scope, _TABLE)
    new = {name: statement.excluded[name] for name in ("reach", "reason", "set_by", "set_at")}
    keys = ["tenant_id", "registration_id", "kind"]
    await c.execute(statement.on_conflict_do_update(index_elements=keys, set_=new), values)


async def drop_corrections(c: WriteConnection, scope: Scope, ids: Sequence[UUID], kind: AllocationKind) -> None:
    """What the spokes tell holds again."""
    mine = (owned(scope, _TABLE), one_of(_TABLE.c.registration_id, ids), _TABLE.c.kind == kind.value)
    await c.execute(delete(_TABLE).where(*mine))
