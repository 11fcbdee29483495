"""Overlap groups, acceptances, and how far the groups are.

`first_key` and `last_key` are as those of allocations.
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

from periplus_hub.addresses.overlaps.model import SEVERITIES
from periplus_hub.kit.tables import created_column, metadata, tenant_column, time_column

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
    Column("uses", ARRAY(Text), nullable=False),
    Column("members", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "group_id", "registration_id"),
    CheckConstraint("severity IN ('conflict','blocks-federation','latent','intended')", name="severity"),
    Index(None, "tenant_id", "registration_id", "severity"),
)
"""What every cluster of a group has in it: the worst severity of any pair it takes part in there, the uses
(`engine.uses`) of those of its allocations that are as bad, and how many allocations it has."""

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


def rank(severity: ColumnElement[Any]) -> ColumnElement[int]:
    """How bad a severity is, 0 the worst."""
    return case({name.value: number for number, name in enumerate(SEVERITIES)}, value=severity)
