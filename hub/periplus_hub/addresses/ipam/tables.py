"""Allocations and pools.

`first_key` and `last_key` are 17 bytes: the family (4 or 6) and the 16-byte big-endian address (IPv4 right-aligned).
Byte order is address order, so nesting is two range comparisons in either family.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    exists,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, CIDR

from periplus_hub.addresses.ipam.model import FULL_PPM, PoolScope
from periplus_hub.kit.tables import metadata, tenant_column, time_column

allocations: Final = Table(
    "allocations",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("cidr", CIDR, nullable=False),
    Column("family", SmallInteger, nullable=False),
    Column("first_key", LargeBinary, nullable=False),
    Column("last_key", LargeBinary, nullable=False),
    Column("provider", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("node", Text, nullable=False, server_default=""),
    Column("quality", Text, nullable=False, server_default=""),
    Column("reach", Text, nullable=False, server_default=""),
    time_column("since", nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "kind", "cidr", "node"),
    Index(None, "tenant_id", "first_key", "last_key"),
)
"""Live CIDRs only: the same (kind, cidr, node) of one cluster from several sources is one row, the most trusted source
named. What two nodes hold is two rows."""


def _corrections(name: str, subject: str) -> Table:
    return Table(
        name,
        metadata,
        tenant_column(),
        Column(subject, Uuid, nullable=False),
        Column("kind", Text, nullable=False),
        Column("reach", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("set_by", Text, nullable=False),
        time_column("set_at", nullable=False),
        PrimaryKeyConstraint("tenant_id", subject, "kind"),
        CheckConstraint("kind IN ('pod','service','node')", name="kind"),
        CheckConstraint("reach IN ('routed','masqueraded')", name="reach"),
    )


reach_corrections: Final = _corrections("reach_corrections", "registration_id")
"""What people say of the reach of a cluster's addresses, over what the cluster tells."""
domain_reach_corrections: Final = _corrections("domain_reach_corrections", "domain_id")
"""The same of all clusters of a network domain, now or later; what is said of a cluster itself wins over it."""


def node_number(node: ColumnElement[Any]) -> ColumnElement[int]:
    """A number for the name of a node, by which rows are told apart where names would be too much."""
    return func.hashtextextended(node, 0, type_=BigInteger)


pools: Final = Table(
    "pools",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("family", SmallInteger, nullable=False),
    Column("scope", Text, nullable=False),
    Column("node", Text, nullable=False, server_default=""),
    Column("cidrs", ARRAY(CIDR), nullable=False),
    *(Column(name, Text) for name in ("capacity", "assigned", "used", "reserved", "cooling")),
    *(Column(name, Text) for name in ("leaked", "borrowed", "unusable", "free", "largest_free_block")),
    Column("evidence", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("taken_ppm", Integer),
    Column("limited_by", Text, nullable=False, server_default="unknown"),
    *(Column(name, Text) for name in ("idle", "fragmented", "unaccounted")),
    Column("contradictions", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("source", Text, nullable=False),
    Column("quality", Text, nullable=False),
    time_column("observed_at", nullable=False),
    Column("digest", LargeBinary, nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("tenant_id", "registration_id", "provider", "name", "family", "node"),
)
"""Latest sample per pool. Counts are decimal text: an IPv6 pool overflows 64 bits; null is unknown.
From `taken_ppm` to `contradictions` it is what follows from the counts (`addresses.ipam.engine.pool_account`).
`digest` is of all that but `observed_at`: two samples with the same say the same."""


def has_more() -> ColumnElement[bool]:
    """Whether a row of `pools` is what a node holds of a pool of the cluster that has more for it."""
    whole = pools.alias("whole")
    same = [whole.c[name] == pools.c[name] for name in ("tenant_id", "registration_id", "provider", "name", "family")]
    is_full = func.coalesce(whole.c.taken_ppm, 0) >= FULL_PPM
    return exists().where(*same, whole.c.scope != PoolScope.NODE.value, ~is_full).correlate(pools)


pool_history: Final = Table(
    "pool_history",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("family", SmallInteger, nullable=False),
    time_column("hour", nullable=False),
    *(Column(name, Text) for name in ("capacity", "free", "leaked")),
    PrimaryKeyConstraint("tenant_id", "registration_id", "provider", "name", "family", "hour"),
    Index(
        "ix_pool_history_leaked",
        *("tenant_id", "registration_id", "provider", "name", "family", "hour"),
        postgresql_where=text("leaked IS NOT NULL"),
    ),
)
"""The last sample of each hour of pools that are not a node's: how fast they fill, and how fast they leak. Null is
unknown."""
