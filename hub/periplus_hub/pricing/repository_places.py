"""SQL of where clusters are, and whose their namespaces are."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.inventory.tables import clusters, namespaces
from periplus_hub.kit.db import ReadConnection
from periplus_hub.pricing.model import ClusterPlace


async def cluster_places(c: ReadConnection, scope: Scope) -> dict[UUID, ClusterPlace]:
    """Of each cluster the provider and the account that it tells, and its region if it has one alone."""
    names = ("registration_id", "provider", "account", "region", "regions")
    rows = await c.rows(select(*(clusters.c[name] for name in names)).where(owned(scope, clusters)))
    return {row.registration_id: _place(row.provider, row.account, row.region, row.regions) for row in rows}


def _place(provider: str | None, account: str | None, region: str | None, regions: Sequence[str]) -> ClusterPlace:
    known = {region, *regions} - {None, ""}
    only = next(iter(known)) if len(known) == 1 else None
    return ClusterPlace(provider=provider or "", account=account or "", region=only or "")


async def labelled_teams(c: ReadConnection, scope: Scope, label: str) -> Mapping[tuple[UUID, str], str]:
    """Of clusters and namespaces that have this label, its value."""
    prefix = f"{label}="
    told = select(namespaces.c.registration_id, namespaces.c.name, namespaces.c.labels)
    rows = await c.rows(told.where(owned(scope, namespaces)))
    found: dict[tuple[UUID, str], str] = {}
    for row in rows:
        value = next((each.removeprefix(prefix) for each in row.labels if each.startswith(prefix)), "")
        if value:
            found[row.registration_id, row.name] = value
    return found
