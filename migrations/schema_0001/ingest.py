"""Tables of the ingest slice in revision expand_0001."""

import sqlalchemy as sa
from alembic import op

from schema_0001.columns import BIGINT, BYTES, INTEGER, JSON, TEXT, TIME, UUID, columns, tenant


def create() -> None:
    """In the order of their references."""
    _first()
    _second()


def _first() -> None:
    op.create_table(
        "batches",
        *columns(UUID, "tenant_id registration_id sender_id epoch"),
        *columns(BIGINT, "seq"),
        *columns(TEXT, "kind sha256"),
        *columns(INTEGER, "rows rejected_rows"),
        *columns(BIGINT, "window_start"),
        *columns(INTEGER, "sealed_bytes"),
        *columns(TIME, "received_at"),
        sa.PrimaryKeyConstraint("tenant_id", "sender_id", "epoch", "seq", name="pk_batches"),
        tenant("batches"),
    )
    op.create_index(
        "ix_batches_tenant_id_registration_id_received_at", "batches", ["tenant_id", "registration_id", "received_at"]
    )
    op.create_table(
        "heartbeats",
        *columns(UUID, "tenant_id registration_id sender_id epoch"),
        *columns(BIGINT, "monotonic_us"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "sender_id", name="pk_heartbeats"),
        tenant("heartbeats"),
    )
    op.create_table(
        "chains",
        *columns(UUID, "tenant_id registration_id epoch"),
        *columns(BIGINT, "last_seq"),
        *columns(INTEGER, "parts_left"),
        *columns(BIGINT, "snapshot_seq"),
        *columns(TIME, "complete_since", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", name="pk_chains"),
        tenant("chains"),
    )


def _second() -> None:
    op.create_table(
        "outcomes",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BIGINT, "hour_start"),
        *columns(TEXT, "kind"),
        *columns(BIGINT, "collected folded settled rejected"),
        *columns(JSON, "dropped"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "hour_start", "kind", name="pk_outcomes"),
        tenant("outcomes"),
    )
    op.create_table(
        "quarantine",
        *columns(UUID, "tenant_id id registration_id"),
        *columns(UUID, "agent_id", null=True),
        *columns(UUID, "epoch"),
        *columns(BIGINT, "seq"),
        *columns(TEXT, "kind reason"),
        *columns(INTEGER, "rows"),
        *columns(TEXT, "detail"),
        *columns(BYTES, "sample"),
        *columns(TIME, "at"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
        tenant("quarantine"),
    )
    op.create_index("ix_quarantine_tenant_id_registration_id_at", "quarantine", ["tenant_id", "registration_id", "at"])
    op.create_table(
        "statement_parts",
        *columns(UUID, "tenant_id registration_id epoch"),
        *columns(BIGINT, "seq"),
        *columns(JSON, "sections"),
        *columns(INTEGER, "inflated_bytes"),
        *columns(BYTES, "body"),
        *columns(TIME, "received_at"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "epoch", "seq", name="pk_statement_parts"),
        tenant("statement_parts"),
    )
    op.create_table(
        "statements",
        *columns(UUID, "tenant_id registration_id"),
        *columns(TEXT, "cover"),
        *columns(UUID, "epoch"),
        *columns(BIGINT, "seq"),
        *columns(INTEGER, "rows_aside"),
        *columns(TIME, "since at"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "cover", name="pk_statements"),
        tenant("statements"),
    )
