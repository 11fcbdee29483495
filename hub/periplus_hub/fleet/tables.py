"""Registrations, agents of nodes, join tokens, credentials, network domains and their connections."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from periplus_hub.kit.tables import TextArray, created_column, metadata, tenant_column, time_column

_LETTERS: Final = text("lower(name)")
_SHAPE: Final = text("translate(replace(name, 'm', 'rn'), '01I', 'Oll')")
"""`letters` and `shape` of periplus_contract.names: no two live names read the same, whoever writes them."""
_NOT_REVOKED: Final = text("state <> 'revoked'")
_NOT_ENDED: Final = text("ended_at IS NULL")

hub_identity: Final = Table(
    "hub_identity",
    metadata,
    Column("only", Boolean, primary_key=True, server_default=text("true")),
    Column("hub_id", Text, nullable=False),
    created_column(),
    CheckConstraint('"only"', name="single"),
)
"""One row for the whole database: replicas and restarts are one hub, and proofs are bound to its id."""

registrations: Final = Table(
    "registrations",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("cluster_uid", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("domain_id", Uuid, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("join_token_id", Uuid),
    Column("spoke_version", Text, nullable=False, server_default=""),
    Column("contract", Text, nullable=False, server_default=""),
    Column("kubernetes_version", Text, nullable=False, server_default=""),
    Column("api_ca_sha256", Text, nullable=False, server_default=""),
    Column("node_count", Integer, nullable=False, server_default="0"),
    Column("machines", TextArray(), nullable=False, server_default=text("'{}'")),
    Column("way", Text, nullable=False, server_default=""),
    created_column(),
    time_column("approved_at"),
    Column("approved_by", Text),
    time_column("revoked_at"),
    Column("revoked_by", Text),
    time_column("last_seen_at"),
    Column("clock_skew_ms", BigInteger),
    Column("epoch", Uuid),
    time_column("older_epoch_heard_at"),
    Column("queued_batches", BigInteger),
    Column("queued_bytes", BigInteger),
    Column("duplicate_of", Uuid),
    CheckConstraint("state IN ('pending','active','revoked')", name="state"),
    Index("uq_registrations_live_name", "tenant_id", "name", unique=True, postgresql_where=_NOT_REVOKED),
    Index("uq_registrations_live_letters", "tenant_id", _LETTERS, unique=True, postgresql_where=_NOT_REVOKED),
    Index("uq_registrations_live_shape", "tenant_id", _SHAPE, unique=True, postgresql_where=_NOT_REVOKED),
    Index(None, "tenant_id", "cluster_uid"),
    Index(None, "tenant_id", "domain_id"),
)
"""`domain_id` is the network domain the cluster's addresses live in; at first one of its own. `epoch` is the latest
that was heard of, and `older_epoch_heard_at` when an earlier one spoke after it. `machines` are
the nodes it had when it enrolled, `way` how its API server was reached. `duplicate_of` names the live registration that
was the same cluster then."""

agents: Final = Table(
    "agents",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, ForeignKey("registrations.id", ondelete="CASCADE"), nullable=False),
    Column("id", Uuid, primary_key=True),
    Column("node_name", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("join_token", Text, nullable=False),
    Column("spoke_version", Text, nullable=False),
    Column("contract", Text, nullable=False),
    time_column("joined_at", nullable=False),
    time_column("heard_at", nullable=False),
    Column("clock_skew_ms", BigInteger),
    Column("queued_batches", BigInteger),
    Column("queued_bytes", BigInteger),
    Column("earlier", Integer, nullable=False),
    time_column("ended_at"),
    Column("end_reason", Text),
    Column("ended_by", Text),
    CheckConstraint("end_reason IN ('superseded','revoked')", name="end_reason"),
    CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ended"),
    UniqueConstraint("tenant_id", "registration_id", "public_key"),
    Index("uq_agents_live_node", "tenant_id", "registration_id", "node_name", unique=True, postgresql_where=_NOT_ENDED),
)
"""Agents of the nodes of a cluster: they send for its registration, and are no clusters. `join_token` is the public id
of the token they came with. `earlier` counts the agents of the same node before this one."""

join_tokens: Final = Table(
    "join_tokens",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid),
    Column("id", Uuid, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("secret_sha256", Text, nullable=False),
    Column("cluster_name", Text),
    Column("domain_id", Uuid),
    Column("auto_approve", Boolean, nullable=False),
    Column("created_by", Text, nullable=False),
    created_column(),
    time_column("expires_at", nullable=False),
    time_column("used_at"),
    Column("used_by_registration", Uuid),
    Index(None, "tenant_id", "created_at"),
)
"""With a `registration_id` it is for agents of that cluster, as many as come; without one for one cluster, and
`domain_id` is the network domain that lands in; null leaves that to the hub."""

challenges: Final = Table(
    "challenges",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("sender_id", Uuid, nullable=False),
    time_column("expires_at", nullable=False),
)
"""Single use: taken with DELETE … RETURNING. No tenant: the asker is nobody yet. `sender_id` is a registration's id, or
an agent's."""

