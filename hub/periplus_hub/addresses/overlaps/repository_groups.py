"""Overlap groups as people page through them: all, those of each cluster, and the clusters of each group.

Severities are as of a given time: while an acceptance is in force and covers its group, it and every cluster in it is
`intended`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Subquery,
    Text,
    and_,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, array

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.overlaps import tables
from periplus_hub.addresses.overlaps.engine.uses import KIND_OF, KINDS, USES
from periplus_hub.addresses.overlaps.model import SEVERITIES, GroupFilter, Severity
from periplus_hub.addresses.overlaps.repository_acceptances import standing
from periplus_hub.addresses.overlaps.repository_owners import owners
from periplus_hub.addresses.overlaps.tables import rank
from periplus_hub.addresses.prefixes.typed import wanted_prefix
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.keyset import Listing, Slice, id_column, orders, plain
from periplus_hub.kit.windows import Window

_GROUPS: Final = tables.overlap_groups
_SHARES: Final = tables.overlap_group_clusters
_INTENDED: Final = Severity.INTENDED.value


class GroupAsk(NamedTuple):
    """Which groups, or which clusters of a group, and as of when."""

    only: GroupFilter
    now: datetime
    order: tuple[str, bool] | None = None
    """By what, and whether falling; None is worst first."""


def _readable(scope: Scope, now: datetime) -> Subquery:
    """Groups with their severity as of `now`, and the columns they are listed by."""
    # An acceptance ends by the clock without anybody writing: a severity stored with the group would go on hiding it.
    # So it is decided here, at each reading, and every list and count below reads through this.
    held = standing(scope, now)
    accepted = func.coalesce(held.c.covers, false())
    severity = case((accepted, literal(_INTENDED)), else_=_GROUPS.c.severity)
    return (
        select(
            id_column("OverlapGroup", _GROUPS.c.id),
            _GROUPS.c.id.label("group_id"),
            func.text(_GROUPS.c.cidr).label("cidr"),
            *plain(_GROUPS, "family", "first_key", "last_key", "since", "changed_at"),
            severity.label("severity"),
            rank(severity).label("rank"),
            # A cursor compares whole rows in one direction, so what falls is listed as its negative.
            (-_GROUPS.c.clusters).label("fewer_clusters"),
            _GROUPS.c.clusters.label("cluster_count"),
            _GROUPS.c.members.label("member_count"),
            _GROUPS.c.pairs.label("pair_count"),
            held.c.acceptance_id,
            accepted.label("accepted"),
            literal(value=False).label("hypothetical"),
            null().label("joined"),
        )
        .select_from(_GROUPS.outerjoin(held, held.c.group_id == _GROUPS.c.id))
        .where(owned(scope, _GROUPS))
        .subquery("readable")
    )


def _columns(groups: FromClause) -> list[ColumnElement[Any]]:
    hidden = {"first_key", "last_key", "rank", "fewer_clusters"}
    return [column for column in groups.c if column.name not in hidden]


def _order(groups: FromClause, how_bad: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """Worst first, then most clusters, then by address, what lies inside another before that."""
    return [how_bad, groups.c.fewer_clusters, groups.c.first_key, groups.c.last_key]


def _narrowed(scope: Scope, groups: FromClause, only: GroupFilter) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if only.family is not None:
        where.append(groups.c.family == only.family)
    if only.within is not None:
        first_key, last_key = wanted_prefix(only.within).keys()
        # Whatever meets the range, also what lies around it: who asks about 10.1.0.0/16 must hear of a 10.0.0.0/8.
        where += [groups.c.first_key <= last_key, groups.c.last_key >= first_key]
    if only.domain_ids:
        who = owners(scope)
        lives = select(who.c.id).where(who.c.domain_id.in_(only.domain_ids))
        where.append(_has(scope, groups, _SHARES.c.registration_id.in_(lives)))
    names = [severity.value for severity in only.severities]
    # With clusters named, the severity asked for is theirs in the group: a group that is critical between two others
    # may hurt them little.
    if names and not only.registration_ids:
        where.append(groups.c.severity.in_(names))
    for each in only.registration_ids:
        own = _SHARES.c.registration_id == each
        where.append(_has(scope, groups, and_(own, _as_bad(groups, names)) if names else own))
    return where


def _has(scope: Scope, groups: FromClause, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(1).where(owned(scope, _SHARES), _SHARES.c.group_id == groups.c.group_id, condition).exists()


def _own_severity(groups: FromClause) -> ColumnElement[Any]:
    return case((groups.c.accepted, literal(_INTENDED)), else_=_SHARES.c.severity)


def _as_bad(groups: FromClause, names: Sequence[str]) -> ColumnElement[bool]:
    """Whether the cluster's own severity is one of these; says it so that an index can help."""
    # Compared as stored, not as the CASE that is shown: an index has the column and not the expression.
    raw = and_(~groups.c.accepted, _SHARES.c.severity.in_(names))
    return or_(raw, groups.c.accepted) if _INTENDED in names else raw


