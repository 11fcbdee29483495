"""What people may ask about a cluster's contents. Every function is one statement, whatever the number of ids."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Row, Select, Table, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from periplus_hub.access.scope import Scope, owned
from periplus_hub.ingest.tables import chains
from periplus_hub.inventory import tables
from periplus_hub.inventory.model import (
    ClusterAsTold,
    Counts,
    Source,
)
from periplus_hub.inventory.model_flow_sources import FlowSource
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

T = TypeVar("T")
_NEVER_NULL: Final = frozenset({"name", "namespace", "kind"})
"""Texts every object of Kubernetes has; a spoke that did not fill them gets the empty text."""


def _reader(model: type[T], table: Table, **renamed: str) -> tuple[Select[Any], Callable[[Row[Any]], T]]:
    """The select of a model's fields from a table, and the conversion of its rows."""
    names: list[str] = list(model.__dataclass_fields__)  # type: ignore[attr-defined]  # models are dataclasses
    columns = [
        func.coalesce(table.c[name], "").label(name)
        if name in _NEVER_NULL and name not in renamed
        else table.c[renamed.get(name, name)].label(name)
        for name in names
    ]

    def convert(row: Row[Any]) -> T:
        return model(**{name: _value(value) for name, value in zip(names, row, strict=True)})

    return select(*columns), convert


def _value(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    return str(value) if hasattr(value, "packed") else value


_FACTS, _facts = _reader(ClusterAsTold, tables.clusters)
_SOURCES, _source = _reader(Source, tables.sources, name="uid")
_FLOW_SOURCES, _flow_source = _reader(FlowSource, tables.flow_sources)
_COUNTS, _ = _reader(Counts, tables.counts)


_UNREADABLE: Final = ("forbidden", "failed", "slow")
_COUNTED_FROM: Final = {
    "namespaces": "namespaces",
    "nodes": "nodes",
    "pods": "pods",
    "services": "services",
    "discovery.k8s.io/endpointslices": "endpoints",
    "apps/deployments": "workloads",
    "apps/statefulsets": "workloads",
    "apps/daemonsets": "workloads",
    "batch/cronjobs": "workloads",
}
"""Which count is only a part when a source cannot be read."""


async def cluster_facts_by_registration(
    c: ReadConnection, scope: Scope, ids: Sequence[UUID]
) -> dict[UUID, ClusterAsTold]:
    """What each cluster says of itself; those that have not said anything are missing."""
    table = tables.clusters
    # A recreated cluster can for a moment have two kube-system uids: the newest word counts.
    statement = (
        _FACTS.where(owned(scope, table), table.c.registration_id.in_(ids))
        .ext(distinct_on(table.c.registration_id))
        .order_by(table.c.registration_id, table.c.observed_at.desc())
    )
    return {row.registration_id: _facts(row) for row in await c.rows(statement)}


async def sources_by_registration(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, list[Source]]:
    """What each spoke tried to read, by name."""
    table = tables.sources
    # One array, however many: a parameter for each would end at the protocol's 32,767.
    asked = one_of(table.c.registration_id, ids)
    statement = _SOURCES.where(owned(scope, table), asked).order_by(table.c.uid)
    found: dict[UUID, list[Source]] = {registration_id: [] for registration_id in ids}
    for row in await c.rows(statement):
        found[row.registration_id].append(_source(row))
    return found


async def flow_sources_by_registration(
    c: ReadConnection, scope: Scope, ids: Sequence[UUID]
) -> dict[UUID, list[FlowSource]]:
    """What flows could be read from in each cluster, by kind and place."""
    table = tables.flow_sources
    statement = _FLOW_SOURCES.where(owned(scope, table), one_of(table.c.registration_id, ids)).order_by(table.c.uid)
    found: dict[UUID, list[FlowSource]] = {registration_id: [] for registration_id in ids}
    for row in await c.rows(statement):
        found[row.registration_id].append(_flow_source(row))
    return found


async def counts_by_registration(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Counts]:
    """Live objects per cluster; one without a whole first snapshot is missing: unknown is not zero, nor a part."""
    table, sources = tables.counts, tables.sources
    unread = (
        select(func.array_agg(sources.c.uid))
        .where(
            owned(scope, sources),
            sources.c.registration_id == table.c.registration_id,
            sources.c.state.in_(_UNREADABLE),
        )
        .scalar_subquery()
    )
    whole = (
        select(chains.c.registration_id)
        .where(
            owned(scope, chains),
            chains.c.registration_id == table.c.registration_id,
            chains.c.complete_since.is_not(None),
        )
        .exists()
    )
    statement = _COUNTS.add_columns(unread.label("unread")).where(
        owned(scope, table), table.c.registration_id.in_(ids), whole
    )
    return {row.registration_id: _known_counts(row) for row in await c.rows(statement)}


def _known_counts(row: Row[Any]) -> Counts:
    """Without the numbers that are only a part."""
    hidden = {_COUNTED_FROM.get(source) for source in row.unread or ()}
    fields: dict[str, Any] = {
        name: None if name in hidden else getattr(row, name) for name in Counts.__dataclass_fields__
    }
    return Counts(**fields)
