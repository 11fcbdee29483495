"""Tables of the flows slice in revision expand_0001."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BIT

from schema_0001.columns import BIGINT, BOOLEAN, BYTES, INTEGER, SMALLINT, TEXT, TIME, UUID, columns, tenant

_RING = 4


def create() -> None:
    """In the order of their references."""
    for number in range(_RING):
        _inbox(f"flow_inbox_{number}")
    op.create_table(
        "flow_ring",
        *columns(SMALLINT, "active"),
        *columns(BIGINT, "number"),
        *columns(TIME, "since"),
        sa.PrimaryKeyConstraint("number", name="pk_flow_ring"),
    )
    op.execute("INSERT INTO flow_ring (active, number, since) VALUES (0, 0, now())")
    op.create_table(
        "flow_loaders",
        *columns(UUID, "id"),
        *columns(TEXT, "store"),
        *columns(UUID, "heir", null=True),
        *columns(TIME, "lease_until"),
        sa.PrimaryKeyConstraint("id", name="pk_flow_loaders"),
    )
    _blocks()
    _hours()
    _days()


def _inbox(name: str) -> None:
    op.create_table(
        name,
        *columns(UUID, "tenant_id id owner registration_id epoch"),
        *columns(BIGINT, "seq day"),
        *columns(INTEGER, "rows"),
        *columns(BIGINT, "first_window last_window"),
        *columns(BYTES, "body"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=f"pk_{name}"),
        tenant(name),
    )
    # The bodies are compressed already.
    op.execute(f"ALTER TABLE {name} ALTER COLUMN body SET STORAGE EXTERNAL")


def _blocks() -> None:
    op.create_table(
        "flow_blocks",
        *columns(UUID, "tenant_id"),
        *columns(BIGINT, "id"),
        *columns(UUID, "owner"),
        *columns(TEXT, "state"),
        *columns(INTEGER, "attempt", default="0"),
        *columns(BIGINT, "rows day first_window last_window"),
        sa.Column("members", sa.ARRAY(UUID), nullable=False),
        *columns(TIME, "named_at"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_flow_blocks"),
        tenant("flow_blocks"),
    )
    for name, where in (("open", "state <> 'loaded'"), ("held", "cardinality(members) > 0")):
        op.create_index(f"ix_flow_blocks_{name}", "flow_blocks", ["tenant_id", "id"], postgresql_where=sa.text(where))


def _hours() -> None:
    op.create_table(
        "flow_hours",
        *columns(UUID, "tenant_id"),
        *columns(BIGINT, "hour"),
        *columns(BIGINT, "raw_version identity_version", default="0"),
        *columns(BIGINT, "rolled_raw rolled_identity", null=True),
        *columns(TIME, "rolled_at", null=True),
        *columns(BIGINT, "edges", null=True),
        *columns(BIGINT, "made", default="0"),
        *columns(BOOLEAN, "raw_lost edges_lost", default="false"),
        sa.PrimaryKeyConstraint("tenant_id", "hour", name="pk_flow_hours"),
        tenant("flow_hours"),
    )
    op.create_table(
        "flow_marks",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BIGINT, "told_until"),
        *columns(TIME, "looked_at"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", name="pk_flow_marks"),
        tenant("flow_marks"),
    )
    op.create_table(
        "flow_coverage",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BIGINT, "hour minutes last_window rows rejected"),
        *columns(INTEGER, "sampling nodes"),
        *columns(BIGINT, "observed unmeasured other_rows other_hosts node_minutes"),
        sa.Column("lost", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "hour", name="pk_flow_coverage"),
        tenant("flow_coverage"),
    )
    where = sa.text("lost::text <> '{}'")
    op.create_index("ix_flow_coverage_lost", "flow_coverage", ["tenant_id", "hour"], postgresql_where=where)
    op.create_table(
        "flow_node_coverage",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BIGINT, "day_start"),
        *columns(TEXT, "node"),
        *columns(BIT(1_440), "minutes"),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "day_start", "node", name="pk_flow_node_coverage"),
        tenant("flow_node_coverage"),
    )


def _days() -> None:
    op.create_table(
        "flow_spans",
        *columns(UUID, "tenant_id"),
        *columns(BIGINT, "place first until version rows"),
        sa.PrimaryKeyConstraint("tenant_id", "place", name="pk_flow_spans"),
        tenant("flow_spans"),
    )
    op.create_table(
        "flow_days",
        *columns(UUID, "tenant_id"),
        *columns(BIGINT, "day_start"),
        *columns(BIGINT, "version", default="0"),
        *columns(BIGINT, "made_version", null=True),
        *columns(BOOLEAN, "hours_kept", default="true"),
        *columns(INTEGER, "stale_hours", default="0"),
        sa.PrimaryKeyConstraint("tenant_id", "day_start", name="pk_flow_days"),
        tenant("flow_days"),
    )
    op.create_table(
        "flow_day_coverage",
        *columns(UUID, "tenant_id registration_id"),
        *columns(BIGINT, "day_start"),
        *columns(INTEGER, "hours minutes sampling"),
        *columns(BIGINT, "told_since last_window rows rejected observed unmeasured other_rows other_hosts"),
        *columns(BIGINT, "node_minutes node_minutes_expected"),
        sa.Column("lost", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "registration_id", "day_start", name="pk_flow_day_coverage"),
        tenant("flow_day_coverage"),
    )
