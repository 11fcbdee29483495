"""Owners of addresses: clusters, and network domains in which people entered ranges."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, String, Subquery, case, func, literal, select, union_all

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.overlaps.engine.uses import KIND_OF, USE_OF_RANGE
from periplus_hub.addresses.overlaps.model import ENTERED_IN
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.fleet.tables import network_domains, registrations
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

NAME_OF_DOMAIN: Final[ColumnElement[str]] = literal(ENTERED_IN, String).concat(network_domains.c.name)
"""How the owner of what was entered in a network domain is called where clusters are listed."""
KIND_OF_RANGE: Final[ColumnElement[Any]] = case(
    {use.value: KIND_OF[found].value for use, found in USE_OF_RANGE.items()}, value=entered_ranges.c.use
)
"""The kind of allocation that an entered range is compared as."""


def owners(scope: Scope) -> Subquery:
    """Everybody who may have addresses, with a name and a network domain; a domain is in itself."""
    clusters, domains = registrations, network_domains
    of_clusters = select(clusters.c.tenant_id, clusters.c.id, clusters.c.name, clusters.c.domain_id)
    entered = select(domains.c.tenant_id, domains.c.id, NAME_OF_DOMAIN.label("name"), domains.c.id.label("domain_id"))
    return union_all(of_clusters.where(owned(scope, clusters)), entered.where(owned(scope, domains))).subquery("owners")


async def owner_names(c: ReadConnection, scope: Scope, ids: Collection[UUID]) -> dict[UUID, str]:
    """Of those that exist, by id."""
    table = owners(scope)
    rows = await c.rows(select(table.c.id, func.text(table.c.name).label("name")).where(one_of(table.c.id, ids)))
    return {row.id: row.name for row in rows}
