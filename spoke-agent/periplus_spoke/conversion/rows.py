"""Objects to rows: a row is the cells of its table after `op`, `uid` and `observed_at`, in wire order.

Tuples of shared strings: five thousand pods cost a few MiB, equal rows compare fast, and the collector of cycles
does not track them.
"""

import ipaddress
from collections.abc import Iterator
from typing import Final, cast

from periplus_contract.tables import (
    CLUSTER,
    ENDPOINTS,
    FLOW_SOURCES,
    IP_ADDRESSES,
    MEANINGS,
    NAMESPACES,
    NODES,
    PODS,
    SERVICE_CIDRS,
    SERVICES,
    SOURCES,
    WORKLOADS,
    Table,
)
from periplus_spoke.conversion.node_location import location_of
from periplus_spoke.conversion.objects import (
    EndpointSlice,
    IpAddress,
    Node,
    Pod,
    Replicated,
    Service,
    ServiceCidr,
    ServicePort,
    Thing,
)
from periplus_spoke.conversion.records import Cell
from periplus_spoke.conversion.text import LabelFilter, Sharing, micros, pairs, shared

Row = tuple[Cell, ...]
FIXED_COLUMNS: Final = 3
"""`op`, `uid` and `observed_at` lead every inventory table and are no part of a Row."""

ORDER: Final = (
    CLUSTER,
    SOURCES,
    NAMESPACES,
    NODES,
    WORKLOADS,
    PODS,
    SERVICES,
    ENDPOINTS,
    SERVICE_CIDRS,
    IP_ADDRESSES,
    FLOW_SOURCES,
    MEANINGS,
)

SERVICE_LABEL: Final = "kubernetes.io/service-name"
MANAGED_BY_LABEL: Final = "ipaddress.kubernetes.io/managed-by"
_DIGITS: Final = 9
_ports: Final[Sharing[tuple[str, ...]]] = Sharing(4_096)
"""Every endpoint of a service repeats them."""
_FINISHED: Final = frozenset(("Succeeded", "Failed"))


def positions(table: Table) -> dict[str, int]:
    """Column name to index in a Row of `table`."""
    return {name: index for index, name in enumerate(table.column_names[FIXED_COLUMNS:])}


def namespace_row(thing: Thing, labels: LabelFilter) -> Row:
    """core/v1 Namespace."""
    meta = thing.metadata
    return (shared(meta.name), labels.keep(meta.labels), micros(meta.creation_timestamp))


def node_row(node: Node, labels: LabelFilter) -> Row:
    """core/v1 Node, with the location its labels or, failing those, its providerID name."""
    meta, location = node.metadata, location_of(node)
    addresses = tuple(f"{item.type}={item.address}" for item in node.status.addresses or ())
    return (
        shared(meta.name),
        node.spec.provider_id or None,
        shared(location.provider),
        shared(location.account),
        shared(location.region),
        shared(location.zone),
        shared(location.instance_type),
        addresses,
        tuple(pod_cidrs(node)),
        labels.keep(meta.labels),
        _pods_allocatable(node),
        _ready(node),
        micros(meta.creation_timestamp),
    )


def pod_cidrs(node: Node) -> list[str]:
    """`spec.podCIDRs`, or the single `spec.podCIDR` of old servers; as written, not checked."""
    return node.spec.pod_cidrs or ([node.spec.pod_cidr] if node.spec.pod_cidr else [])


