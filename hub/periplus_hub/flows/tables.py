"""What PostgreSQL keeps of flows: the inbox, which blocks it went into, and which hours are to be made anew."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
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
from sqlalchemy.dialects.postgresql import ARRAY, BIT

from periplus_hub.flows.model import MINUTES_OF_DAY
from periplus_hub.kit.tables import metadata, tenant_column, time_column

RING: Final = 4


def _inbox(number: int) -> Table:
    return Table(
        f"flow_inbox_{number}",
        metadata,
        tenant_column(),
        Column("id", Uuid, nullable=False),
        Column("owner", Uuid, nullable=False),
        Column("registration_id", Uuid, nullable=False),
        Column("epoch", Uuid, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("day", BigInteger, nullable=False),
        Column("rows", Integer, nullable=False),
        Column("first_window", BigInteger, nullable=False),
        Column("last_window", BigInteger, nullable=False),
        Column("body", LargeBinary, nullable=False),
        PrimaryKeyConstraint("tenant_id", "id"),
    )


inboxes: Final = tuple(_inbox(number) for number in range(RING))
"""Accepted rows until the flow store has them: a ring, of which one table takes what comes. A batch has a row for
each UTC day that it has windows of. `owner` is the replica that took it. Rows are never updated, and go with TRUNCATE.
`body` is made by `flows.engine.bodies`."""

ring: Final = Table(
    "flow_ring",
    metadata,
    Column("active", SmallInteger, nullable=False),
    Column("number", BigInteger, primary_key=True),
    time_column("since", nullable=False),
)
"""One row: which inbox takes what comes. `number` counts the turns; `active` is its rest by the size of the ring."""

blocks: Final = Table(
    "flow_blocks",
    metadata,
    tenant_column(),
    Column("id", BigInteger, nullable=False),
    Column("owner", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("rows", BigInteger, nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("first_window", BigInteger, nullable=False),
    Column("last_window", BigInteger, nullable=False),
    Column("members", ARRAY(Uuid), nullable=False),
    time_column("named_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index("ix_flow_blocks_open", "tenant_id", "id", postgresql_where=text("state <> 'loaded'")),
    Index("ix_flow_blocks_held", "tenant_id", "id", postgresql_where=text("cardinality(members) > 0")),
)
"""Rows of the inbox that go into the flow store as one insert, all or nothing; `named` before anything is sent, then
`loaded`. `members` are ids of the inbox, in the block's order, until the inbox forgets them. `id` is no sequence: a
database that was restored would give it again, and the store would skip the rows."""

loaders: Final = Table(
    "flow_loaders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("store", Text, nullable=False),
    Column("heir", Uuid),
    time_column("lease_until", nullable=False),
)
"""Processes that load: what they took is loaded by them, or by the `heir` once their lease is over. `store` is the
name of an embedded store, whose folder only one process can have; empty for a server."""

hours: Final = Table(
    "flow_hours",
    metadata,
    tenant_column(),
    Column("hour", BigInteger, nullable=False),
    Column("raw_version", BigInteger, nullable=False, server_default="0"),
    Column("identity_version", BigInteger, nullable=False, server_default="0"),
    Column("rolled_raw", BigInteger),
    Column("rolled_identity", BigInteger),
    time_column("rolled_at"),
    Column("edges", BigInteger),
    Column("made", BigInteger, nullable=False, server_default="0"),
    Column("raw_lost", Boolean, nullable=False, server_default="false"),
    Column("edges_lost", Boolean, nullable=False, server_default="false"),
    PrimaryKeyConstraint("tenant_id", "hour"),
)
"""Hours that have rows, and of which state of rows and identities their edges are made, and how many those are. `made`
counts how often they became others. The store may have lost raw rows or edges that it had."""

spans: Final = Table(
    "flow_spans",
    metadata,
    tenant_column(),
    Column("place", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "place"),
)
"""Spans of hours whose edges the store has added up, `rows` of them in the partition `place`. `version` is the sum of
`made` of the hours that they were made of: while their sum is the same, so are they."""

marks: Final = Table(
    "flow_marks",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("told_until", BigInteger, nullable=False),
    time_column("looked_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id"),
)
"""Up to when a cluster's inventory had been told when hours were last compared with it."""

coverage: Final = Table(
    "flow_coverage",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("hour", BigInteger, nullable=False),
    Column("minutes", BigInteger, nullable=False),
    Column("last_window", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("sampling", Integer, nullable=False),
    Column("observed", BigInteger, nullable=False),
    Column("unmeasured", BigInteger, nullable=False),
    Column("other_rows", BigInteger, nullable=False),
    Column("other_hosts", BigInteger, nullable=False),
    Column("lost", JSON, nullable=False),
    Column("nodes", Integer, nullable=False),
    Column("node_minutes", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "hour"),
    Index("ix_flow_coverage_lost", "tenant_id", "hour", postgresql_where=text("lost::text <> '{}'")),
)
"""What each cluster told of an hour. Of `minutes` each bit is a minute that a window of a batch covers, also of one
without rows: nothing passed, and that was seen. `last_window` is the end of the latest. `observed`, `unmeasured`,
`other_rows`, `other_hosts` and `lost` are what the batches said of themselves (`periplus_contract.batch.FlowsMark`).
`nodes` and `node_minutes` are 0 until the rows of `node_coverage` of that hour are folded into them."""

node_coverage: Final = Table(
    "flow_node_coverage",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("day_start", BigInteger, nullable=False),
    Column("node", Text, nullable=False),
    Column("minutes", BIT(MINUTES_OF_DAY), nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "day_start", "node"),
)
"""What the agent of each node told of a UTC day: agents see their own node and nothing else. The first of `minutes` is
the day's first; each is as in `coverage`. Ten thousand nodes have as many rows a day, which every question reads."""

days: Final = Table(
    "flow_days",
    metadata,
    tenant_column(),
    Column("day_start", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("made_version", BigInteger),
    Column("hours_kept", Boolean, nullable=False, server_default="true"),
    Column("stale_hours", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("tenant_id", "day_start"),
)
"""UTC days that have edges; `version` counts how often an hour of the day was made, `made_version` is that which the
day's own edges are made of. Once hours are not kept, the day alone answers; of `stale_hours` rows came that are in no
edge."""

day_coverage: Final = Table(
    "flow_day_coverage",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("day_start", BigInteger, nullable=False),
    Column("hours", Integer, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("sampling", Integer, nullable=False),
    Column("told_since", BigInteger, nullable=False),
    Column("last_window", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("observed", BigInteger, nullable=False),
    Column("unmeasured", BigInteger, nullable=False),
    Column("other_rows", BigInteger, nullable=False),
    Column("other_hosts", BigInteger, nullable=False),
    Column("node_minutes", BigInteger, nullable=False),
    Column("node_minutes_expected", BigInteger, nullable=False),
    Column("lost", JSON, nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "day_start"),
)
"""What each cluster told of a day whose hours are not kept: the sum of what `coverage` had of them. Of `hours` each bit
is an hour of which it told something, and all that came of it is among edges; `told_since` is the first minute told."""
