"""Findings and their lifecycle."""

from typing import Final

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)

from periplus_hub.kit.tables import metadata, tenant_column, time_column

findings: Final = Table(
    "findings",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("detector", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("what_to_do", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("registration_id", Uuid),
    Column("registration_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'")),
    Column("overlap_group_id", Uuid),
    time_column("opened_at", nullable=False),
    time_column("changed_at", nullable=False),
    time_column("resolved_at"),
    Column("acknowledged_by", Text),
    time_column("acknowledged_at"),
    Column("note", Text),
    CheckConstraint("state IN ('open','acknowledged','resolved')", name="state"),
    CheckConstraint("severity IN ('critical','warning','info')", name="severity"),
    Index(
        "uq_findings_live",
        "tenant_id",
        "detector",
        "fingerprint",
        unique=True,
        postgresql_where=text("state <> 'resolved'"),
    ),
    Index(None, "tenant_id", "state", "changed_at"),
    Index(None, "tenant_id", "registration_id"),
    Index(None, "tenant_id", "overlap_group_id"),
)
"""At most one live finding per (detector, fingerprint); a resolved one stays as history. It concerns the cluster
`registration_id`, or those in `registration_ids`, or those in the overlap group."""

finding_rounds: Final = Table(
    "finding_rounds",
    metadata,
    tenant_column(),
    time_column("ended_at", nullable=False),
    Column("undecided", ARRAY(Text), nullable=False),
    Column("partly", JSON, nullable=False),
    PrimaryKeyConstraint("tenant_id"),
)
"""When the detectors last looked at all of a tenant, and which of them could not know then; `partly` counts of
how many things each of the others could not."""

finding_receivers: Final = Table(
    "finding_receivers",
    metadata,
    tenant_column(),
    Column("receiver", Text, nullable=False),
    Column("failures", BigInteger, nullable=False),
    time_column("failing_since"),
    time_column("next_try_at"),
    Column("last_error", Text),
    time_column("last_success_at"),
    Column("refused", BigInteger, nullable=False),
    time_column("tested_at"),
    PrimaryKeyConstraint("tenant_id", "receiver"),
)
"""How each receiver takes what it is told."""

findings_told: Final = Table(
    "findings_told",
    metadata,
    tenant_column(),
    Column("receiver", Text, nullable=False),
    Column("detector", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("finding_id", Uuid, nullable=False),
    Column("severity", Text, nullable=False),
    time_column("told_at", nullable=False),
    Column("is_refused", Boolean, nullable=False),
    PrimaryKeyConstraint("tenant_id", "receiver", "detector", "fingerprint"),
)
"""What each receiver heard last of a trouble that it was not told is over. Rows go when that was told."""