credentials: Final = Table(
    "credentials",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, ForeignKey("registrations.id", ondelete="CASCADE"), nullable=False),
    Column("agent_id", Uuid, ForeignKey("agents.id", ondelete="CASCADE")),
    Column("prefix", Text, primary_key=True),
    Column("secret_sha256", Text, nullable=False),
    time_column("issued_at", nullable=False),
    time_column("expires_at", nullable=False),
    Index(None, "tenant_id", "registration_id", "agent_id"),
)
"""Of a registration's spoke, or with an `agent_id` of that agent of it."""

network_domains: Final = Table(
    "network_domains",
    metadata,
    tenant_column(),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("implicit", Boolean, nullable=False, server_default=text("false")),
    created_column(),
    time_column("ended_at"),
    Index("uq_network_domains_live_name", "tenant_id", "name", unique=True, postgresql_where=_NOT_ENDED),
    Index("uq_network_domains_live_letters", "tenant_id", _LETTERS, unique=True, postgresql_where=_NOT_ENDED),
    Index("uq_network_domains_live_shape", "tenant_id", _SHAPE, unique=True, postgresql_where=_NOT_ENDED),
)
"""`implicit` domains came with a cluster and end when it moves out or is revoked. What ended stays for questions about
the time before; its name is free again."""

domain_moves: Final = Table(
    "domain_moves",
    metadata,
    tenant_column(),
    Column("registration_id", Uuid, nullable=False),
    Column("domain_id", Uuid, nullable=False),
    time_column("left_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "registration_id", "left_at"),
)
"""Which domain a cluster left when. The one it was in at a time is that of the first row after it; without one it is
`registrations.domain_id`."""

allocation_changes: Final = Table(
    "allocation_changes",
    metadata,
    tenant_column(),
    Column("revision", BigInteger, Identity(), nullable=False),
    Column("registration_id", Uuid, nullable=False),
    time_column("at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "revision", "registration_id"),
)
"""Changes of clusters' allocations, states, domains or connections: what the overlap register still has to take in. A
change of several clusters is one revision, with a row for each."""

domain_connections: Final = Table(
    "domain_connections",
    metadata,
    tenant_column(),
    Column("domain_a", Uuid, ForeignKey("network_domains.id", ondelete="CASCADE"), nullable=False),
    Column("domain_b", Uuid, ForeignKey("network_domains.id", ondelete="CASCADE"), nullable=False),
    Column("mode", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    created_column(),
    PrimaryKeyConstraint("tenant_id", "domain_a", "domain_b"),
    CheckConstraint("mode IN ('flat','nat','planned')", name="mode"),
    CheckConstraint("domain_a < domain_b", name="ordered"),
)
"""Undirected, stored once with domain_a < domain_b. Flat is not transitive. `planned` asks "what if"."""
