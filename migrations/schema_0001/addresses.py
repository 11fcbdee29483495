"""Tables of the addresses slice in revision expand_0001."""

import sqlalchemy as sa
from alembic import op

from schema_0001.columns import (
    BIGINT,
    BOOLEAN,
    BYTES,
    CIDR,
    CIDRS,
    INTEGER,
    SMALLINT,
    TEXT,
    TEXTS,
    TIME,
    UUID,
    columns,
    tenant,
)


def create() -> None:
    """In the order of their references."""
    _first()
    _second()
    _pools()
    _third()
    _fourth()
    _ranges()


def _first() -> None:
    op.create_table(
        "allocation_changes",
        *columns(UUID, "tenant_id"),
        *columns(BIGINT, "revision", identity=True),
        *columns(UUID, "registration_id"),
        *columns(TIME, "at"),
        sa.PrimaryKeyConstraint("tenant_id", "revision", "registration_id", name="pk_allocation_changes"),
        tenant("allocation_changes"),
    )
    op.create_table(
        "allocations",
        *columns(UUID, "tenant_id registration_id"),
        *columns(TEXT, "kind"),
        *columns(CIDR, "cidr"),
        *columns(SMALLINT, "family"),
        *columns(BYTES, "first_key last_key"),
        *columns(TEXT, "provider source"),
        *columns(TEXT, "name node quality reach", default="''"),
        *columns(TIME, "since"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "kind", "cidr", "node", name="pk_allocations"),
        tenant("allocations"),
    )
    op.create_index(
        "ix_allocations_tenant_id_first_key_last_key", "allocations", ["tenant_id", "first_key", "last_key"]
    )
    op.create_table(
        "overlap_acceptances",
        *columns(UUID, "tenant_id id"),
        *columns(CIDR, "cidr"),
        *columns(TEXT, "reason accepted_by severity"),
        *columns(BIGINT, "clusters"),
        *columns(BOOLEAN, "covers", default="true"),
        *columns(TIME, "expires_at"),
        *columns(TIME, "created_at", default="now()"),
        *columns(TIME, "withdrawn_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_overlap_acceptances"),
        sa.CheckConstraint(
            "severity IN ('conflict','blocks-federation','latent','intended')",
            name=op.f("ck_overlap_acceptances_severity"),
        ),
        tenant("overlap_acceptances"),
    )
    op.create_index("ix_overlap_acceptances_tenant_id_cidr", "overlap_acceptances", ["tenant_id", "cidr"])


def _second() -> None:
    op.create_table(
        "overlap_groups",
        *columns(UUID, "tenant_id id"),
        *columns(CIDR, "cidr"),
        *columns(SMALLINT, "family"),
        *columns(BYTES, "first_key last_key"),
        *columns(TEXT, "severity"),
        *columns(BIGINT, "clusters members pairs"),
        *columns(TIME, "since changed_at"),
        sa.PrimaryKeyConstraint("id", name="pk_overlap_groups"),
        sa.CheckConstraint(
            "severity IN ('conflict','blocks-federation','latent','intended')", name=op.f("ck_overlap_groups_severity")
        ),
        tenant("overlap_groups"),
    )
    op.create_index("ix_overlap_groups_tenant_id_severity", "overlap_groups", ["tenant_id", "severity"])
    op.create_index("uq_overlap_groups_root", "overlap_groups", ["tenant_id", "first_key", "last_key"], unique=True)


def _pools() -> None:
    op.create_table(
        "pools",
        *columns(UUID, "tenant_id registration_id"),
        *columns(TEXT, "provider name"),
        *columns(SMALLINT, "family"),
        *columns(TEXT, "scope"),
        *columns(TEXT, "node", default="''"),
        *columns(CIDRS, "cidrs"),
        *columns(TEXT, "capacity assigned used reserved cooling leaked borrowed unusable", null=True),
        *columns(TEXT, "free largest_free_block", null=True),
        *columns(TEXTS, "evidence", default="'{}'"),
        *columns(INTEGER, "taken_ppm", null=True),
        *columns(TEXT, "limited_by", default="'unknown'"),
        *columns(TEXT, "idle fragmented unaccounted", null=True),
        *columns(TEXTS, "contradictions", default="'{}'"),
        *columns(TEXT, "source quality"),
        *columns(TIME, "observed_at"),
        *columns(BYTES, "digest", default="''"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "provider", "name", "family", "node", name="pk_pools"),
        tenant("pools"),
    )
    op.create_table(
        "pool_history",
        *columns(UUID, "tenant_id registration_id"),
        *columns(TEXT, "provider name"),
        *columns(SMALLINT, "family"),
        *columns(TIME, "hour"),
        *columns(TEXT, "capacity free leaked", null=True),
        sa.PrimaryKeyConstraint(
            "tenant_id", "registration_id", "provider", "name", "family", "hour", name="pk_pool_history"
        ),
        tenant("pool_history"),
    )
    op.create_index(
        "ix_pool_history_leaked",
        "pool_history",
        ["tenant_id", "registration_id", "provider", "name", "family", "hour"],
        postgresql_where=sa.text("leaked IS NOT NULL"),
    )


