"""Explaining overlaps, comparing two clusters, accepting what is meant."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from heapq import nsmallest
from operator import itemgetter
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.addresses import (
    repository,
    repository_acceptances,
    repository_explain,
    repository_free,
    repository_groups,
    repository_register,
)
from periplus_hub.addresses.explain import explain, explain_pair, suggestions
from periplus_hub.addresses.model import (
    MAX_ACCEPTANCE,
    SEVERITIES,
    Acceptance,
    Allocation,
    Explanation,
    GroupFilter,
    NamedClusters,
    OverlapGroup,
    PairOverlap,
    PairReport,
    Relation,
    Severity,
)
from periplus_hub.addresses.prefixes import Prefix, parse
from periplus_hub.addresses.repository_acceptances import Acceptable
from periplus_hub.addresses.rows import wanted_prefix
from periplus_hub.addresses.severity import pair_severity
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.ids import new_id

MAX_NAMED: Final = 20
_MAX_REASON: Final = 1_000
_MIN_REASON: Final = 3


async def explain_groups(
    c: ReadConnection, scope: Scope, groups: Sequence[OverlapGroup], *, suggest: bool = True
) -> dict[UUID, Explanation]:
    """For loaders: a few statements, whatever the number of groups."""
    kinds = await repository_explain.kinds_by_groups(c, scope, [group.id for group in groups])
    grown = [(group.id, group.acceptance_id) for group in groups if group.acceptance_id and group.outgrown]
    outgrown = await repository_acceptances.outgrown_by_groups(c, scope, grown) if grown else {}
    space = await repository_free.free_space(c, scope) if suggest else None
    return {
        group.id: explain(
            group.severity,
            kinds.get(group.id, frozenset()),
            clusters=group.clusters,
            accepted=group.accepted,
            outgrown=outgrown.get(group.id),
            free=() if space is None else suggestions(parse(group.cidr), space),
        )
        for group in groups
    }


async def worst_hit(
    c: ReadConnection, scope: Scope, groups: Sequence[OverlapGroup], now: datetime
) -> dict[UUID, NamedClusters]:
    """Per group, the clusters whose own severity is the group's: the others are in it with milder relations."""
    found: dict[UUID, NamedClusters] = {}
    for severity in {group.severity for group in groups}:
        ids = [group.id for group in groups if group.severity is severity]
        asked = repository_groups.GroupAsk(GroupFilter(severities=(severity,)), now)
        pages = await repository_groups.clusters_of_groups(c, scope, ids, MAX_NAMED, None, asked)
        totals = await repository_groups.cluster_totals_of_groups(c, scope, ids, asked)
        for each in ids:
            names = tuple(row.cluster_name for row in pages[each].rows)
            found[each] = NamedClusters(names=names, clusters=totals[each])
    return found


async def overlaps_between(
    c: ReadConnection, scope: Scope, pair: tuple[UUID, UUID], now: datetime, limit: int = 100
) -> PairReport:
    """Every overlap of two active clusters, worst first; raises NotFound for a cluster that is not active.

    What lies in an accepted group is intended.
    """
    a, b = pair
    topology = await repository_register.topology(c, scope)
    for cluster in (a, b):
        if cluster not in topology.domains:
            raise NotFound(f"there is no active cluster {cluster}", "Look it up in the list of clusters.")
    if a == b:
        raise Invalid("both clusters are the same", "Name two different clusters.")
    allocations = await repository_explain.allocations_of_two(c, scope, a, b)
    accepted = await repository_acceptances.accepted_roots(c, scope, now)
    relation = topology.relation(a, b)
    overlaps = [_pair(*each, relation, accepted) for each in _overlapping(allocations[a], allocations[b])]
    worst = nsmallest(limit, overlaps, key=lambda overlap: SEVERITIES.index(overlap.severity))
    severity = worst[0].severity if worst else None
    return PairReport(a=a, b=b, relation=relation, severity=severity, total=len(overlaps), overlaps=tuple(worst))


def _overlapping(ours: Sequence[Allocation], theirs: Sequence[Allocation]) -> Iterable[tuple[Allocation, Allocation]]:
    """A sweep in tree order; the prefixes open at any address nest, so each pair is met at its inner one."""
    events = [
        (parse(allocation.cidr), side, number, allocation)
        for side, allocations in enumerate((ours, theirs))
        for number, allocation in enumerate(allocations)
    ]
    open_of: tuple[list[tuple[Prefix, Allocation]], list[tuple[Prefix, Allocation]]] = ([], [])
    for prefix, side, _, allocation in sorted(events, key=itemgetter(0, 1, 2)):
        for stack in open_of:
            while stack and not stack[-1][0].covers(prefix):
                stack.pop()
        for _, other in open_of[1 - side]:
            yield (other, allocation) if side else (allocation, other)
        open_of[side].append((prefix, allocation))


