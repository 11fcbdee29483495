"""Registrations, join tokens and network domains as values, and the rules about them. Pure: time is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

CLUSTERS_TOPIC: Final = "clusters"
"""Topic of the event that a cluster joined or changed; its payload names the `id`."""
DOMAINS_TOPIC: Final = "domains"
"""Topic of the event that a network domain was connected otherwise; its payload names the `id` of one end."""
CONNECTED_WITHIN: Final = timedelta(seconds=90)
"""A spoke speaks at least every 30 s: three silences make it stale."""


class State(StrEnum):
    """Where a registration stands. Revoked is final: the cluster enrols anew."""

    PENDING = "pending"
    ACTIVE = "active"
    REVOKED = "revoked"


class Liveness(StrEnum):
    """Derived from the last word of the spoke, never stored."""

    NEVER = "never"
    CONNECTED = "connected"
    STALE = "stale"


class Mode(StrEnum):
    """How two network domains are connected; absence means isolated."""

    FLAT = "flat"
    NAT = "nat"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One cluster's membership. `clock_skew_ms` is spoke minus hub; None until the spoke has spoken."""

    id: UUID
    name: str
    cluster_uid: str
    state: State
    domain_id: UUID
    method: str
    public_key: str
    spoke_version: str
    contract: str
    kubernetes_version: str
    api_ca_sha256: str
    node_count: int
    created_at: datetime
    approved_at: datetime | None
    approved_by: str | None
    revoked_at: datetime | None
    revoked_by: str | None
    last_seen_at: datetime | None
    clock_skew_ms: int | None
    epoch: UUID | None
    older_epoch_heard_at: datetime | None
    """When an earlier epoch spoke after `epoch`: what was held of it, or a second spoke with this identity."""
    queued_batches: int | None
    queued_bytes: int | None
    duplicate_of: UUID | None
    """Another live registration with the same kube-system uid when this one enrolled: a cloned cluster, or two
    spokes with one identity. Never approved automatically."""

    def liveness(self, now: datetime) -> Liveness:
        """Whether the spoke spoke lately."""
        if self.last_seen_at is None:
            return Liveness.NEVER
        return Liveness.CONNECTED if now - self.last_seen_at <= CONNECTED_WITHIN else Liveness.STALE


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDomain:
    """A set of clusters whose addresses are mutually unambiguous."""

    id: UUID
    name: str
    description: str
    implicit: bool
    """Came with a cluster and ends when the cluster moves out or is revoked."""
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainConnection:
    """Undirected: `domain_a` < `domain_b`."""

    domain_a: UUID
    domain_b: UUID
    mode: Mode
    note: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken:
    """What may be shown of a join token; the secret is shown once, when it is made."""

    id: UUID
    public_id: str
    cluster_name: str | None
    domain_id: UUID | None
    """The network domain the cluster lands in; None leaves that to the hub."""
    auto_approve: bool
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_by_registration: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokePrincipal:
    """Who sends: read from the credential, never from the message."""

    tenant_id: UUID
    registration_id: UUID
    name: str
    state: State


def ordered_pair(a: UUID, b: UUID) -> tuple[UUID, UUID]:
    """The two ids as a connection stores them; PostgreSQL orders uuids by their bytes, as `UUID.__lt__` does."""
    return (a, b) if a < b else (b, a)
