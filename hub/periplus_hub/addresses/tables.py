"""Allocations, pools, overlap groups and acceptances.

`first_key` and `last_key` are 17 bytes: the family (4 or 6) and the 16-byte big-endian address (IPv4 right-aligned).
Byte order is address order, so nesting is two range comparisons in either family.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    case,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, CIDR

from periplus_hub.addresses.model import SEVERITIES
from periplus_hub.kit.tables import created_column, metadata, tenant_column, time_column

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
    time_column("since", nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "kind", "cidr"),
    Index(None, "tenant_id", "first_key", "last_key"),
)
"""Live CIDRs only: the same (kind, cidr) of one cluster from several sources is one row, the most trusted source
named."""

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
    *(Column(name, Text) for name in ("capacity", "assigned", "used", "reserved", "cooling", "free")),
    Column("largest_free_block", Text),
    Column("source", Text, nullable=False),
    Column("quality", Text, nullable=False),
    time_column("observed_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "provider", "name", "family", "node"),
)
"""Latest sample per pool. Counts are decimal text: an IPv6 pool overflows 64 bits; null is unknown."""

overlap_groups: Final = Table(
    "overlap_groups",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("cidr", CIDR, nullable=False),
    Column("family", SmallInteger, nullable=False),
    Column("first_key", LargeBinary, nullable=False),
    Column("last_key", LargeBinary, nullable=False),
    Column("severity", Text, nullable=False),
    Column("clusters", BigInteger, nullable=False),
    Column("members", BigInteger, nullable=False),
    Column("pairs", BigInteger, nullable=False),
    time_column("since", nullable=False),
    time_column("changed_at", nullable=False),
    CheckConstraint("severity IN ('conflict','blocks-federation','latent','intended')", name="severity"),
    Index("uq_overlap_groups_root", "tenant_id", "first_key", "last_key", unique=True),
    Index(None, "tenant_id", "severity"),
)
"""One row per group: what overlaps the allocations of those clusters whose largest range is `cidr`. Others that lie
inside it and overlap each other are a group of their own."""

overlap_group_clusters: Final = Table(
    "overlap_group_clusters",
    metadata,
    tenant_column(),
    Column("group_id", Uuid, nullable=False),
    Column("registration_id", Uuid, nullable=False),
    Column("severity", Text, nullable=False),
    Column("kinds", ARRAY(Text), nullable=False),
    Column("members", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "group_id", "registration_id"),
    CheckConstraint("severity IN ('conflict','blocks-federation','latent','intended')", name="severity"),
    Index(None, "tenant_id", "registration_id", "severity"),
)
"""What every cluster of a group has in it: the worst severity of any pair it takes part in there, what those of its
allocations are used for that are as bad, and how many allocations it has."""

overlap_acceptances: Final = Table(
    "overlap_acceptances",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("cidr", CIDR, nullable=False),
    Column("reason", Text, nullable=False),
    Column("accepted_by", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("clusters", BigInteger, nullable=False),
    Column("covers", Boolean, nullable=False, server_default=text("true")),
    time_column("expires_at", nullable=False),
    created_column(),
    time_column("withdrawn_at"),
    CheckConstraint("severity IN ('conflict','blocks-federation','latent','intended')", name="severity"),
    Index(None, "tenant_id", "cidr"),
)
"""A person said an overlap is meant: holds for the group rooted at exactly `cidr` until `expires_at`, as long as the
group holds nothing beyond what it held then: `covers`, compared whenever the group changes. `severity` and `clusters`
are what the group had."""

overlap_acceptance_clusters: Final = Table(
    "overlap_acceptance_clusters",
    metadata,
    tenant_column(),
    Column("acceptance_id", Uuid, nullable=False),
    Column("registration_id", Uuid, nullable=False),
    Column("severity", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "acceptance_id", "registration_id"),
    CheckConstraint("severity IN ('conflict','blocks-federation','latent','intended')", name="severity"),
)
"""What an acceptance covers: the clusters of the group when it was accepted, and how badly each was hit."""

register_state: Final = Table(
    "register_state",
    metadata,
    tenant_column(),
    Column("revision", BigInteger, nullable=False),
    Column("topology", Text, nullable=False, server_default=""),
    time_column("at", nullable=False),
    PrimaryKeyConstraint("tenant_id"),
)
"""The last allocation revision the stored overlap groups include, the digest of the network domains they follow
from, and when they were last known to be right."""

free_ranges: Final = Table(
    "free_ranges",
    metadata,
    tenant_column(),
    Column("family", SmallInteger, nullable=False),
    Column("length", SmallInteger, nullable=False),
    Column("cidr", CIDR),
    PrimaryKeyConstraint("tenant_id", "family", "length"),
)
"""The lowest range of each size in private space that no active cluster touched at the register's revision; null where
there is none."""


def rank(severity: ColumnElement[Any]) -> ColumnElement[int]:
    """How bad a severity is, 0 the worst."""
    return case({name.value: number for number, name in enumerate(SEVERITIES)}, value=severity)
