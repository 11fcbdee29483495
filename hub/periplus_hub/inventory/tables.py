"""What a cluster contains. Rows are current unless they carry [valid_from, valid_to).

`uid` is unique within table and cluster. Addresses are text in canonical form: they are compared for equality
only; ranges live in the addresses slice.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, PrimaryKeyConstraint, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import INET

from periplus_hub.kit.tables import TextArray, metadata, time_column

BYTEWISE: Final = Text(collation="C")
"""Object uids are compared, never sorted for people: byte order is several times cheaper than a language's."""


def _tenant() -> "Column[object]":
    """Without the foreign key other tables have: its check per row costs more than the row.

    The registration a batch is applied under was read, locked and scoped in the same transaction.
    """
    return Column("tenant_id", Uuid, nullable=False)


def _object(name: str, *columns: "Column[object] | Index") -> Table:
    return Table(
        name,
        metadata,
        _tenant(),
        Column("registration_id", Uuid, nullable=False),
        Column("uid", BYTEWISE, nullable=False),
        *columns,
        PrimaryKeyConstraint("tenant_id", "registration_id", "uid"),
    )


def _texts(*names: str) -> tuple["Column[object]", ...]:
    return tuple(Column(name, Text) for name in names)


def _lists(*names: str) -> tuple["Column[object]", ...]:
    return tuple(Column(name, TextArray(), nullable=False, server_default=text("'{}'")) for name in names)


clusters: Final = _object(
    "clusters",
    *_texts("provider", "account", "region", "kubernetes_version", "platform", "distribution"),
    *_lists("regions", "zones", "cnis", "aliases"),
    *_texts("clusterset", "clusterset_cluster_id", "api_ca_sha256"),
    time_column("observed_at", nullable=False),
)
sources: Final = _object(
    "sources",
    *_texts("state", "reason", "message", "remedy"),
    Column("objects", BigInteger),
    time_column("as_of"),
    time_column("observed_at", nullable=False),
)
namespaces: Final = _object("namespaces", *_texts("name"), *_lists("labels"), time_column("created_at"))
nodes: Final = _object(
    "nodes",
    *_texts("name", "provider_id", "provider", "account", "region", "zone", "instance_type"),
    *_lists("addresses", "pod_cidrs", "labels"),
    Column("pods_allocatable", BigInteger),
    Column("ready", Boolean),
    time_column("created_at"),
)
workloads: Final = _object(
    "workloads",
    *_texts("namespace", "name", "kind", "api_group"),
    *_lists("labels"),
    Column("replicas", BigInteger),
    time_column("created_at"),
)
services: Final = _object(
    "services",
    *_texts("namespace", "name", "type", "external_name"),
    *_lists("cluster_ips", "external_ips", "load_balancer_ips", "load_balancer_hostnames"),
    *_lists("ports", "selector", "ip_families", "load_balancer_source_ranges", "labels"),
    *_texts("traffic_distribution", "internal_traffic_policy", "external_traffic_policy"),
    *_texts("session_affinity", "load_balancer_class"),
    Column("headless", Boolean),
    time_column("created_at"),
)
endpoints: Final = _object(
    "endpoints",
    *_texts("namespace", "service", "slice", "address", "address_type", "node", "zone"),
    *_texts("target_kind", "target_namespace", "target_name", "target_uid"),
    Column("ready", Boolean),
    Column("serving", Boolean),
    Column("terminating", Boolean),
    *_lists("ports"),
)
service_cidrs: Final = _object(
    "service_cidrs",
    *_texts("name", "source"),
    *_lists("cidrs"),
    Column("ready", Boolean),
    Column("terminating", Boolean),
)
ip_addresses: Final = _object(
    "ip_addresses",
    *_texts("address", "parent_group", "parent_resource", "parent_namespace", "parent_name", "managed_by"),
)
flow_sources: Final = _object("flow_sources", *_texts("kind", "state", "place", "use", "why", "command"))

pods: Final = _object(
    "pods",
    *_texts("namespace", "name", "node", "workload_kind", "workload_name"),
    Column("ipv4", INET),
    Column("ipv6", INET),
    *_texts("phase"),
    Column("host_network", Boolean, nullable=False),
    *_lists("labels"),
    time_column("valid_from", nullable=False),
    time_column("valid_to"),
    time_column("seen_at", nullable=False),
    Index(
        "ix_pods_tenant_id_ipv4", "tenant_id", "ipv4", postgresql_where=text("ipv4 IS NOT NULL AND NOT host_network")
    ),
    Index(
        "ix_pods_tenant_id_ipv6", "tenant_id", "ipv6", postgresql_where=text("ipv6 IS NOT NULL AND NOT host_network")
    ),
)
"""Gone pods stay with their `valid_to` for as long as identities are kept: a pod row is the identity of its last
addresses, which were its own in [valid_from, valid_to). Nearly all pods keep theirs all their life; what one had
before its sandbox was made anew is in `endpoint_addresses`. `seen_at` is when a spoke first saw what the row says.
A host-network pod never owns its node's address."""

addresses: Final = Table(
    "endpoint_addresses",
    metadata,
    _tenant(),
    Column("registration_id", Uuid, nullable=False),
    Column("owner_kind", Text, nullable=False),
    Column("owner_uid", BYTEWISE, nullable=False),
    Column("ip", INET, nullable=False),
    Column("role", Text, nullable=False),
    *_texts("namespace", "name", "node", "region", "zone"),
    time_column("valid_from", nullable=False),
    time_column("valid_to"),
    PrimaryKeyConstraint("tenant_id", "registration_id", "owner_kind", "owner_uid", "ip", "role", "valid_from"),
    Index(None, "tenant_id", "ip"),
)
"""[from, to) identities of everything whose addresses may change in its life: nodes (`role` InternalIP,
ExternalIP), services (`role` ClusterIP, ExternalIP, LoadBalancer), and the former addresses of pods (`role` PodIP;
their other columns are in `pods`)."""

meanings: Final = _object(
    "address_meanings",
    *_texts("source", "role", "cidr", "kind", "namespace", "name"),
    *_lists("clusters"),
    time_column("valid_from", nullable=False),
    time_column("valid_to"),
)
"""What objects said in [valid_from, valid_to) that addresses stand for; of one that is said anew the last time only."""

snapshot_uids: Final = Table(
    "snapshot_uids",
    metadata,
    _tenant(),
    Column("registration_id", Uuid, nullable=False),
    Column("section", Text, nullable=False),
    Column("uid", BYTEWISE, nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "section", "uid"),
)
"""What the parts of a snapshot in progress have named so far; emptied with its last part. Not unlogged: after a crash
an empty table would close everything the cluster has."""

counts: Final = Table(
    "inventory_counts",
    metadata,
    _tenant(),
    Column("registration_id", Uuid, nullable=False),
    *(
        Column(name, BigInteger, nullable=False, server_default="0")
        for name in ("namespaces", "nodes", "workloads", "pods", "services", "endpoints")
    ),
    PrimaryKeyConstraint("tenant_id", "registration_id"),
)
"""Live objects per cluster, kept by every transaction that changes them: counting a fleet must not read it."""
