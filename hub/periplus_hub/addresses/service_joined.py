"""What joining clusters would bring: the register computed again beside the stored groups, with another default."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import nsmallest
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.addresses import (
    repository_acceptances,
    repository_explain,
    repository_groups,
    repository_register,
)
from periplus_hub.addresses.explain import explain, suggestions
from periplus_hub.addresses.fold import ClusterColumns, Fold, Share
from periplus_hub.addresses.forest_build import GroupStats
from periplus_hub.addresses.model import (
    SEVERITIES,
    AllocationKind,
    ClusterShare,
    JoinedGroup,
    JoinedReport,
    OverlapGroup,
    Relation,
    Severity,
)
from periplus_hub.addresses.planner import FreeSpace
from periplus_hub.addresses.rows import group_of
from periplus_hub.addresses.service_register import batches
from periplus_hub.kit.db import ReadConnection


async def joined_report(
    c: ReadConnection, scope: Scope, registrations: Sequence[UUID] | None, limit: int, now: datetime
) -> JoinedReport:
    """The overlaps among these clusters (None: all) if whatever is isolated among them were to be joined.

    Accepted overlaps stay intended. Nothing stored changes.
    """
    status = await repository_register.register_status(c, scope)
    topology = await repository_register.topology(c, scope)
    topology = topology if registrations is None else topology.only(registrations)
    columns: dict[UUID, ClusterColumns] = {}
    for some in batches(list(topology.domains)):
        columns |= await repository_register.cluster_columns(c, scope, some)
    accepted = await repository_acceptances.accepted_cidrs(c, scope, now)
    fold = await asyncio.to_thread(Fold, topology, columns, Relation.JOIN_REQUESTED)
    found = [_with_acceptance(group, accepted) for group in fold.register.groups()]
    worst = nsmallest(limit, found, key=lambda group: (SEVERITIES.index(group.severity), -group.clusters, group.root))
    counts = {severity: sum(group.severity is severity for group in found) for severity in SEVERITIES}
    stored = await _stored(c, scope, worst, now)
    space = FreeSpace(await repository_explain.used_ranges(c, scope))
    view = _View(tuple(registrations or ()), stored, space, accepted)
    groups = zip(worst, fold.shares([group.root for group in worst]), strict=True)
    return JoinedReport(revision=status.revision, groups=tuple(view.group(*each) for each in groups), counts=counts)


def _with_acceptance(group: GroupStats, accepted: frozenset[str]) -> GroupStats:
    return group._replace(severity=Severity.INTENDED) if str(group.root) in accepted else group


async def _stored(
    c: ReadConnection, scope: Scope, groups: Sequence[GroupStats], now: datetime
) -> dict[str, OverlapGroup]:
    ids = await repository_explain.group_ids_by_cidr(c, scope, [str(group.root) for group in groups])
    found = await repository_groups.group_rows(c, scope, list(ids.values()), now)
    return {row.cidr: group_of(row) for row in found.values()}


@dataclass(frozen=True, slots=True)
class _View:
    """What a joined group is described from."""

    asked: tuple[UUID, ...]
    stored: Mapping[str, OverlapGroup]
    space: FreeSpace
    accepted: frozenset[str]

    def group(self, group: GroupStats, found: Sequence[Share]) -> JoinedGroup:
        cidr = str(group.root)
        now, is_accepted = self.stored.get(cidr), cidr in self.accepted
        shares = sorted((_share(share) for share in found), key=lambda share: SEVERITIES.index(share.severity))
        kinds = {kind for share in shares if share.severity is shares[0].severity for kind in share.kinds}
        if is_accepted:
            shares = [replace(share, severity=Severity.INTENDED) for share in shares]
        return JoinedGroup(
            id=now.id if now else None,
            asked=self.asked,
            accepted=is_accepted,
            cidr=cidr,
            family=group.root.family,
            severity=group.severity,
            severity_now=now.severity if now else None,
            clusters=group.clusters,
            members=group.members,
            pairs=sum(group.pairs),
            shares=tuple(shares),
            explanation=explain(
                group.severity,
                kinds,
                clusters=group.clusters,
                accepted=is_accepted,
                free=suggestions(group.root, self.space),
            ),
        )


def _share(share: Share) -> ClusterShare:
    return ClusterShare(
        registration_id=share.registration_id,
        severity=Severity(share.severity),
        kinds=tuple(map(AllocationKind, share.kinds.split(","))),
        members=share.members,
    )
