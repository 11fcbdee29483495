"""Every kind that is watched: where it is listed, what is kept of it, and where it goes."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from periplus_contract import covers
from periplus_contract.tables import (
    ENDPOINTS,
    IP_ADDRESSES,
    NAMESPACES,
    NODES,
    PODS,
    SERVICE_CIDRS,
    SERVICES,
    WORKLOADS,
    Table,
)
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.conversion.objects import (
    EndpointSlice,
    IpAddress,
    Node,
    Pod,
    Replicated,
    Service,
    ServiceCidr,
    Thing,
)
from periplus_spoke.kube.lists import Resource

T = TypeVar("T", bound=Thing)


class Watched(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One kind and how the inventory takes it."""

    resource: Resource[T]
    upsert: Callable[[T, int], None]
    """Object and observation time in microseconds."""
    forget: Callable[[str, int], None]
    """Uid and observation time."""
    covers: str
    """What is complete once it has been listed, by the names of `periplus_contract.covers`."""
    known: Callable[[], Iterable[str]]
    """Uids the inventory holds of this kind; what a list does not name any more is forgotten."""


NETWORKING = "networking.k8s.io"
SERVICE_CIDRS_SOURCE = f"{NETWORKING}/servicecidrs"
IP_ADDRESSES_SOURCE = f"{NETWORKING}/ipaddresses"
_REPLICATED = (("apps", "deployments", "Deployment"), ("apps", "statefulsets", "StatefulSet"))
_TOPS = (("apps", "daemonsets", "DaemonSet"), ("batch", "cronjobs", "CronJob"))
_MIDDLES = (("apps", "replicasets", "ReplicaSet"), ("batch", "jobs", "Job"))


def catalog(inventory: Inventory) -> list[Watched[Any]]:
    """The kinds that every cluster serves, in the order their lists are started."""
    return [
        _plain(inventory, _core("namespaces", Thing, metadata_only=True), NAMESPACES, inventory.namespace),
        Watched(
            resource=_core("nodes", Node),
            upsert=inventory.node,
            forget=inventory.forget_node,
            covers=NODES.name,
            known=_keys(inventory, NODES),
        ),
        Watched(
            resource=_core("services", Service),
            upsert=inventory.service,
            forget=inventory.forget_service,
            covers=SERVICES.name,
            known=_keys(inventory, SERVICES),
        ),
        *(_middle(inventory, *names) for names in _MIDDLES),
        *(_top(inventory, _whole(group, plural), kind) for group, plural, kind in _REPLICATED),
        *(_top(inventory, _metadata(group, plural), kind) for group, plural, kind in _TOPS),
        Watched(
            resource=_core("pods", Pod),
            upsert=inventory.pod,
            forget=inventory.forget_pod,
            covers=PODS.name,
            known=_keys(inventory, PODS),
        ),
        Watched(
            resource=Resource(
                source="discovery.k8s.io/endpointslices",
                group="discovery.k8s.io",
                plural="endpointslices",
                version="v1",
                type=EndpointSlice,
            ),
            upsert=inventory.endpoint_slice,
            forget=inventory.forget_slice,
            covers=ENDPOINTS.name,
            known=partial(inventory.state.owners, ENDPOINTS),
        ),
    ]


def service_catalog(inventory: Inventory, version: str) -> list[Watched[Any]]:
    """ServiceCIDR and IPAddress, where the API server serves them in `version`."""
    cidrs: Resource[ServiceCidr] = Resource(
        source=SERVICE_CIDRS_SOURCE, group=NETWORKING, plural="servicecidrs", version=version, type=ServiceCidr
    )
    addresses: Resource[IpAddress] = Resource(
        source=IP_ADDRESSES_SOURCE, group=NETWORKING, plural="ipaddresses", version=version, type=IpAddress
    )
    return [
        _plain(inventory, cidrs, SERVICE_CIDRS, inventory.service_cidr),
        _plain(inventory, addresses, IP_ADDRESSES, inventory.ip_address),
    ]


def _core(plural: str, kind: type[T], *, metadata_only: bool = False) -> Resource[T]:
    return Resource(source=plural, group="", plural=plural, version="v1", type=kind, metadata_only=metadata_only)


def _metadata(group: str, plural: str) -> Resource[Thing]:
    return Resource(
        source=f"{group}/{plural}", group=group, plural=plural, version="v1", type=Thing, metadata_only=True
    )


def _whole(group: str, plural: str) -> Resource[Replicated]:
    return Resource(source=f"{group}/{plural}", group=group, plural=plural, version="v1", type=Replicated)


def _keys(inventory: Inventory, table: Table) -> Callable[[], Iterable[str]]:
    return lambda: tuple(inventory.state.rows(table))


def _plain(inventory: Inventory, resource: Resource[T], table: Table, upsert: Callable[[T, int], None]) -> Watched[T]:
    """A kind whose objects are one row each and nothing more."""
    return Watched(
        resource=resource,
        upsert=upsert,
        forget=partial(inventory.state.drop, table),
        covers=table.name,
        known=_keys(inventory, table),
    )


def _top(inventory: Inventory, resource: Resource[T], kind: str) -> Watched[T]:
    def known() -> Iterable[str]:
        rows = inventory.state.rows(WORKLOADS)
        return tuple(uid for uid, row in rows.items() if row[2] == kind)

    return Watched(
        resource=resource,
        upsert=lambda thing, at_us: inventory.workload(thing, kind, resource.group, at_us),
        forget=inventory.forget_workload,
        covers=covers.workloads(kind),
        known=known,
    )


def _middle(inventory: Inventory, group: str, plural: str, kind: str) -> Watched[Thing]:
    return Watched(
        resource=_metadata(group, plural),
        upsert=lambda thing, at_us: inventory.middle(thing, kind, group, at_us),
        forget=inventory.forget_middle,
        covers=covers.workloads(kind),
        known=partial(inventory.owners.known, kind),
    )