def _pods_allocatable(node: Node) -> int | None:
    text = str((node.status.allocatable or {}).get("pods", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def _ready(node: Node) -> bool | None:
    status = next((item.status for item in node.status.conditions or () if item.type == "Ready"), None)
    return None if status in (None, "Unknown") else status == "True"


def workload_row(thing: Thing, kind: str, api_group: str, labels: LabelFilter) -> Row:
    """The top of an owner chain. Kinds that say how many they want have `replicas`; of others only metadata is read."""
    meta = thing.metadata
    return (
        shared(meta.namespace),
        shared(meta.name),
        kind,
        api_group,
        labels.keep(meta.labels),
        thing.spec.replicas if isinstance(thing, Replicated) else None,
        micros(meta.creation_timestamp),
    )


def pod_row(pod: Pod, workload: tuple[str, str] | None, labels: LabelFilter, ended_at_us: int | None) -> Row:
    """core/v1 Pod with the top of its owner chain and its end, if it has finished (`pod_end`)."""
    meta, status = pod.metadata, pod.status
    kind, name = workload or (None, None)
    ipv4, ipv6 = _families(pod)
    return (
        shared(meta.namespace),
        shared(meta.name),
        shared(pod.spec.node_name),
        shared(kind),
        shared(name),
        ipv4,
        ipv6,
        shared(status.phase),
        bool(pod.spec.host_network),
        micros(status.start_time),
        ended_at_us,
        labels.keep(meta.labels),
    )


_POD: Final = positions(PODS)


def pod_name(row: Row) -> str:
    """`namespace/name` of a pod's row."""
    return f"{row[_POD['namespace']]}/{row[_POD['name']]}"


def workload_and_end(row: Row | None) -> tuple[str | None, str | None, int | None]:
    """What a pod's row says that its next one must not forget: kind and name of its workload, and its end."""
    if row is None:
        return None, None, None
    kind, name, ended = (row[_POD[column]] for column in ("workload_kind", "workload_name", "ended_at"))
    return cast("str | None", kind), cast("str | None", name), cast("int | None", ended)


def _families(pod: Pod) -> tuple[str | None, str | None]:
    """The first address of each family. A text that is no address belongs to no family."""
    found: dict[int, str] = {}
    for text in [item.ip for item in pod.status.pod_ips or ()] or [pod.status.pod_ip]:
        version = family(text)
        if version and version not in found:
            found[version] = shared(text) or ""
    return found.get(4), found.get(6)


def family(text: str) -> int | None:
    """4 or 6, or None for what is not an address."""
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return None


def pod_end(pod: Pod, known_us: int | None, at_us: int) -> int | None:
    """When a finished pod ended; None while it runs. `known_us` is the end it was given before.

    Not every finished pod has a container that ended: evicted, rejected and lost ones do not. Then the last change of
    its conditions is the nearest there is, and without any the time at which it was first seen finished.
    """
    if pod.status.phase not in _FINISHED:
        return None
    ends = [
        micros(item.state.terminated.finished_at)
        for item in pod.status.container_statuses or ()
        if item.state and item.state.terminated
    ]
    changes = [micros(item.last_transition_time) for item in pod.status.conditions or ()]
    return _latest(ends) or known_us or min(_latest(changes) or at_us, at_us)


def _latest(moments: list[int | None]) -> int | None:
    return max((moment for moment in moments if moment is not None), default=None)


def service_row(service: Service, labels: LabelFilter) -> Row:
    """core/v1 Service."""
    meta, spec = service.metadata, service.spec
    assigned = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    ingress = (service.status.load_balancer.ingress if service.status.load_balancer else None) or ()
    return (
        shared(meta.namespace),
        meta.name,
        shared(spec.type) or "ClusterIP",
        spec.external_name or None,
        tuple(text for text in assigned if text != "None"),
        tuple(spec.external_ips or ()),
        tuple(item.ip for item in ingress if item.ip),
        tuple(item.hostname for item in ingress if item.hostname),
        tuple(_port(port) for port in spec.ports or ()),
        pairs(spec.selector),
        tuple(map(str, spec.ip_families or ())),
        tuple(spec.load_balancer_source_ranges or ()),
        labels.keep(meta.labels),
        shared(spec.traffic_distribution),
        shared(spec.internal_traffic_policy),
        shared(spec.external_traffic_policy),
        shared(spec.session_affinity),
        shared(spec.load_balancer_class),
        "None" in assigned,
        micros(meta.creation_timestamp),
    )


_SERVICE: Final = positions(SERVICES)


def service_name(row: Row) -> tuple[str, str]:
    """Namespace and name of a service's row."""
    return cast("str", row[_SERVICE["namespace"]] or ""), cast("str", row[_SERVICE["name"]] or "")


def service_addresses(row: Row) -> tuple[str, ...]:
    """Its addresses in its cluster."""
    return cast("tuple[str, ...]", row[_SERVICE["cluster_ips"]] or ())


def _port(port: ServicePort) -> str:
    parts = (port.name, port.protocol or "TCP", port.port, port.target_port, port.node_port, port.app_protocol)
    return "|".join("" if part is None else str(part) for part in parts)


def endpoint_rows(piece: EndpointSlice) -> Iterator[tuple[str, Row]]:
    """(uid, row) for each endpoint of a slice; an unknown `ready` counts as ready, as the API says."""
    meta = piece.metadata
    ports = tuple(
        f"{port.name or ''}|{port.protocol or 'TCP'}|{'' if port.port is None else port.port}|{port.app_protocol or ''}"
        for port in piece.ports or ()
    )
    service = shared((meta.labels or {}).get(SERVICE_LABEL))
    for endpoint in piece.endpoints or ():
        if not endpoint.addresses:
            continue
        address = endpoint.addresses[0]
        target, conditions = endpoint.target_ref, endpoint.conditions
        # Pods on the host's network share an address, and during an update two of them stand in one slice.
        member = target.uid if target and target.uid else address
        ready = conditions.ready if conditions else None
        yield (
            f"{meta.uid}/{member}",
            (
                shared(meta.namespace),
                service,
                shared(meta.name),
                shared(address),
                shared(piece.address_type),
                shared(endpoint.node_name),
                shared(endpoint.zone),
                shared(target.kind) if target else None,
                shared(target.namespace) if target else None,
                shared(target.name) if target else None,
                shared(target.uid) if target else None,
                True if ready is None else ready,
                conditions.serving if conditions else None,
                conditions.terminating if conditions else None,
                _ports.one(ports),
            ),
        )


def service_cidr_row(thing: ServiceCidr) -> Row:
    """networking/v1 ServiceCIDR; `ready` is unknown while no condition says so."""
    ready = next((item for item in thing.status.conditions or () if item.type == "Ready"), None)
    return (
        thing.metadata.name,
        "servicecidr",
        tuple(thing.spec.cidrs or ()),
        ready.status == "True" if ready else None,
        thing.metadata.deletion_timestamp is not None or (ready is not None and ready.reason == "Terminating"),
    )


def ip_address_row(thing: IpAddress) -> Row:
    """networking/v1 IPAddress."""
    parent = thing.spec.parent_ref
    return (
        thing.metadata.name,
        shared(parent.group) if parent else None,
        shared(parent.resource) if parent else None,
        shared(parent.namespace) if parent else None,
        shared(parent.name) if parent else None,
        shared((thing.metadata.labels or {}).get(MANAGED_BY_LABEL)),
    )