def _pair(a: Allocation, b: Allocation, relation: Relation, accepted: Sequence[Prefix]) -> PairOverlap:
    smaller = max((parse(a.cidr), parse(b.cidr)), key=lambda prefix: prefix.length)
    is_accepted = any(root.covers(smaller) for root in accepted)
    severity = pair_severity(relation, a.kind, b.kind) or Severity.LATENT
    return PairOverlap(
        a=a,
        b=b,
        cidr=str(smaller),
        relation=relation,
        severity=Severity.INTENDED if is_accepted else severity,
        explanation=explain_pair(severity, relation, a.kind, b.kind, accepted=is_accepted),
    )


async def accept_overlap(  # noqa: PLR0917 - what an acceptance consists of
    c: WriteConnection,
    scope: Scope,
    cidr: str,
    reason: str,
    expires_at: datetime,
    now: datetime,
    *,
    seen: datetime | None = None,
) -> Acceptance:
    """Say that the overlap rooted at exactly `cidr` is meant as it is stored now; audited. It ends by itself.

    `seen` is when the group had last changed when the person looked; raises Conflict if it has changed since.
    """
    scope.require(Permission.OVERLAPS_ACCEPT)
    root = wanted_prefix(cidr)
    reason = reason.strip()
    if not _MIN_REASON <= len(reason) <= _MAX_REASON:
        raise Invalid("the reason is too short or too long", f"Say why in {_MIN_REASON} to {_MAX_REASON} characters.")
    if not now < expires_at <= now + MAX_ACCEPTANCE:
        raise Invalid(
            f"the acceptance would end at {expires_at:%Y-%m-%d %H:%M} UTC",
            f"Choose an end in the future, at most {MAX_ACCEPTANCE.days} days ahead.",
        )
    group = await _still_as_seen(c, scope, root, seen)
    acceptance = Acceptance(
        id=new_id(),
        cidr=str(root),
        reason=reason,
        accepted_by=scope.actor,
        severity=group.severity,
        clusters=group.clusters,
        created_at=now,
        expires_at=expires_at,
        withdrawn_at=None,
    )
    await repository_acceptances.add_acceptance(c, scope, acceptance, group.id)
    detail = {
        "cidr": acceptance.cidr,
        "severity": acceptance.severity.value,
        "clusters": acceptance.clusters,
        "reason": reason,
        "expires_at": expires_at.isoformat(),
    }
    await audit(c, scope, "person:overlap:accept", "acceptance", str(acceptance.id), detail=detail)
    return acceptance


async def _still_as_seen(c: WriteConnection, scope: Scope, root: Prefix, seen: datetime | None) -> Acceptable:
    group = await repository_acceptances.locked_group(c, scope, str(root))
    if group is None:
        raise NotFound(
            f"there is no overlap group {root}", "Name the group's own CIDR, as the list of overlaps shows it."
        )
    if seen is not None and group.changed_at != seen:
        raise Conflict(
            f"the overlap group {root} changed at {group.changed_at:%Y-%m-%d %H:%M:%S} UTC, after you saw it",
            "Look at it again, and accept it if it is still meant.",
        )
    return group


async def withdraw_acceptance(c: WriteConnection, scope: Scope, acceptance_id: UUID, now: datetime) -> Acceptance:
    """End an acceptance before its time; audited."""
    scope.require(Permission.OVERLAPS_ACCEPT)
    known = (await repository.acceptances_by_ids(c, scope, [acceptance_id])).get(acceptance_id)
    if known is None:
        raise NotFound(f"there is no acceptance {acceptance_id}", "Look it up in the list of acceptances.")
    if not await repository_acceptances.mark_withdrawn(c, scope, acceptance_id, now):
        raise Conflict(f"the acceptance of {known.cidr} was withdrawn already", "Nothing: it does not hold any more.")
    await audit(c, scope, "person:overlap:withdraw", "acceptance", str(acceptance_id), detail={"cidr": known.cidr})
    return replace(known, withdrawn_at=now)
