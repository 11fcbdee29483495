"""What a cluster contains, as values. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
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
class Owner:
    """Who an address was at a time. `rule` names what decided, `rank` orders rules: smaller is stronger."""

    registration_id: UUID
    domain_id: UUID
    kind: str
    uid: str
    namespace: str | None
    name: str
    workload_kind: str | None
    workload_name: str | None
    node: str | None
    zone: str | None
    valid_from: datetime
    valid_to: datetime | None
    rank: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The answer for one network domain: `owners` all have the best rank found there.

    More than one owner means the address is ambiguous: two things of equal rank claim it, and nobody guesses.
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


RULES: Final = ("pod-address", "service-address", "node-address")
"""Rank order: a pod's own address is strongest, and a load balancer that shares a node's address beats the node."""


def decide(owners: list[Owner]) -> list[Ownership]:
    """Per domain, the owners of the best rank.

    What claims an address in several roles (a node whose internal and external address are one) is one owner, since
    the first of them.
    """
    by_domain: dict[UUID, list[Owner]] = {}
    seen: set[tuple[UUID, str, str]] = set()
    for owner in sorted(owners, key=lambda claim: claim.valid_from):
        who = (owner.registration_id, owner.kind, owner.uid)
        if who not in seen:
            seen.add(who)
            by_domain.setdefault(owner.domain_id, []).append(owner)
    verdicts = []
    for domain_id, claims in sorted(by_domain.items()):
        best = min(claim.rank for claim in claims)
        strongest = sorted((claim for claim in claims if claim.rank == best), key=lambda claim: claim.uid)
        verdicts.append(Ownership(domain_id=domain_id, owners=tuple(strongest)))
    return verdicts
