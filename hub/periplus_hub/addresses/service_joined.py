"""What joining clusters would bring: the register computed again beside the stored groups, with another default."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.addresses import repository, repository_acceptances, repository_explain, repository_register
from periplus_hub.addresses.explain import explain, suggestions
from periplus_hub.addresses.fold import ClusterColumns, register_of
from periplus_hub.addresses.forest_build import GroupStats
from periplus_hub.addresses.model import SEVERITIES, JoinedGroup, JoinedReport, OverlapGroup, Relation, Severity
from periplus_hub.addresses.planner import FreeSpace
from periplus_hub.addresses.register import Register
from periplus_hub.addresses.service_register import batches
from periplus_hub.kit.db import ReadConnection

MAX_NAMED_CLUSTERS: Final = 50


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
    register, clusters = await asyncio.to_thread(register_of, topology, columns, Relation.JOIN_REQUESTED)
    accepted = await repository_acceptances.accepted_cidrs(c, scope, now)
    found = [_with_acceptance(group, accepted) for group in register.groups()]
    worst = nsmallest(limit, found, key=lambda group: (SEVERITIES.index(group.severity), -group.clusters, group.root))
    counts = {severity: sum(group.severity is severity for group in found) for severity in SEVERITIES}
    stored = await _stored(c, scope, worst, now)
    space = FreeSpace(await repository_explain.used_ranges(c, scope))
    view = _View(register, clusters, stored, space, accepted)
    return JoinedReport(revision=status.revision, groups=tuple(view.group(group) for group in worst), counts=counts)


def _with_acceptance(group: GroupStats, accepted: frozenset[str]) -> GroupStats:
    return group._replace(severity=Severity.INTENDED) if str(group.root) in accepted else group


async def _stored(
    c: ReadConnection, scope: Scope, groups: Sequence[GroupStats], now: datetime
) -> dict[str, OverlapGroup]:
    ids = await repository_explain.group_ids_by_cidr(c, scope, [str(group.root) for group in groups])
    found = await repository.groups_by_ids(c, scope, list(ids.values()), now)
    return {group.cidr: group for group in found.values()}


@dataclass(frozen=True, slots=True)
class _View:
    """What a joined group is described from."""

    register: Register
    clusters: Sequence[UUID]
    stored: Mapping[str, OverlapGroup]
    space: FreeSpace
    accepted: frozenset[str]

    def group(self, group: GroupStats) -> JoinedGroup:
        cidr = str(group.root)
        content, now = self.register.content(group.root), self.stored.get(cidr)
        return JoinedGroup(
            id=now.id if now else None,
            cidr=cidr,
            family=group.root.family,
            severity=group.severity,
            severity_now=now.severity if now else None,
            clusters=group.clusters,
            members=group.members,
            pairs=sum(group.pairs),
            registration_ids=tuple(self.clusters[owner] for owner in content.owners[:MAX_NAMED_CLUSTERS]),
            explanation=explain(
                group.severity,
                content.kinds,
                clusters=group.clusters,
                accepted=cidr in self.accepted,
                free=suggestions(group.root, self.space),
            ),
        )
