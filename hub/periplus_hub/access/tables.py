"""Tenants, API tokens, audit events."""

from typing import Final

from sqlalchemy import JSON, CheckConstraint, Column, Index, Table, Text, Uuid

from periplus_hub.kit.tables import TextArray, created_column, metadata, tenant_column, time_column

tenants: Final = Table(
    "tenants",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    created_column(),
)

api_tokens: Final = Table(
    "api_tokens",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("prefix", Text, nullable=False, unique=True),
    Column("secret_sha256", Text, nullable=False),
    created_column(),
    time_column("expires_at"),
    time_column("revoked_at"),
    time_column("last_used_at"),
    CheckConstraint("role IN ('viewer','analyst','operator','admin')", name="role"),
    Index(None, "tenant_id", "name"),
)
"""`prefix` is the public part (`ppt_xxxxxxxx`); only the sha256 of the secret part is kept."""

sessions: Final = Table(
    "sessions",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("secret_sha256", Text, nullable=False, unique=True),
    Column("sign_in_sha256", Text, nullable=False, unique=True),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("groups", TextArray, nullable=False),
    time_column("signed_in_at", nullable=False),
    time_column("last_seen_at", nullable=False),
    time_column("idle_ends_at", nullable=False),
    time_column("ends_at", nullable=False),
    time_column("ended_at"),
    CheckConstraint("role IN ('viewer','analyst','operator','admin')", name="role"),
    Index(None, "tenant_id", "signed_in_at"),
)
"""People who signed in with a browser. Of the cookie only the sha256 is kept; `sign_in_sha256` is of the sign-in's
`state`, so that one sign-in makes one session. `groups` are those with a role, `role` is what they gave at first."""

audit_events: Final = Table(
    "audit_events",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    time_column("at", nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object_kind", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("address", Text, nullable=False, server_default=""),
    Column("request_id", Text, nullable=False, server_default=""),
    Index(None, "tenant_id", "at"),
)
"""Written in the transaction of the change it describes; `action` is `source:subject:verb`. A trigger keeps every row
for good. `before` and `after` hold what changed, and only that; null is nothing there."""