def _all(scope: Scope, now: datetime, order: tuple[str, bool] | None = None) -> Listing[Scope]:
    groups = _readable(scope, now)

    def where(scope: Scope, only: GroupFilter) -> Sequence[ColumnElement[bool]]:
        return _narrowed(scope, groups, only)

    worst_first = Listing(
        name="overlap_groups",
        source=groups,
        columns=_columns(groups),
        order=_order(groups, groups.c.rank),
        where=where,
    )
    by_address = [groups.c.first_key, groups.c.last_key]
    return worst_first if order is None else orders(worst_first, _sortable(groups), by_address)[order]


def _sortable(groups: FromClause) -> dict[str, ColumnElement[Any]]:
    """Sorted when asked, as worst first is: acceptances in force decide over the severity."""
    return {
        "severity": groups.c.rank,
        "cidr": groups.c.first_key,
        "clusters": groups.c.cluster_count,
        "pairs": groups.c.pair_count,
        "since": groups.c.since,
        "changed-at": groups.c.changed_at,
    }


def _of_clusters(scope: Scope, now: datetime) -> Listing[Scope]:
    groups = _readable(scope, now)
    own = _own_severity(groups)

    def where(scope: Scope, only: GroupFilter) -> Sequence[ColumnElement[bool]]:
        names = [severity.value for severity in only.severities]
        return [owned(scope, _SHARES), *([_as_bad(groups, names)] if names else [])]

    return Listing(
        name="cluster_overlap_groups",
        source=_SHARES.join(groups, groups.c.group_id == _SHARES.c.group_id),
        columns=[*_columns(groups), own.label("own_severity")],
        order=_order(groups, rank(own)),
        where=where,
        parent=_SHARES.c.registration_id,
    )


def _kinds() -> ColumnElement[Any]:
    """The kinds there are among the uses, each once, in the order of KINDS."""
    there = (
        case((_SHARES.c.uses.overlap([use.value for use in USES if KIND_OF[use] is kind]), kind.value))
        for kind in KINDS
    )
    return func.array_remove(array(there), null(), type_=ARRAY(Text)).label("kinds")


def _clusters(scope: Scope, now: datetime) -> Listing[Scope]:
    groups, who = _readable(scope, now), owners(scope)
    own = _own_severity(groups)

    def where(scope: Scope, only: GroupFilter) -> Sequence[ColumnElement[bool]]:
        names = [severity.value for severity in only.severities]
        return [owned(scope, _SHARES), *([_as_bad(groups, names)] if names else [])]

    source = _SHARES.join(groups, groups.c.group_id == _SHARES.c.group_id)
    return Listing(
        name="overlap_group_clusters",
        source=source.join(who, who.c.id == _SHARES.c.registration_id),
        columns=[
            *plain(_SHARES, "group_id", "registration_id"),
            _kinds(),
            who.c.name.label("cluster_name"),
            own.label("severity"),
            _SHARES.c.members.label("member_count"),
        ],
        order=[rank(own), who.c.name, who.c.id],
        where=where,
        parent=_SHARES.c.group_id,
    )


