"""Tables of the findings slice in revision expand_0001."""

import sqlalchemy as sa
from alembic import op

from schema_0001.columns import BIGINT, BOOLEAN, JSON, TEXT, TEXTS, TIME, UUID, columns, tenant


def create() -> None:
    """In the order of their references."""
    op.create_table(
        "finding_rounds",
        *columns(UUID, "tenant_id"),
        *columns(TIME, "ended_at"),
        *columns(TEXTS, "undecided"),
        *columns(JSON, "partly"),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_finding_rounds"),
        tenant("finding_rounds"),
    )
    _findings()
    _receivers()


def _findings() -> None:
    op.create_table(
        "findings",
        *columns(UUID, "tenant_id id"),
        *columns(TEXT, "detector fingerprint severity state title why what_to_do"),
        *columns(JSON, "evidence"),
        *columns(UUID, "registration_id", null=True),
        sa.Column("registration_ids", sa.ARRAY(UUID), nullable=False, server_default=sa.text("'{}'")),
        *columns(UUID, "overlap_group_id", null=True),
        *columns(TIME, "opened_at changed_at"),
        *columns(TIME, "resolved_at", null=True),
        *columns(TEXT, "acknowledged_by", null=True),
        *columns(TIME, "acknowledged_at", null=True),
        *columns(TEXT, "note", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_findings"),
        sa.CheckConstraint("severity IN ('critical','warning','info')", name=op.f("ck_findings_severity")),
        sa.CheckConstraint("state IN ('open','acknowledged','resolved')", name=op.f("ck_findings_state")),
        tenant("findings"),
    )
    op.create_index("ix_findings_tenant_id_state_changed_at", "findings", ["tenant_id", "state", "changed_at"])
    for column in ("registration_id", "overlap_group_id"):
        op.create_index(f"ix_findings_tenant_id_{column}", "findings", ["tenant_id", column])
    op.create_index(
        "uq_findings_live",
        "findings",
        ["tenant_id", "detector", "fingerprint"],
        unique=True,
        postgresql_where=sa.text("state <> 'resolved'"),
    )


def _receivers() -> None:
    op.create_table(
        "finding_receivers",
        *columns(UUID, "tenant_id"),
        *columns(TEXT, "receiver"),
        *columns(BIGINT, "failures"),
        *columns(TIME, "failing_since next_try_at", null=True),
        *columns(TEXT, "last_error", null=True),
        *columns(TIME, "last_success_at", null=True),
        *columns(BIGINT, "refused"),
        *columns(TIME, "tested_at", null=True),
        sa.PrimaryKeyConstraint("tenant_id", "receiver", name="pk_finding_receivers"),
        tenant("finding_receivers"),
    )
    op.create_table(
        "findings_told",
        *columns(UUID, "tenant_id"),
        *columns(TEXT, "receiver detector fingerprint"),
        *columns(UUID, "finding_id"),
        *columns(TEXT, "severity"),
        *columns(TIME, "told_at"),
        *columns(BOOLEAN, "is_refused"),
        sa.PrimaryKeyConstraint("tenant_id", "receiver", "detector", "fingerprint", name="pk_findings_told"),
        tenant("findings_told"),
    )
