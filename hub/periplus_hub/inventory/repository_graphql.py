"""Lists of a cluster's contents as GraphQL pages through them: per cluster, or over the whole fleet."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, func

from periplus_hub.access.scope import Scope, owned
from periplus_hub.inventory import tables
from periplus_hub.inventory.model import InventoryFilter
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.keyset import Listing, contains_text, id_column, plain


def _texts(table: Table, *names: str) -> list[ColumnElement[Any]]:
    """Texts every object of Kubernetes has; a spoke that did not fill them gives the empty text."""
    return [func.coalesce(table.c[name], "").label(name) for name in names]


def _narrowed(table: Table) -> Callable[[Scope, InventoryFilter | None], Sequence[ColumnElement[bool]]]:
    def where(scope: Scope, only: InventoryFilter | None) -> Sequence[ColumnElement[bool]]:
        conditions = [owned(scope, table)]
        if "valid_to" in table.c and not (only and only.include_gone):
            conditions.append(table.c.valid_to.is_(None))
        if only and only.registration_ids:
            conditions.append(table.c.registration_id.in_(only.registration_ids))
        if only and only.namespace:
            conditions.append(table.c.namespace == only.namespace)
        if only and only.name_contains:
            conditions.append(contains_text(table.c.name, only.name_contains))
        return conditions

    return where


def _listing(table: Table, kind: str, *columns: ColumnElement[Any]) -> Listing[Scope]:
    """In the order of the primary key, which costs no sorting however long the list."""
    identity = [id_column(kind, table.c.registration_id, table.c.uid), *plain(table, "registration_id", "uid")]
    return Listing[Scope](
        name=table.name,
        source=table,
        columns=[*identity, *columns],
        order=[table.c.registration_id, table.c.uid],
        where=_narrowed(table),
        parent=table.c.registration_id,
    )


_pods: Final = tables.pods

LISTINGS: Final[dict[str, Listing[Scope]]] = {
    "Namespace": _listing(
        tables.namespaces,
        "Namespace",
        *_texts(tables.namespaces, "name"),
        *plain(tables.namespaces, "created_at"),
        tables.namespaces.c.labels.label("label_texts"),
    ),
    "KubernetesNode": _listing(
        tables.nodes,
        "KubernetesNode",
        *_texts(tables.nodes, "name"),
        *plain(tables.nodes, "provider_id", "provider", "account", "region", "zone", "instance_type"),
        tables.nodes.c.addresses.label("address_texts"),
        *plain(tables.nodes, "pod_cidrs", "pods_allocatable", "ready", "created_at"),
        tables.nodes.c.labels.label("label_texts"),
    ),
    "Workload": _listing(
        tables.workloads,
        "Workload",
        *_texts(tables.workloads, "namespace", "name", "kind"),
        *plain(tables.workloads, "api_group", "replicas", "created_at"),
        tables.workloads.c.labels.label("label_texts"),
    ),
    "Pod": _listing(
        _pods,
        "Pod",
        *_texts(_pods, "namespace", "name"),
        *plain(_pods, "node", "workload_kind", "workload_name", "phase", "host_network"),
        _pods.c.labels.label("label_texts"),
        func.host(_pods.c.ipv4).label("ipv4"),
        func.host(_pods.c.ipv6).label("ipv6"),
        *plain(_pods, "valid_from", "valid_to"),
    ),
    "Service": _listing(
        tables.services,
        "Service",
        *_texts(tables.services, "namespace", "name"),
        *plain(tables.services, "type", "external_name", "cluster_ips", "external_ips", "load_balancer_ips"),
        *plain(tables.services, "load_balancer_hostnames", "ip_families"),
        tables.services.c.selector.label("selector_texts"),
        tables.services.c.ports.label("port_texts"),
        tables.services.c.labels.label("label_texts"),
        *plain(tables.services, "headless", "created_at"),
    ),
    "Endpoint": _listing(
        tables.endpoints,
        "Endpoint",
        *_texts(tables.endpoints, "namespace"),
        *plain(tables.endpoints, "service", "slice", "address", "address_type", "node", "zone", "target_kind"),
        *plain(tables.endpoints, "target_namespace", "target_name", "ready", "serving", "terminating"),
        tables.endpoints.c.ports.label("port_texts"),
    ),
}
"""By the name of the GraphQL type."""

TABLES: Final[dict[str, Table]] = {
    "Namespace": tables.namespaces,
    "KubernetesNode": tables.nodes,
    "Workload": tables.workloads,
    "Pod": tables.pods,
    "Service": tables.services,
    "Endpoint": tables.endpoints,
}


async def object_row(c: ReadConnection, scope: Scope, kind: str, registration_id: UUID, uid: str) -> Row[Any] | None:
    """One object's row, for `node`; a pod that is gone is gone here too."""
    table = TABLES[kind]
    return await LISTINGS[kind].one(c, scope, table.c.registration_id == registration_id, table.c.uid == uid)
