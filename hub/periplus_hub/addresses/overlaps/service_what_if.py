"""What joining clusters would bring: the register computed again beside the stored groups, with another default."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.overlaps import repository_acceptances, repository_groups, repository_register
from periplus_hub.addresses.overlaps.engine.causes import WorstPairs
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.explanations import explain
from periplus_hub.addresses.overlaps.engine.tenant_register import Share
from periplus_hub.addresses.overlaps.engine.topology import Topology
from periplus_hub.addresses.overlaps.engine.uses import Use, kinds_of
from periplus_hub.addresses.overlaps.engine.what_if import Covered, ListPosition, RankedGroup, WhatIfView
from periplus_hub.addresses.overlaps.model import (
    SEVERITIES,
    ClusterShare,
    Explanation,
    GroupFilter,
    JoinedGroup,
    OverlapGroup,
    Severity,
)
from periplus_hub.addresses.overlaps.repository_owners import owner_names
from periplus_hub.addresses.overlaps.rows import group_of
from periplus_hub.addresses.overlaps.service_register import batches
from periplus_hub.addresses.prefixes.typed import wanted_prefix
from periplus_hub.kit.cursors import decode_cursor
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import NotFound
from periplus_hub.kit.windows import Window, other_list, span

ORDER: Final = "joined_groups"


@dataclass(frozen=True, slots=True)
class JoinAsk:
    """The clusters to join (None: all), and as of when."""

    clusters: tuple[UUID, ...] | None
    now: datetime


@dataclass(frozen=True, slots=True)
class JoinedPage:
    """Some of the groups there would be, worst first, and how many there are."""

    groups: tuple[JoinedGroup, ...] = ()
    has_next: bool = False
    has_previous: bool = False
    total: int = 0


def list_position(group: JoinedGroup) -> ListPosition:
    """Where a group stands among all."""
    return SEVERITIES.index(group.severity), -group.clusters, *group.keys


class _MadeOf(NamedTuple):
    """Everything a view follows from; allocations are those of a revision."""

    tenant_id: UUID
    revision: int
    topology: Topology
    covered: Mapping[str, Sequence[Covered]]


_last: list[tuple[_MadeOf, WhatIfView]] = []
"""The view that this process made last, because whoever turns pages asks again and again. At most one: a view of a
million allocations takes a hundred megabytes."""


class Joining:
    """What one question needs, read; the view is computed when the session it was read in has been given back."""

    def __init__(self, made_of: _MadeOf, columns: Mapping[UUID, ClusterColumns]) -> None:
        self._made_of = made_of
        self._columns = columns
        self._known = _kept(made_of)
        self._computing = asyncio.Lock()

    async def view(self) -> WhatIfView:
        """Computed once, in a thread."""
        async with self._computing:
            if self._known is None:
                made_of = self._made_of
                parts = (made_of.topology, self._columns, made_of.covered)
                self._known = await asyncio.to_thread(WhatIfView, *parts)
                _last[:] = [(made_of, self._known)]
        return self._known


def _kept(made_of: _MadeOf) -> WhatIfView | None:
    return next((view for kept, view in _last if kept == made_of), None)


async def joinings(c: ReadConnection, scope: Scope, asks: Sequence[JoinAsk]) -> dict[JoinAsk, Joining]:
    """For a loader, so that one operation reads and computes once. Nothing stored changes."""
    return {ask: await _joining(c, scope, ask) for ask in asks}


async def _joining(c: ReadConnection, scope: Scope, ask: JoinAsk) -> Joining:
    # The revision first: what is read after it is of this revision or later, never of an earlier one that is called
    # this.
    status = await repository_register.register_status(c, scope)
    topology = await repository_register.topology(c, scope)
    if ask.clusters is not None:
        known = set(topology.clusters)
        for each in ask.clusters:
            if each not in known:
                raise NotFound(f"there is no active cluster {each}", "Look it up in the list of clusters.")
        topology = topology.only(ask.clusters)
    covered = await repository_acceptances.covered_by_root(c, scope, ask.now)
    made_of = _MadeOf(scope.tenant_id, status.latest, topology, covered)
    columns: dict[UUID, ClusterColumns] = {}
    # What is committed from here on may be in the view too. It belongs to a later revision, so the next question makes
    # a new one.
    for some in batches([] if _kept(made_of) else list(topology.domains)):
        columns |= await repository_register.owner_columns(c, scope, some)
    return Joining(made_of, columns)


async def joined_pages(  # noqa: PLR0917 - the shape of every loader's function: connection, scope, keys, arguments
    c: ReadConnection, scope: Scope, views: Sequence[WhatIfView], window: Window, only: GroupFilter, ask: JoinAsk
) -> dict[WhatIfView, JoinedPage]:
    """A page of the groups of each view that the filter leaves."""
    if only.within is not None:
        wanted_prefix(only.within)
    ends = window.ends(_position_at)
    cuts = {view: await asyncio.to_thread(_cut, view, only, window, ends) for view in views}
    return {view: await _page(c, scope, cut, ask) for view, cut in cuts.items()}


@dataclass(frozen=True, slots=True)
class _Cut:
    """A page before it is described."""

    groups: Sequence[tuple[RankedGroup, Sequence[Share], WorstPairs]]
    has_next: bool
    has_previous: bool
    total: int


def _cut(
    view: WhatIfView, only: GroupFilter, window: Window, ends: tuple[ListPosition | None, ListPosition | None]
) -> _Cut:
    wanted = view.wanted(only)
    start, stop = span(wanted, attrgetter("key"), ends, window)
    shown = wanted[start:stop]
    shares = view.shares([group.stats.root for group in shown])
    worst = [view.worst_pairs(each) for each in shares]
    return _Cut(list(zip(shown, shares, worst, strict=True)), stop < len(wanted), start > 0, len(wanted))


async def _page(c: ReadConnection, scope: Scope, cut: _Cut, ask: JoinAsk) -> JoinedPage:
    stored = await _stored(c, scope, [group for group, _, _ in cut.groups], ask.now)
    clusters = {share.registration_id for _, shares, _ in cut.groups for share in shares}
    names = await owner_names(c, scope, clusters)
    groups = []
    for ranked, shares, worst in cut.groups:
        told = explain(worst, accepted=ranked.accepted)
        named = [_share(share, names[share.registration_id]) for share in shares]
        group = _group(ranked, named, stored.get(str(ranked.stats.root)), told)
        groups.append(replace(group, asked=ask.clusters or ()))
    return JoinedPage(tuple(groups), cut.has_next, cut.has_previous, cut.total)


async def _stored(
    c: ReadConnection, scope: Scope, groups: Sequence[RankedGroup], now: datetime
) -> dict[str, OverlapGroup]:
    ids = await repository_groups.group_ids_by_cidr(c, scope, [str(group.stats.root) for group in groups])
    found = await repository_groups.group_rows(c, scope, list(ids.values()), now)
    return {row.cidr: group_of(row) for row in found.values()}


def _group(
    ranked: RankedGroup, found: Sequence[ClusterShare], now: OverlapGroup | None, told: Explanation
) -> JoinedGroup:
    stats = ranked.stats
    shares = sorted(found, key=lambda share: SEVERITIES.index(share.severity))
    if ranked.accepted:
        # After sorting: the order is by what each would be, so that the cluster that is hurt most stays first.
        shares = [replace(share, severity=Severity.INTENDED) for share in shares]
    return JoinedGroup(
        id=now.id if now else None,
        asked=(),
        acceptance_id=now.acceptance_id if now else None,
        accepted=ranked.accepted,
        cidr=str(stats.root),
        keys=stats.root.keys(),
        family=stats.root.family,
        severity=ranked.severity,
        clusters=stats.clusters,
        members=stats.members,
        pairs=sum(stats.pairs),
        shares=tuple(shares),
        explanation=told,
    )


def _share(share: Share, name: str) -> ClusterShare:
    return ClusterShare(
        registration_id=share.registration_id,
        cluster_name=name,
        severity=Severity(share.severity),
        kinds=kinds_of(map(Use, share.uses.split(","))),
        member_count=share.members,
    )


def _position_at(cursor: str) -> ListPosition:
    match decode_cursor(cursor, ORDER):
        case (int(severity), int(clusters), bytes(first_key), bytes(last_key)):
            return severity, clusters, first_key, last_key
    raise other_list()
