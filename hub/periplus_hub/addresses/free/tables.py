"""Ranges that people reserved."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import CIDR

from periplus_hub.kit.tables import created_column, metadata, tenant_column, time_column

range_reservations: Final = Table(
    "range_reservations",
    metadata,
    tenant_column(),
    Column("id", Uuid, nullable=False),
    Column("cidr", CIDR, nullable=False),
    Column("first_key", LargeBinary, nullable=False),
    Column("last_key", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("cluster_name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reserved_by", Text, nullable=False),
    created_column(),
    time_column("expires_at", nullable=False),
    time_column("released_at"),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("kind IN ('pod','service','node')", name="kind"),
    Index(None, "tenant_id", "first_key", "last_key"),
    Index(None, "tenant_id", "created_at"),
)
"""A range that somebody means to use for a cluster, there already or not: taken until `expires_at`, or until it was
released. Those in force do not overlap each other."""
