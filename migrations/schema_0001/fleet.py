"""Tables of the fleet slice in revision expand_0001."""

import sqlalchemy as sa
from alembic import op

from schema_0001.columns import BIGINT, BOOLEAN, INTEGER, TEXT, TEXTS, TIME, UUID, columns, tenant


def create() -> None:
    """In the order of their references."""
    _first()
    _second()
    _third()
    _agents()
    _credentials()
    _fourth()


def _first() -> None:
    op.create_table(
        "challenges",
        *columns(TEXT, "nonce"),
        *columns(UUID, "sender_id"),
        *columns(TIME, "expires_at"),
        sa.PrimaryKeyConstraint("nonce", name="pk_challenges"),
    )
    op.create_table(
        "hub_identity",
        *columns(BOOLEAN, "only", default="true"),
        *columns(TEXT, "hub_id"),
        *columns(TIME, "created_at", default="now()"),
        sa.PrimaryKeyConstraint("only", name="pk_hub_identity"),
        sa.CheckConstraint('"only"', name=op.f("ck_hub_identity_single")),
    )
    # Made with the database: made any later, a backup could lack it, and its restore would be foreign to every spoke.
    op.execute("INSERT INTO hub_identity (hub_id) VALUES (gen_random_uuid())")
    op.create_table(
        "join_tokens",
        *columns(UUID, "tenant_id"),
        *columns(UUID, "registration_id", null=True),
        *columns(UUID, "id"),
        *columns(TEXT, "public_id secret_sha256"),
        *columns(TEXT, "cluster_name", null=True),
        *columns(UUID, "domain_id", null=True),
        *columns(BOOLEAN, "auto_approve"),
        *columns(TEXT, "created_by"),
        *columns(TIME, "created_at", default="now()"),
        *columns(TIME, "expires_at"),
        *columns(TIME, "used_at", null=True),
        *columns(UUID, "used_by_registration", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_join_tokens"),
        tenant("join_tokens"),
        sa.UniqueConstraint("public_id", name="uq_join_tokens_public_id"),
    )
    op.create_index("ix_join_tokens_tenant_id_created_at", "join_tokens", ["tenant_id", "created_at"])


def _second() -> None:
    op.create_table(
        "network_domains",
        *columns(UUID, "tenant_id id"),
        *columns(TEXT, "name"),
        *columns(TEXT, "description", default="''"),
        *columns(BOOLEAN, "implicit", default="false"),
        *columns(TIME, "created_at", default="now()"),
        *columns(TIME, "ended_at", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_network_domains"),
        tenant("network_domains"),
    )
    _live_names("network_domains", "ended_at IS NULL")
    op.create_table(
        "domain_moves",
        *columns(UUID, "tenant_id registration_id domain_id"),
        *columns(TIME, "left_at"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "left_at", name="pk_domain_moves"),
        tenant("domain_moves"),
    )


def _third() -> None:
    op.create_table(
        "registrations",
        *columns(UUID, "tenant_id id"),
        *columns(TEXT, "name cluster_uid state"),
        *columns(UUID, "domain_id"),
        *columns(TEXT, "public_key method"),
        *columns(UUID, "join_token_id", null=True),
        *columns(TEXT, "spoke_version contract kubernetes_version api_ca_sha256", default="''"),
        *columns(INTEGER, "node_count", default="'0'"),
        *columns(TEXTS, "machines", default="'{}'"),
        *columns(TEXT, "way", default="''"),
        *columns(TIME, "created_at", default="now()"),
        *columns(TIME, "approved_at", null=True),
        *columns(TEXT, "approved_by", null=True),
        *columns(TIME, "revoked_at", null=True),
        *columns(TEXT, "revoked_by", null=True),
        *columns(TIME, "last_seen_at", null=True),
        *columns(BIGINT, "clock_skew_ms", null=True),
        *columns(UUID, "epoch", null=True),
        *columns(TIME, "older_epoch_heard_at", null=True),
        *columns(BIGINT, "queued_batches queued_bytes", null=True),
        *columns(UUID, "duplicate_of", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_registrations"),
        sa.CheckConstraint("state IN ('pending','active','revoked')", name=op.f("ck_registrations_state")),
        tenant("registrations"),
    )
    op.create_index("ix_registrations_tenant_id_cluster_uid", "registrations", ["tenant_id", "cluster_uid"])
    op.create_index("ix_registrations_tenant_id_domain_id", "registrations", ["tenant_id", "domain_id"])
    _live_names("registrations", "state <> 'revoked'")


def _agents() -> None:
    op.create_table(
        "agents",
        *columns(UUID, "tenant_id registration_id id"),
        *columns(TEXT, "node_name public_key join_token spoke_version contract"),
        *columns(TIME, "joined_at heard_at"),
        *columns(BIGINT, "clock_skew_ms queued_batches queued_bytes", null=True),
        *columns(INTEGER, "earlier"),
        *columns(TIME, "ended_at", null=True),
        *columns(TEXT, "end_reason ended_by", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
        sa.UniqueConstraint(
            "tenant_id",
            "registration_id",
            "public_key",
            name="uq_agents_tenant_id_registration_id_public_key",
        ),
        sa.CheckConstraint("end_reason IN ('superseded','revoked')", name=op.f("ck_agents_end_reason")),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_agents_ended")),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registrations.id"], name="fk_agents_registration_id", ondelete="CASCADE"
        ),
        tenant("agents"),
    )
    op.create_index(
        "uq_agents_live_node",
        "agents",
        ["tenant_id", "registration_id", "node_name"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _credentials() -> None:
    op.create_table(
        "credentials",
        *columns(UUID, "tenant_id registration_id"),
        *columns(UUID, "agent_id", null=True),
        *columns(TEXT, "prefix secret_sha256"),
        *columns(TIME, "issued_at expires_at"),
        sa.PrimaryKeyConstraint("prefix", name="pk_credentials"),
        sa.ForeignKeyConstraint(
            ["registration_id"], ["registrations.id"], name="fk_credentials_registration_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_credentials_agent_id", ondelete="CASCADE"),
        tenant("credentials"),
    )
    op.create_index(
        "ix_credentials_tenant_id_registration_id_agent_id",
        "credentials",
        ["tenant_id", "registration_id", "agent_id"],
    )


def _fourth() -> None:
    op.create_table(
        "domain_connections",
        *columns(UUID, "tenant_id domain_a domain_b"),
        *columns(TEXT, "mode"),
        *columns(TEXT, "note", default="''"),
        *columns(TIME, "created_at", default="now()"),
        sa.PrimaryKeyConstraint("tenant_id", "domain_a", "domain_b", name="pk_domain_connections"),
        sa.CheckConstraint("mode IN ('flat','nat','planned')", name=op.f("ck_domain_connections_mode")),
        sa.CheckConstraint("domain_a < domain_b", name=op.f("ck_domain_connections_ordered")),
        sa.ForeignKeyConstraint(
            ["domain_a"], ["network_domains.id"], name="fk_domain_connections_domain_a", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["domain_b"], ["network_domains.id"], name="fk_domain_connections_domain_b", ondelete="CASCADE"
        ),
        tenant("domain_connections"),
    )


def _live_names(table: str, live: str) -> None:
    """No two that live are called the same, or so that one reads as the other."""
    alike = {
        "name": "name",
        "letters": sa.text("lower(name)"),
        "shape": sa.text("translate(replace(name, 'm', 'rn'), '01I', 'Oll')"),
    }
    for what, of in alike.items():
        op.create_index(
            f"uq_{table}_live_{what}", table, ["tenant_id", of], unique=True, postgresql_where=sa.text(live)
        )
