"""Whether workloads are there, and how many pods of them are wanted."""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Text, Uuid, and_, select
from sqlalchemy.types import TypeEngine

from periplus_hub.access.scope import Scope, owned
from periplus_hub.inventory.tables import workloads
from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import ReadConnection

NamedWorkload = tuple[UUID, str, str, str]
"""Cluster, namespace, kind and name."""

_KEY: Final[Mapping[str, TypeEngine[Any]]] = {
    "registration_id": Uuid(),
    **{name: Text() for name in ("namespace", "kind", "name")},
}


async def workload_replicas(
    c: ReadConnection, scope: Scope, asked: Collection[NamedWorkload]
) -> dict[NamedWorkload, int | None]:
    """Of those that are there the number of pods that is wanted, None where their kind has none; others are missing."""
    if not asked:
        return {}
    named = array_table("asked", _KEY, zip(*asked, strict=True))
    same = and_(*(workloads.c[each] == named.c[each] for each in _KEY))
    statement = select(*(workloads.c[each] for each in _KEY), workloads.c.replicas).select_from(workloads)
    rows = await c.rows(statement.join(named, same).where(owned(scope, workloads)))
    return {(row.registration_id, row.namespace, row.kind, row.name): row.replicas for row in rows}
