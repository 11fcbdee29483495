"""What people say of the reach of addresses, of clusters and of all clusters of a domain, over what spokes tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, ColumnElement, FromClause, Row, Table, delete, func, select

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.ipam.tables import domain_reach_corrections, reach_corrections
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection

SAYS: Final = "="
"""Between kind and reach in what `corrections_of` answers."""


@dataclass(frozen=True, slots=True, eq=False)
class Subjects:
    """What corrections are about: clusters, or network domains with whatever clusters are in them."""

    table: Table
    column: Column[Any]
    """Their ids."""


CLUSTERS: Final = Subjects(reach_corrections, reach_corrections.c.registration_id)
DOMAINS: Final = Subjects(domain_reach_corrections, domain_reach_corrections.c.domain_id)


async def corrections_by_clusters(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, list[Row[Any]]]:
    """By cluster and kind; what was said of its domain is not among them."""
    return await corrections(c, scope, CLUSTERS, ids)


async def corrections_by_domains(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, list[Row[Any]]]:
    """By network domain and kind."""
    return await corrections(c, scope, DOMAINS, ids)


async def corrections(c: ReadConnection, scope: Scope, of: Subjects, ids: Sequence[UUID]) -> dict[UUID, list[Row[Any]]]:
    """By subject and kind."""
    found: dict[UUID, list[Row[Any]]] = {each: [] for each in ids}
    mine = (owned(scope, of.table), one_of(of.column, ids))
    statement = select(of.table, of.column.label("subject")).where(*mine).order_by(of.column, of.table.c.kind)
    for row in await c.rows(statement):
        found[row.subject].append(row)
    return found


def corrections_of(scope: Scope, clusters: FromClause, name: str) -> ColumnElement[list[str] | None]:
    """Within a statement about clusters: what was said of each, by the column with its id.

    A cluster's own come last: they win over those of its domain.
    """
    cluster, domains = clusters.c[name], DOMAINS.table
    own = select(_said(CLUSTERS)).where(owned(scope, CLUSTERS.table), CLUSTERS.column == cluster)
    home = registrations.join(domains, DOMAINS.column == registrations.c.domain_id)
    mine = (owned(scope, registrations), owned(scope, domains), registrations.c.id == cluster)
    of_domain = select(_said(DOMAINS)).select_from(home).where(*mine)
    # In this order: readers apply them one after the other, and the last word counts.
    both = (each.correlate(clusters).scalar_subquery() for each in (of_domain, own))
    return func.array_cat(*both).label("corrections")


def _said(of: Subjects) -> ColumnElement[Sequence[str]]:
    return func.array_agg(of.table.c.kind + SAYS + of.table.c.reach)


async def put_corrections(
    c: WriteConnection, scope: Scope, of: Subjects, ids: Sequence[UUID], correction: Mapping[str, object]
) -> None:
    """`correction` has kind, reach, reason and set_at. It takes the place of the one before."""
    values = [{of.column.name: each, "set_by": scope.actor, **correction} for each in ids]
    statement = insert_owned(scope, of.table)
    new = {name: statement.excluded[name] for name in ("reach", "reason", "set_by", "set_at")}
    await c.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", of.column.name, "kind"], set_=new), values
    )


async def drop_corrections(
    c: WriteConnection, scope: Scope, of: Subjects, ids: Sequence[UUID], kind: AllocationKind
) -> None:
    """What the spokes tell holds again."""
    mine = (owned(scope, of.table), one_of(of.column, ids), of.table.c.kind == kind.value)
    await c.execute(delete(of.table).where(*mine))
