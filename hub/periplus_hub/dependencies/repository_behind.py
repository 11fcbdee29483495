"""SQL of what stands behind services, and of pods that are no ends of flows."""

from typing import Final

from sqlalchemy import ColumnElement, FromClause, and_, case, exists, func, or_, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.dependencies.engine.reach import Named
from periplus_hub.dependencies.model import EndFilter
from periplus_hub.flows.model_kinds import SERVICE
from periplus_hub.inventory.tables import endpoints, pods
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

_MOST: Final = 20_000


async def fronts(c: ReadConnection, scope: Scope, name: str) -> list[tuple[Named, Named]]:
    """Services with each workload behind them: those of this name, and those with several.

    A service with one workload alone needs none: what goes to it is told of the workload.
    """
    kind = case((pods.c.workload_name.is_(None), "Pod"), else_=func.coalesce(pods.c.workload_kind, ""))
    same = and_(
        pods.c.tenant_id == endpoints.c.tenant_id,
        pods.c.registration_id == endpoints.c.registration_id,
        pods.c.uid == endpoints.c.target_uid,
    )
    behind = (
        select(
            endpoints.c.registration_id,
            func.coalesce(endpoints.c.namespace, "").label("namespace"),
            func.coalesce(endpoints.c.service, "").label("service"),
            kind.label("kind"),
            func.coalesce(pods.c.workload_name, pods.c.name, "").label("workload"),
        )
        .join_from(endpoints, pods, same)
        .where(owned(scope, endpoints))
        .distinct()
        .subquery()
    )
    of_service = (behind.c.registration_id, behind.c.namespace, behind.c.service)
    several = func.count().over(partition_by=of_service).label("several")
    counted = select(behind, several).subquery()
    wanted = select(counted).where(or_(counted.c.several > 1, counted.c.service == name)).limit(_MOST)
    return [
        (
            (row.registration_id.bytes, row.namespace, SERVICE, row.service),
            (row.registration_id.bytes, row.namespace, row.kind, row.workload),
        )
        for row in await c.rows(wanted)
    ]


async def pods_on_hosts(c: ReadConnection, scope: Scope, end: EndFilter) -> int:
    """How many pods of a workload or service of this name have their nodes' addresses, and so are no end of flows."""
    of_service = exists().where(
        owned(scope, endpoints),
        endpoints.c.registration_id == pods.c.registration_id,
        endpoints.c.target_uid == pods.c.uid,
        endpoints.c.service == end.name,
    )
    is_of_it = or_(pods.c.workload_name == end.name, pods.c.name == end.name, of_service)
    here = (owned(scope, pods), pods.c.host_network, pods.c.valid_to.is_(None), *_narrowed(pods, end))
    return int(await c.scalar(select(func.count()).select_from(pods).where(*here, is_of_it)) or 0)


def _narrowed(table: FromClause, end: EndFilter) -> list[ColumnElement[bool]]:
    narrowed = [one_of(table.c.registration_id, end.clusters)] if end.clusters else []
    return narrowed + ([] if end.namespace is None else [table.c.namespace == end.namespace])
