"""What a cluster contains, as values. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAsTold:
    """What a cluster says of itself; empty text or tuple means it did not say."""

    registration_id: UUID
    uid: str
    provider: str | None
    account: str | None
    region: str | None
    kubernetes_version: str | None
    platform: str | None
    distribution: str | None
    regions: tuple[str, ...]
    zones: tuple[str, ...]
    cnis: tuple[str, ...]
    aliases: tuple[str, ...]
    clusterset: str | None
    clusterset_cluster_id: str | None
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a spoke tried to read: `state` is ok, absent, forbidden, failed or slow."""

    registration_id: UUID
    name: str
    state: str
    reason: str | None
    message: str | None
    remedy: str | None
    objects: int | None
    as_of: datetime | None
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Live objects of one cluster; None for a kind its spoke cannot read whole.

    A cluster without inventory has no Counts at all, not zeros.
    """

    registration_id: UUID
    namespaces: int | None
    nodes: int | None
    workloads: int | None
    pods: int | None
    services: int | None
    endpoints: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryFilter:
    """Conjunction of what is given; empty means any. `name_contains` is case-insensitive."""

    registration_ids: tuple[UUID, ...] = ()
    namespace: str = ""
    name_contains: str = ""
    include_gone: bool = False
    """Pods only: also those whose time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningService:
    """A service that answers on ports of a node's address, beside the node.

    `role` says why: LoadBalancer (as k3s publishes its nodes' addresses), ExternalIP, or NodePort.
    """

    registration_id: UUID
    uid: str
    namespace: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who an address was at a time, and as what: `role` is the each's (InternalIP, ClusterIP …)."""

    registration_id: UUID
    domain_id: UUID
    kind: str
    role: str
    uid: str
    namespace: str | None
    name: str
    workload_kind: str | None
    workload_name: str | None
    node: str | None
    zone: str | None
    valid_from: datetime
    valid_to: datetime | None
    services: tuple[ListeningService, ...] = ()
    """Of a node: what listens on its address."""

    @property
    def rule(self) -> str:
        """Which rule decided."""
        return f"{self.kind}-address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The answer for one network domain: `owners` all have the best rank found there.

    More than one owner means the address is ambiguous: two things of equal rank have it, and nobody guesses.
    """

    domain_id: UUID
    owners: tuple[Owner, ...]


def shown(at: datetime) -> str:
    """For a sentence, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def why_unknown(looked: str, at: datetime, now: datetime, first_at: datetime | None, *, kept_days: int) -> str:
    """Why nobody is named; not for the future.

    `looked` says what was looked for and where, `first_at` is when the first whole inventory was there. Those who gave
    up an address are kept for `kept_days`.
    """
    asked = f"{looked} at {shown(at)}"
    if first_at is None:
        return f"it is not known who had {asked}: no cluster told its inventory yet"
    if at < now - timedelta(days=kept_days):
        return (
            f"it is not known any more who had {asked}: of those who have it no longer, only the last"
            f" {kept_days} days are kept"
        )
    if at < first_at:
        return f"it is not known who had {asked}: the first inventory is of {shown(first_at)}"
    return f"nothing known had {asked}"


_STRONGEST: Final = "pod"
"""A pod's own address before all else: a cloud may list addresses of pods as its node's."""
_LISTENING: Final = frozenset({"LoadBalancer", "ExternalIP"})
"""Roles in which a service takes ports of an address that is somebody's, rather than the address."""


def decide(holders: list[Owner]) -> list[Ownership]:
    """Per domain, the owners of the best rank: pods, else nodes and services.

    What has an address in several roles (a node whose internal and external address are one) is one owner, since
    the first of them. A service that publishes an address of a node of its cluster only listens there: the node is the
    owner. The address of a service of another cluster is that service's, as much as the node's: that is ambiguous.
    """
    machines = {_cluster_of(each) for each in holders if each.kind == "node"}
    listening: dict[tuple[UUID, UUID], list[Owner]] = {}
    by_domain: dict[UUID, dict[tuple[UUID, str, str], Owner]] = {}
    for each in sorted(holders, key=lambda each: each.valid_from):
        if each.kind == "service" and each.role in _LISTENING and _cluster_of(each) in machines:
            listening.setdefault(_cluster_of(each), []).append(each)
        else:
            who = (each.registration_id, each.kind, each.uid)
            by_domain.setdefault(each.domain_id, {}).setdefault(who, each)
    return [
        Ownership(domain_id=domain_id, owners=tuple(_beside(each, listening) for each in _strongest(owners.values())))
        for domain_id, owners in sorted(by_domain.items())
    ]


def _cluster_of(each: Owner) -> tuple[UUID, UUID]:
    return each.domain_id, each.registration_id


def _strongest(owners: Iterable[Owner]) -> list[Owner]:
    ordered = sorted(owners, key=lambda owner: (owner.kind, owner.uid))
    return [owner for owner in ordered if owner.kind == _STRONGEST] or ordered


def _beside(owner: Owner, listening: Mapping[tuple[UUID, UUID], Sequence[Owner]]) -> Owner:
    """A node with what listens on its address, each service once."""
    if owner.kind != "node":
        return owner
    services = {
        each.uid: ListeningService(
            registration_id=each.registration_id,
            uid=each.uid,
            namespace=each.namespace or "",
            name=each.name,
            role=each.role,
        )
        for each in listening.get(_cluster_of(owner), ())
    }
    return replace(owner, services=listed(services.values()))


def listed(services: Iterable[ListeningService]) -> tuple[ListeningService, ...]:
    """In the order in which people look for them."""
    return tuple(sorted(services, key=lambda each: (each.namespace, each.name, each.uid)))