async def groups(
    c: ReadConnection, scope: Scope, parents: Sequence[None], window: Window, asked: GroupAsk
) -> dict[None, Slice]:
    """A page of the tenant's groups, worst first."""
    return await _all(scope, asked.now, asked.order).slices(c, scope, parents, window, asked.only)


async def group_total(c: ReadConnection, scope: Scope, parents: Sequence[None], asked: GroupAsk) -> dict[None, int]:
    """How many groups there are."""
    return await _all(scope, asked.now).counts(c, scope, parents, asked.only)


async def groups_of_clusters(
    c: ReadConnection, scope: Scope, clusters: Sequence[UUID], window: Window, asked: GroupAsk
) -> dict[UUID, Slice]:
    """A page of the groups of every cluster, by the cluster's own severity, which is `own_severity`."""
    return await _of_clusters(scope, asked.now).slices(c, scope, clusters, window, asked.only)


async def group_totals_of_clusters(
    c: ReadConnection, scope: Scope, clusters: Sequence[UUID], asked: GroupAsk
) -> dict[UUID, int]:
    """How many groups every cluster is in."""
    return await _of_clusters(scope, asked.now).counts(c, scope, clusters, asked.only)


async def clusters_of_groups(
    c: ReadConnection, scope: Scope, group_ids: Sequence[UUID], window: Window, asked: GroupAsk
) -> dict[UUID, Slice]:
    """A page of the clusters of every group, worst first, then by name."""
    return await _clusters(scope, asked.now).slices(c, scope, group_ids, window, asked.only)


async def cluster_totals_of_groups(
    c: ReadConnection, scope: Scope, group_ids: Sequence[UUID], asked: GroupAsk
) -> dict[UUID, int]:
    """How many clusters every group has."""
    return await _clusters(scope, asked.now).counts(c, scope, group_ids, asked.only)


async def severities_of_groups(
    c: ReadConnection, scope: Scope, group_ids: Sequence[UUID], now: datetime
) -> dict[UUID, dict[Severity, int]]:
    """How many clusters every group hurts how much."""
    groups = _readable(scope, now)
    own = _own_severity(groups)
    statement = (
        select(groups.c.group_id, own.label("severity"), func.count().label("clusters"))
        .select_from(_SHARES.join(groups, groups.c.group_id == _SHARES.c.group_id))
        .where(owned(scope, _SHARES), groups.c.group_id.in_(group_ids))
        .group_by(groups.c.group_id, own)
    )
    found: dict[UUID, dict[Severity, int]] = {each: {} for each in group_ids}
    for row in await c.rows(statement):
        found[row.group_id][Severity(row.severity)] = row.clusters
    return found


async def group_rows(c: ReadConnection, scope: Scope, ids: Sequence[UUID], now: datetime) -> dict[UUID, Row[Any]]:
    """Those that exist, by id."""
    groups = _readable(scope, now)
    rows = await c.rows(select(*_columns(groups)).where(groups.c.group_id.in_(ids)))
    return {row.group_id: row for row in rows}


async def severity_counts(c: ReadConnection, scope: Scope, now: datetime) -> dict[Severity, int]:
    """Groups per severity; 0 for those without."""
    groups = _readable(scope, now)
    rows = await c.rows(select(groups.c.severity, func.count().label("groups")).group_by(groups.c.severity))
    found = {row.severity: int(row.groups) for row in rows}
    return {severity: found.get(severity.value, 0) for severity in SEVERITIES}


async def group_ids_by_cidr(c: ReadConnection, scope: Scope, cidrs: Sequence[str]) -> dict[str, UUID]:
    """Stored groups rooted at these CIDRs."""
    text = func.text(_GROUPS.c.cidr)
    rows = await c.rows(select(text.label("cidr"), _GROUPS.c.id).where(owned(scope, _GROUPS), text.in_(cidrs)))
    return {row.cidr: row.id for row in rows}
