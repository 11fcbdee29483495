"""SQL of whose infrastructure clusters are on."""

from uuid import UUID

from sqlalchemy import select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.inventory.tables import clusters
from periplus_hub.kit.db import ReadConnection


async def providers(c: ReadConnection, scope: Scope) -> dict[UUID, str]:
    """The provider of each cluster that tells one."""
    told = select(clusters.c.registration_id, clusters.c.provider)
    rows = await c.rows(told.where(owned(scope, clusters), clusters.c.provider.is_not(None)))
    return {row.registration_id: row.provider for row in rows}
