"""Explaining overlap groups, and whom they hit worst."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.overlaps import repository_acceptances, repository_groups, repository_worst_pairs
from periplus_hub.addresses.overlaps.engine.explanations import explain
from periplus_hub.addresses.overlaps.model import Explanation, GroupFilter, NamedClusters, OverlapGroup
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.windows import Window

MAX_NAMED: Final = 20


async def explain_groups(c: ReadConnection, scope: Scope, groups: Sequence[OverlapGroup]) -> dict[UUID, Explanation]:
    """For loaders: a few statements, whatever the number of groups."""
    worst = await repository_worst_pairs.worst_pairs(c, scope, [group.id for group in groups])
    grown = [(group.id, group.acceptance_id) for group in groups if group.acceptance_id and group.outgrown]
    outgrown = await repository_acceptances.outgrown_by_groups(c, scope, grown) if grown else {}
    return {
        group.id: explain(
            worst[group.id],
            accepted=group.accepted,
            outgrown=outgrown.get(group.id),
        )
        for group in groups
        if group.id in worst
    }


async def worst_hit(
    c: ReadConnection, scope: Scope, groups: Sequence[OverlapGroup], now: datetime
) -> dict[UUID, NamedClusters]:
    """Per group, the clusters whose own severity is the group's: the others are in it with milder relations."""
    found: dict[UUID, NamedClusters] = {}
    for severity in {group.severity for group in groups}:
        ids = [group.id for group in groups if group.severity is severity]
        asked = repository_groups.GroupAsk(GroupFilter(severities=(severity,)), now)
        pages = await repository_groups.clusters_of_groups(c, scope, ids, Window(MAX_NAMED), asked)
        totals = await repository_groups.cluster_totals_of_groups(c, scope, ids, asked)
        for each in ids:
            names = tuple(row.cluster_name for row in pages[each].rows)
            found[each] = NamedClusters(names=names, clusters=totals[each])
    return found
