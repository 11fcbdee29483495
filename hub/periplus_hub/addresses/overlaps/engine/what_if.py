"""What joining clusters would bring, worst first: a register with another default, ranked. Pure.

Everything is known before a page is cut, so filters and totals are about all of it.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np

from periplus_hub.addresses.overlaps.engine.causes import WorstPairs
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.forest import GroupStats
from periplus_hub.addresses.overlaps.engine.tenant_register import Share, TenantRegister
from periplus_hub.addresses.overlaps.engine.topology import Topology
from periplus_hub.addresses.overlaps.engine.uses import Use
from periplus_hub.addresses.overlaps.model import SEVERITIES, GroupFilter, Relation, Severity
from periplus_hub.addresses.prefixes.prefix import Prefix, parse

Covered = Mapping[UUID, Severity]
"""What one acceptance covers: clusters, each hit at most so badly."""
ListPosition = tuple[int, int, bytes, bytes]

_INTENDED: Final = SEVERITIES.index(Severity.INTENDED)


class RankedGroup(NamedTuple):
    """A group; `severity` is `intended` where an acceptance covers it."""

    stats: GroupStats
    severity: Severity
    accepted: bool

    @property
    def key(self) -> ListPosition:
        """As stored groups are listed: worst first, then most clusters, then by address."""
        return SEVERITIES.index(self.severity), -self.stats.clusters, *self.stats.root.keys()


class WhatIfView:
    """Every group there would be if whatever is isolated among the clusters of `topology` were to be joined."""

    def __init__(
        self, topology: Topology, columns: Mapping[UUID, ClusterColumns], covered: Mapping[str, Sequence[Covered]]
    ) -> None:
        self.topology = topology
        self._register = TenantRegister(topology, columns, Relation.PLANNED)
        held = self._held(covered)
        found = list(self._register.numbered.groups())
        hit = self._register.numbered.shares([stats.root for stats in found]).group
        counts = np.bincount(hit, minlength=len(found)).tolist()
        groups = [
            RankedGroup(stats, Severity.INTENDED if stats.root in held else stats.severity, stats.root in held)
            for stats in (each._replace(clusters=count) for each, count in zip(found, counts, strict=True))
        ]
        self.groups = sorted(groups, key=_key)

    def _held(self, covered: Mapping[str, Sequence[Covered]]) -> set[Prefix]:
        """Roots where an acceptance covers all that would be there."""
        roots = [root for root in map(parse, covered) if self._register.numbered.group(root)]
        return {
            root
            for root, shares in zip(roots, self.shares(roots), strict=True)
            if any(_covers(each, shares) for each in covered[str(root)])
        }

    def shares(self, roots: Sequence[Prefix]) -> list[list[Share]]:
        """What every cluster would have in each of these groups."""
        return self._register.shares(roots)

    def worst_pairs(self, shares: Sequence[Share]) -> WorstPairs:
        """What is true of the worst pairs of a group with these shares."""
        severity = min((Severity(share.severity) for share in shares), key=SEVERITIES.index)
        worst = [share for share in shares if share.severity == severity.value]
        sides = frozenset(frozenset(map(Use, share.uses.split(","))) for share in worst)
        clusters = [share.registration_id for share in worst]
        return WorstPairs(severity, sides, self.topology.relations(clusters, Relation.PLANNED))

    def wanted(self, only: GroupFilter) -> list[RankedGroup]:
        """The groups that a filter leaves, worst first."""
        found = [group for group in self.groups if only.family in {None, group.stats.root.family}]
        if only.within is not None:
            around = parse(only.within)
            found = [group for group in found if around.covers(group.stats.root) or group.stats.root.covers(around)]
        if only.severities and not only.registration_ids:
            # Without clusters the group's own severity is meant, with them the cluster's in the group: it may be hit
            # less than others.
            found = [group for group in found if group.severity in only.severities]
        for cluster in only.registration_ids:
            found = self._with_one_of(found, {cluster}, only.severities)
        if only.domain_ids:
            homes = {cluster for cluster, domain in self.topology.domains.items() if domain in only.domain_ids}
            found = self._with_one_of(found, homes, ())
        return found

    def _with_one_of(
        self, groups: list[RankedGroup], clusters: Collection[UUID], severities: Collection[Severity]
    ) -> list[RankedGroup]:
        """Groups with a member of one of the clusters, whose own severity in it is one of these."""
        shares = self._register.numbered.shares([group.stats.root for group in groups])
        numbers = [number for number, cluster in enumerate(self._register.clusters) if cluster in clusters]
        accepted = np.array([group.accepted for group in groups], dtype=np.bool_)[shares.group]
        severity = np.where(accepted, _INTENDED, shares.severity)
        chosen = np.isin(shares.owner, numbers)
        if severities:
            chosen &= np.isin(severity, [SEVERITIES.index(each) for each in severities])
        return [groups[at] for at in np.unique(shares.group[chosen]).tolist()]


def _key(group: RankedGroup) -> ListPosition:
    return group.key


def _covers(covered: Covered, shares: Sequence[Share]) -> bool:
    """Whether an acceptance covers all of these clusters, hit as they are."""
    return all(
        share.registration_id in covered
        and SEVERITIES.index(Severity(share.severity)) >= SEVERITIES.index(covered[share.registration_id])
        for share in shares
    )
