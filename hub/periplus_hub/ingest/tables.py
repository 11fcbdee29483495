"""The batch ledger, what the orders of kinds keep, quarantine and accounting."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)

from periplus_hub.kit.tables import metadata, tenant_column, time_column

batches: Final = Table(
    "batches",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("sender_id", Uuid, nullable=False),
    Column("epoch", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("rejected_rows", Integer, nullable=False),
    Column("window_start", BigInteger, nullable=False),
    Column("sealed_bytes", Integer, nullable=False),
    time_column("received_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "sender_id", "epoch", "seq"),
    Index(None, "tenant_id", "registration_id", "received_at"),
)
"""`registration_id` is the cluster whose rows they are. `sender_id` is who numbered them: the same, or an agent of one
of its nodes."""

chains: Final = Table(
    "chains",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("epoch", Uuid, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("parts_left", Integer, nullable=False),
    Column("snapshot_seq", BigInteger, nullable=False),
    time_column("complete_since"),
    PrimaryKeyConstraint("tenant_id", "registration_id"),
)
"""The chain of each cluster's snapshots and deltas: the last applied batch and the open snapshot's missing parts.
`complete_since` is when the first whole snapshot was in: before, counts are not known."""

statements: Final = Table(
    "statements",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("cover", Text, nullable=False),
    Column("epoch", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("rows_aside", Integer, nullable=False),
    time_column("since", nullable=False),
    time_column("at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "cover"),
)
"""The newest statement that was applied of each cover (`pools/node`, `allocations/pod`): an older one that arrives late
is not. Each cover has its own, because most batches cover pools only. `since` is the first one ever.
`rows_aside` are the rows of its table (of whatever kind) that were set aside, but for those nobody misses."""

statement_parts: Final = Table(
    "statement_parts",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("epoch", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("sections", JSON, nullable=False),
    Column("inflated_bytes", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    time_column("received_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "epoch", "seq"),
)
"""Parts of a statement that wait for its last part: the batches' own compressed bodies. At most one statement
per registration; with its last part, or the next statement, they go."""

beats: Final = Table(
    "heartbeats",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("sender_id", Uuid, nullable=False),
    Column("epoch", Uuid, nullable=False),
    Column("monotonic_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "sender_id"),
)
"""The last heartbeat whose outcomes were booked. A spoke's age never repeats, so a retried heartbeat is known."""

quarantine: Final = Table(
    "quarantine",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("registration_id", Uuid, nullable=False),
    Column("agent_id", Uuid),
    Column("epoch", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("sample", LargeBinary, nullable=False),
    time_column("at", nullable=False),
    Index(None, "tenant_id", "registration_id", "at"),
)
"""Rows that broke the contract, counted by batch, table and reason, with the first few as a sample. A batch whose
window lies in the future is set aside whole. `agent_id` where an agent of a node sent it."""

outcomes: Final = Table(
    "outcomes",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("hour_start", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("collected", BigInteger, nullable=False),
    Column("folded", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("dropped", JSON, nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "hour_start", "kind"),
)
"""Sums per registration-hour, with what its agents sent; each batch's share is added in the transaction of its ledger
row, so once."""
