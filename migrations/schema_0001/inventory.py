"""Tables of the inventory slice in revision expand_0001."""

import sqlalchemy as sa
from alembic import op

from schema_0001.columns import BIGINT, BOOLEAN, BYTEWISE, INET, TEXT, TEXTS, TIME, UUID, columns


def create() -> None:
    """In the order of their references."""
    _first()
    _second()
    _third()
    _fourth()
    _fifth()


def _first() -> None:
    op.create_table(
        "clusters",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "provider account region kubernetes_version platform distribution", null=True),
        *columns(TEXTS, "regions zones cnis aliases", default="'{}'"),
        *columns(TEXT, "clusterset clusterset_cluster_id api_ca_sha256", null=True),
        *columns(TIME, "observed_at"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_clusters"),
    )
    op.create_table(
        "endpoint_addresses",
        *columns(UUID, "tenant_id registration_id"),
        *columns(TEXT, "owner_kind"),
        *columns(BYTEWISE, "owner_uid"),
        *columns(INET, "ip"),
        *columns(TEXT, "role"),
        *columns(TEXT, "namespace name node region zone", null=True),
        *columns(TIME, "valid_from"),
        *columns(TIME, "valid_to", null=True),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "registration_id",
            "owner_kind",
            "owner_uid",
            "ip",
            "role",
            "valid_from",
            name="pk_endpoint_addresses",
        ),
    )
    op.create_index("ix_endpoint_addresses_tenant_id_ip", "endpoint_addresses", ["tenant_id", "ip"])
    op.create_table(
        "endpoints",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(
            TEXT, "namespace service slice address address_type node zone target_kind target_namespace", null=True
        ),
        *columns(TEXT, "target_name target_uid", null=True),
        *columns(BOOLEAN, "ready serving terminating", null=True),
        *columns(TEXTS, "ports", default="'{}'"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_endpoints"),
    )


def _second() -> None:
    op.create_table(
        "address_meanings",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "source role cidr kind namespace name", null=True),
        *columns(TEXTS, "clusters", default="'{}'"),
        *columns(TIME, "valid_from"),
        *columns(TIME, "valid_to", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_address_meanings"),
    )
    op.create_table(
        "flow_sources",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "kind state place use why command", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_flow_sources"),
    )
    op.create_table(
        "inventory_counts",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BIGINT, "namespaces nodes workloads pods services endpoints", default="'0'"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", name="pk_inventory_counts"),
    )
    op.create_table(
        "ip_addresses",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "address parent_group parent_resource parent_namespace parent_name managed_by", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_ip_addresses"),
    )
    op.create_table(
        "namespaces",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "name", null=True),
        *columns(TEXTS, "labels", default="'{}'"),
        *columns(TIME, "created_at", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_namespaces"),
    )


def _third() -> None:
    op.create_table(
        "nodes",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "name provider_id provider account region zone instance_type", null=True),
        *columns(TEXTS, "addresses pod_cidrs labels", default="'{}'"),
        *columns(BIGINT, "pods_allocatable", null=True),
        *columns(BOOLEAN, "ready", null=True),
        *columns(TIME, "created_at", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_nodes"),
    )
    op.create_table(
        "pods",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "namespace name node workload_kind workload_name", null=True),
        *columns(INET, "ipv4 ipv6", null=True),
        *columns(TEXT, "phase", null=True),
        *columns(BOOLEAN, "host_network"),
        *columns(TEXTS, "labels", default="'{}'"),
        *columns(TIME, "valid_from"),
        *columns(TIME, "valid_to", null=True),
        *columns(TIME, "seen_at"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_pods"),
    )
    op.create_index(
        "ix_pods_tenant_id_ipv4",
        "pods",
        ["tenant_id", "ipv4"],
        postgresql_where=sa.text("ipv4 IS NOT NULL AND NOT host_network"),
    )
    op.create_index(
        "ix_pods_tenant_id_ipv6",
        "pods",
        ["tenant_id", "ipv6"],
        postgresql_where=sa.text("ipv6 IS NOT NULL AND NOT host_network"),
    )
    op.create_table(
        "service_cidrs",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "name source", null=True),
        *columns(TEXTS, "cidrs", default="'{}'"),
        *columns(BOOLEAN, "ready terminating", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_service_cidrs"),
    )


def _fourth() -> None:
    op.create_table(
        "services",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "namespace name type external_name", null=True),
        *columns(
            TEXTS, "cluster_ips external_ips load_balancer_ips load_balancer_hostnames ports selector", default="'{}'"
        ),
        *columns(TEXTS, "ip_families load_balancer_source_ranges labels", default="'{}'"),
        *columns(
            TEXT, "traffic_distribution internal_traffic_policy external_traffic_policy session_affinity", null=True
        ),
        *columns(TEXT, "load_balancer_class", null=True),
        *columns(BOOLEAN, "headless", null=True),
        *columns(TIME, "created_at", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_services"),
    )
    op.create_table(
        "snapshot_uids",
        *columns(UUID, "tenant_id registration_id"),
        *columns(TEXT, "section"),
        *columns(BYTEWISE, "uid"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "section", "uid", name="pk_snapshot_uids"),
    )
    op.create_table(
        "sources",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "state reason message remedy", null=True),
        *columns(BIGINT, "objects", null=True),
        *columns(TIME, "as_of", null=True),
        *columns(TIME, "observed_at"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_sources"),
    )


def _fifth() -> None:
    op.create_table(
        "workloads",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BYTEWISE, "uid"),
        *columns(TEXT, "namespace name kind api_group", null=True),
        *columns(TEXTS, "labels", default="'{}'"),
        *columns(BIGINT, "replicas", null=True),
        *columns(TIME, "created_at", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "uid", name="pk_workloads"),
    )
