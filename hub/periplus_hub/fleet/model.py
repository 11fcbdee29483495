"""Registrations, join tokens and network domains as values, and the rules about them. Pure: time is an argument."""

from collections.abc import Mapping
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
MAX_AGENTS: Final = 10_000
"""Agents of one cluster that were heard, or joined, within AGENTS_COUNT_FOR: Kubernetes is made for 5,000 nodes, and an
autoscaler may replace all of them in that time. No more strangers can a join token bring in that leaked."""
AGENTS_COUNT_FOR: Final = timedelta(days=1)
AGENT_TOKEN_DAYS: Final = 30
MAX_AGENT_TOKEN_DAYS: Final = 366
"""Nodes come at any time, so the join token of agents lives longer than that of a spoke, and ends all the same."""


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


class AgentEnd(StrEnum):
    """Why an agent may not send any more."""

    SUPERSEDED = "superseded"
    """Another agent of its node took its place."""
    REVOKED = "revoked"


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
    """The live registration that was this same cluster when this one enrolled: two spokes, or two ways to one API
    server. Never approved automatically."""

    def liveness(self, now: datetime) -> Liveness:
        """Whether the spoke spoke lately."""
        if self.last_seen_at is None:
            return Liveness.NEVER
        return Liveness.CONNECTED if now - self.last_seen_at <= CONNECTED_WITHIN else Liveness.STALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """Nodes of a cluster that were ready, each as `uid=address`: what tells a cluster from a copy of it.

    A copy has the original's kube-system uid, and may have its certificate authority and even its node objects; but
    those are not ready there, as their machines speak to the original.
    """

    seen: frozenset[str]
    as_of: datetime
    way: str = ""
    """How the API server was reached, from one place to one address; empty is not known."""

    @property
    def marks(self) -> frozenset[str]:
        """What no other cluster of its kube-system uid has."""
        return self.seen | {f"way {self.way}"} if self.way else self.seen


MACHINES_HOLD: Final = timedelta(days=1)
"""Within this, no cluster changes all of its nodes: what was seen further apart may differ and be one."""


def is_same_cluster(one: Machines, other: Machines) -> bool | None:
    """Whether two with one kube-system uid are one cluster; None where it cannot be known.

    One machine in common is enough, or one way to both. None in common is two clusters only where both were seen, at
    about the same time.
    """
    if one.marks & other.marks:
        return True
    known = one.seen and other.seen and abs(one.as_of - other.as_of) <= MACHINES_HOLD
    return False if known else None


def same_clusters(machines: Mapping[UUID, Machines]) -> list[tuple[UUID, ...]]:
    """Registrations of one kube-system uid, those together that are one cluster, in the order given."""
    leader = {each: each for each in machines}
    first_with: dict[str, UUID] = {}
    for registration, each in machines.items():
        for mark in each.marks:
            leader[_led_by(leader, registration)] = _led_by(leader, first_with.setdefault(mark, registration))
    found: dict[UUID, list[UUID]] = {}
    for registration in machines:
        found.setdefault(_led_by(leader, registration), []).append(registration)
    return [tuple(each) for each in found.values()]


def _led_by(leader: Mapping[UUID, UUID], registration: UUID) -> UUID:
    while leader[registration] != registration:
        registration = leader[registration]
    return registration


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
    registration_id: UUID | None
    """The cluster whose agents join with it; None is a token for one spoke."""
    domain_id: UUID | None
    """The network domain the cluster lands in; None leaves that to the hub."""
    auto_approve: bool
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_by_registration: UUID | None


@dataclass(frozen=True, slots=True)
class NewJoinToken:
    """A join token with its secret, which is never shown again."""

    token: JoinToken
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokePrincipal:
    """Who sends: read from the credential, never from the message.

    Whoever it is, what it sends is the cluster's with the `registration_id`: an agent cannot name another one.
    """

    tenant_id: UUID
    registration_id: UUID
    name: str
    """The cluster's."""
    state: State
    """Of an agent: revoked when it was ended, or the cluster was."""
    agent_id: UUID | None = None
    """None is the spoke of the cluster."""
    node_name: str = ""
    """Of an agent."""

    @property
    def sender_id(self) -> UUID:
        """Whose batches form one sequence: the agent's id, or the registration's."""
        return self.registration_id if self.agent_id is None else self.agent_id

    @property
    def title(self) -> str:
        """How a sentence about it begins."""
        if self.agent_id is None:
            return f"registration of {self.name!r}"
        return f"the agent of node {self.node_name!r} of {self.name!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(SpokePrincipal):
    """The same with what its proofs are held against."""

    public_key: str
    method: str
    duplicate_of: UUID | None


def ordered_pair(a: UUID, b: UUID) -> tuple[UUID, UUID]:
    """The two ids as a connection stores them; PostgreSQL orders uuids by their bytes, as `UUID.__lt__` does."""
    return (a, b) if a < b else (b, a)
