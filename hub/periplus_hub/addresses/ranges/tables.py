"""Ranges that people entered, and imports of which parts are still to come."""

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import CIDR

from periplus_hub.kit.tables import metadata, tenant_column, time_column

entered_ranges: Final = Table(
    "entered_ranges",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("domain_id", Uuid, ForeignKey("network_domains.id", ondelete="CASCADE"), nullable=False),
    Column("cidr", CIDR, nullable=False),
    Column("family", SmallInteger, nullable=False),
    Column("first_key", LargeBinary, nullable=False),
    Column("last_key", LargeBinary, nullable=False),
    Column("use", Text, nullable=False),
    *(Column(name, Text, nullable=False, server_default="") for name in ("name", "owner", "note", "origin")),
    Column("source", Text, nullable=False),
    time_column("expires_at"),
    time_column("created_at", nullable=False),
    Column("created_by", Text, nullable=False),
    time_column("changed_at", nullable=False),
    Column("changed_by", Text, nullable=False),
    time_column("ended_at"),
    Column("ended_by", Text),
    CheckConstraint("source IN ('entered','csv','netbox')", name="source"),
    Index(
        "uq_entered_ranges_in_force",
        "tenant_id",
        "domain_id",
        "first_key",
        "last_key",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(None, "tenant_id", "first_key", "last_key"),
)
"""A range counts until `ended_at` is set: when it was removed, expired, or its network domain was deleted. A domain has
a range once, whatever for. `first_key` and `last_key` are as those of allocations."""

range_import_parts: Final = Table(
    "range_import_parts",
    metadata,
    tenant_column(),
    Column("import_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_by", Text, nullable=False),
    time_column("created_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "import_id", "number"),
)
"""The text of an import as far as it came, in UTF-8: one question takes less than a large import has. It goes with the
last part, or when no other has come for an hour."""
