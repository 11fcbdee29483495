"""SQL of names: whether the inventory has the ends that are asked for, and what is called nearly so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, case, exists, false, func, literal, or_, select, true, union_all

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.dependencies.engine.near import Near
from periplus_hub.dependencies.model import EndFilter
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.flows.model_kinds import GATEWAY, NODE, OF_FLOWS, RANGE, SERVICE, SERVICE_IMPORT
from periplus_hub.inventory.tables import addresses, endpoints, meanings, namespaces, nodes, pods, services, workloads
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

_MOST: Final = 2_000
_POD_KIND: Final = case((pods.c.workload_name.is_(None), "Pod"), else_=func.coalesce(pods.c.workload_kind, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """Rows of the inventory that may be ends of flows."""

    table: Table
    name: ColumnElement[Any]
    kinds: tuple[str, ...] = ()
    """What each may be."""
    kind: ColumnElement[Any] | None = None
    """And what it says of itself."""
    namespace: ColumnElement[Any] | None = None
    ended_at: ColumnElement[Any] | None = None
    only: ColumnElement[bool] | None = None


def _in_namespaces(table: Table, name: ColumnElement[Any] | None = None, **more: Any) -> _Named:
    return _Named(table=table, name=table.c.name if name is None else name, namespace=table.c.namespace, **more)


_NAMED: Final = (
    _in_namespaces(workloads, kind=workloads.c.kind),
    _in_namespaces(services, kinds=(SERVICE,)),
    _in_namespaces(endpoints, name=endpoints.c.service, kinds=(SERVICE,)),
    _Named(table=nodes, name=nodes.c.name, kinds=(NODE,)),
    *(
        _in_namespaces(addresses, kinds=(kind,), ended_at=addresses.c.valid_to, only=addresses.c.owner_kind == word)
        for kind, word in ((SERVICE, "service"), (NODE, "node"))
    ),
    _in_namespaces(
        meanings,
        kinds=(SERVICE, SERVICE_IMPORT, GATEWAY, RANGE),
        kind=meanings.c.kind,
        ended_at=meanings.c.valid_to,
    ),
    _Named(table=entered_ranges, name=entered_ranges.c.name, kinds=(RANGE,), ended_at=entered_ranges.c.ended_at),
    _in_namespaces(
        pods, name=func.coalesce(pods.c.workload_name, pods.c.name), kind=_POD_KIND, ended_at=pods.c.valid_to
    ),
)
"""The largest table last: the statement looks no further than it has to."""


async def known(c: ReadConnection, scope: Scope, ends: Sequence[EndFilter], since: datetime) -> list[bool]:
    """Of each of these ends whether there is such a one now, or was since then."""
    columns = [_is_known(scope, each, since).label(f"end_{number}") for number, each in enumerate(ends)]
    row = await c.one_or_none(select(*columns))
    return [] if row is None else list(row)


def _is_known(scope: Scope, end: EndFilter, since: datetime) -> ColumnElement[bool]:
    if end.name is not None:
        return _anywhere(scope, end, since)
    kind = EndFilter(kind=None if end.kind in OF_FLOWS else end.kind)
    place = EndFilter(clusters=end.clusters, namespace=end.namespace)
    has_kind = true() if kind.is_any else _anywhere(scope, kind, since)
    if not end.namespace:
        return has_kind
    listed = exists().where(owned(scope, namespaces), namespaces.c.name == end.namespace, *_of_cluster(namespaces, end))
    return has_kind & or_(listed, _anywhere(scope, place, since))


def _anywhere(scope: Scope, end: EndFilter, since: datetime) -> ColumnElement[bool]:
    """Whether any of the inventory's tables has it."""
    return or_(false(), *(_has(scope, each, end, since) for each in _NAMED if _may_have(each, end)))


def _may_have(named: _Named, end: EndFilter) -> bool:
    has_kind = end.kind is None or end.kind in named.kinds or named.kind is not None
    return has_kind and (not end.namespace or named.namespace is not None)


def _has(scope: Scope, named: _Named, end: EndFilter, since: datetime) -> ColumnElement[bool]:
    wanted = [owned(scope, named.table), *_of_cluster(named.table, end)]
    if named.only is not None:
        wanted.append(named.only)
    if end.name is not None:
        wanted.append(named.name == end.name)
    if named.kind is not None and end.kind is not None and end.kind not in named.kinds:
        wanted.append(named.kind == end.kind)
    if named.namespace is not None and end.namespace is not None:
        wanted.append(func.coalesce(named.namespace, "") == end.namespace)
    if named.ended_at is not None:
        wanted.append(or_(named.ended_at.is_(None), named.ended_at > since))
    return exists().where(*wanted)


def _of_cluster(table: Table, end: EndFilter) -> list[ColumnElement[bool]]:
    """What objects say of other clusters may be of any: these are told by names of their own."""
    if not end.clusters:
        return []
    if table is entered_ranges:
        return [false()]
    own = one_of(table.c.registration_id, end.clusters)
    return [or_(own, func.cardinality(meanings.c.clusters) > 0) if table is meanings else own]


async def near(c: ReadConnection, scope: Scope, end: EndFilter) -> list[Near]:
    """What may have been meant, the likeliest first: of the asked place, or with just this name elsewhere."""
    asked = end.namespace if end.name is None else end.name
    found = (_namespaces(scope) if end.name is None else _workloads(scope, end.name)).subquery()
    likest = [found.c.alike == asked]
    likest += [one_of(found.c.registration_id, end.clusters)] if end.clusters else []
    likest += [] if end.namespace is None else [found.c.namespace == end.namespace]
    statement = (
        select(registrations.c.name.label("cluster"), found)
        .join_from(found, registrations, registrations.c.id == found.c.registration_id)
        .where(owned(scope, registrations), registrations.c.state == State.ACTIVE.value)
        .order_by(*(each.desc() for each in likest), "cluster", found.c.alike)
        .limit(_MOST)
    )
    return [
        Near(cluster=row.cluster, namespace=row.namespace, kind=row.kind, name=row.name, alike=row.alike)
        for row in await c.rows(statement)
    ]


def _namespaces(scope: Scope) -> Any:  # noqa: ANN401 - a Select, generic in its columns
    table, none = namespaces, literal("")
    columns = (table.c.name.label("namespace"), none.label("kind"), none.label("name"), table.c.name.label("alike"))
    return select(table.c.registration_id, *columns).where(owned(scope, table))


def _workloads(scope: Scope, name: str) -> Any:  # noqa: ANN401 - as above
    """And services; a pod of just this name stands for its workload, as in flows."""
    parts = [
        select(
            table.c.registration_id,
            table.c.namespace,
            kind.label("kind"),
            table.c.name.label("name"),
            table.c.name.label("alike"),
        ).where(owned(scope, table), table.c.name.is_not(None))
        for table, kind in ((workloads, workloads.c.kind), (services, literal(SERVICE)))
    ]
    of_pods = select(pods.c.registration_id, pods.c.namespace, _POD_KIND, pods.c.workload_name, pods.c.name)
    here = (pods.c.name == name, pods.c.workload_name.is_not(None), pods.c.valid_to.is_(None))
    return union_all(*parts, of_pods.where(owned(scope, pods), *here))
