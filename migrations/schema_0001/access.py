"""Tables of the access slice in revision expand_0001."""

import sqlalchemy as sa
from alembic import op

from schema_0001.columns import JSON, TEXT, TEXTS, TIME, UUID, columns, tenant


def create() -> None:
    """In the order of their references."""
    _first()


def _first() -> None:
    op.create_table(
        "tenants",
        *columns(UUID, "id"),
        *columns(TEXT, "name"),
        *columns(TIME, "created_at", default="now()"),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
        sa.UniqueConstraint("name", name="uq_tenants_name"),
    )
    op.create_table(
        "api_tokens",
        *columns(UUID, "tenant_id id"),
        *columns(TEXT, "name role prefix secret_sha256"),
        *columns(TIME, "created_at", default="now()"),
        *columns(TIME, "expires_at revoked_at last_used_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.CheckConstraint("role IN ('viewer','analyst','operator','admin')", name=op.f("ck_api_tokens_role")),
        tenant("api_tokens"),
        sa.UniqueConstraint("prefix", name="uq_api_tokens_prefix"),
    )
    op.create_index("ix_api_tokens_tenant_id_name", "api_tokens", ["tenant_id", "name"])
    _sessions()
    op.create_table(
        "audit_events",
        *columns(UUID, "tenant_id id"),
        *columns(TIME, "at"),
        *columns(TEXT, "actor action object_kind object_id"),
        *columns(JSON, "detail"),
        *columns(JSON, "before after", null=True),
        *columns(TEXT, "address request_id", default="''"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_events"),
        tenant("audit_events"),
    )
    op.create_index("ix_audit_events_tenant_id_at", "audit_events", ["tenant_id", "at"])
    _keep_for_good("audit_events")


def _sessions() -> None:
    op.create_table(
        "sessions",
        *columns(UUID, "tenant_id id"),
        *columns(TEXT, "secret_sha256 sign_in_sha256 issuer subject name role"),
        *columns(TEXTS, "groups"),
        *columns(TIME, "signed_in_at last_seen_at idle_ends_at ends_at"),
        *columns(TIME, "ended_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.CheckConstraint("role IN ('viewer','analyst','operator','admin')", name=op.f("ck_sessions_role")),
        tenant("sessions"),
        sa.UniqueConstraint("secret_sha256", name="uq_sessions_secret_sha256"),
        sa.UniqueConstraint("sign_in_sha256", name="uq_sessions_sign_in_sha256"),
    )
    op.create_index("ix_sessions_tenant_id_signed_in_at", "sessions", ["tenant_id", "signed_in_at"])


def _keep_for_good(table: str) -> None:
    """Rows are only ever added: whatever a statement of the hub's would do to those there, it fails."""
    op.execute(
        f"CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE insufficient_privilege USING MESSAGE = 'rows of {table} are only ever added'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_kept()"
    )