def _third() -> None:
    for name, subject in (("reach_corrections", "registration_id"), ("domain_reach_corrections", "domain_id")):
        op.create_table(
            name,
            *columns(UUID, f"tenant_id {subject}"),
            *columns(TEXT, "kind reach reason set_by"),
            *columns(TIME, "set_at"),
            sa.PrimaryKeyConstraint("tenant_id", subject, "kind", name=f"pk_{name}"),
            sa.CheckConstraint("kind IN ('pod','service','node')", name=op.f(f"ck_{name}_kind")),
            sa.CheckConstraint("reach IN ('routed','masqueraded')", name=op.f(f"ck_{name}_reach")),
            tenant(name),
        )
    op.create_table(
        "register_state",
        *columns(UUID, "tenant_id"),
        *columns(BIGINT, "revision"),
        *columns(TEXT, "topology", default="''"),
        *columns(TIME, "at"),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_register_state"),
        tenant("register_state"),
    )
    op.create_table(
        "overlap_group_clusters",
        *columns(UUID, "tenant_id group_id registration_id"),
        *columns(TEXT, "severity"),
        *columns(TEXTS, "uses"),
        *columns(BIGINT, "members"),
        sa.PrimaryKeyConstraint("tenant_id", "group_id", "registration_id", name="pk_overlap_group_clusters"),
        sa.CheckConstraint(
            "severity IN ('conflict','blocks-federation','latent','intended')",
            name=op.f("ck_overlap_group_clusters_severity"),
        ),
        tenant("overlap_group_clusters"),
    )
    op.create_index(
        "ix_overlap_group_clusters_tenant_id_registration_id_severity",
        "overlap_group_clusters",
        ["tenant_id", "registration_id", "severity"],
    )
    op.create_table(
        "overlap_acceptance_clusters",
        *columns(UUID, "tenant_id acceptance_id registration_id"),
        *columns(TEXT, "severity"),
        sa.PrimaryKeyConstraint("tenant_id", "acceptance_id", "registration_id", name="pk_overlap_acceptance_clusters"),
        sa.CheckConstraint(
            "severity IN ('conflict','blocks-federation','latent','intended')",
            name=op.f("ck_overlap_acceptance_clusters_severity"),
        ),
        tenant("overlap_acceptance_clusters"),
    )


def _fourth() -> None:
    op.create_table(
        "range_reservations",
        *columns(UUID, "tenant_id id"),
        *columns(CIDR, "cidr"),
        *columns(BYTES, "first_key last_key"),
        *columns(TEXT, "kind cluster_name reason reserved_by"),
        *columns(TIME, "created_at", default="now()"),
        *columns(TIME, "expires_at"),
        *columns(TIME, "released_at", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_range_reservations"),
        sa.CheckConstraint("kind IN ('pod','service','node')", name=op.f("ck_range_reservations_kind")),
        tenant("range_reservations"),
    )
    op.create_index(
        "ix_range_reservations_tenant_id_first_key_last_key",
        "range_reservations",
        ["tenant_id", "first_key", "last_key"],
    )
    op.create_index("ix_range_reservations_tenant_id_created_at", "range_reservations", ["tenant_id", "created_at"])


def _ranges() -> None:
    op.create_table(
        "entered_ranges",
        *columns(UUID, "tenant_id id domain_id"),
        *columns(CIDR, "cidr"),
        *columns(SMALLINT, "family"),
        *columns(BYTES, "first_key last_key"),
        *columns(TEXT, "use"),
        *columns(TEXT, "name owner note origin", default="''"),
        *columns(TEXT, "source"),
        *columns(TIME, "expires_at", null=True),
        *columns(TIME, "created_at"),
        *columns(TEXT, "created_by"),
        *columns(TIME, "changed_at"),
        *columns(TEXT, "changed_by"),
        *columns(TIME, "ended_at", null=True),
        *columns(TEXT, "ended_by", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_entered_ranges"),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["network_domains.id"], name="fk_entered_ranges_domain_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint("source IN ('entered','csv','netbox')", name=op.f("ck_entered_ranges_source")),
        tenant("entered_ranges"),
    )
    op.create_index(
        "uq_entered_ranges_in_force",
        "entered_ranges",
        ["tenant_id", "domain_id", "first_key", "last_key"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_entered_ranges_tenant_id_first_key_last_key", "entered_ranges", ["tenant_id", "first_key", "last_key"]
    )
    op.create_table(
        "range_import_parts",
        *columns(UUID, "tenant_id import_id"),
        *columns(INTEGER, "number"),
        *columns(BYTES, "content"),
        *columns(TEXT, "created_by"),
        *columns(TIME, "created_at"),
        sa.PrimaryKeyConstraint("tenant_id", "import_id", "number", name="pk_range_import_parts"),
        tenant("range_import_parts"),
    )
