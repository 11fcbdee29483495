"""What people may ask about overlaps, allocations, pools and acceptances."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, String, Subquery, and_, case, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, distinct_on

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses import tables
from periplus_hub.addresses.model import (
    SEVERITIES,
    Acceptance,
    Allocation,
    AllocationFilter,
    AllocationKind,
    GroupFilter,
    Member,
    OverlapGroup,
    Pool,
    PrefixMembers,
    Severity,
)
from periplus_hub.addresses.prefixes import Prefix, parse
from periplus_hub.addresses.repository_register import register_status
from periplus_hub.addresses.rows import acceptance_of, allocation_of, group_of, pool_of, wanted_prefix
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.page import Page, PageAsk, fetch_page

__all__ = ["register_status"]

_GROUPS: Final = tables.overlap_groups
_ALLOCATIONS: Final = tables.allocations
_ACCEPTANCES: Final = tables.overlap_acceptances
_POOLS: Final = tables.pools


def _in_force(scope: Scope, now: datetime) -> Subquery:
    """The longest acceptance in force per root; there are few."""
    table = _ACCEPTANCES
    return (
        select(table.c.cidr, table.c.id.label("acceptance_id"))
        .where(owned(scope, table), table.c.withdrawn_at.is_(None), table.c.expires_at > now)
        .ext(distinct_on(table.c.cidr))
        .order_by(table.c.cidr, table.c.expires_at.desc(), table.c.id)
        .subquery("in_force")
    )


def _readable_groups(scope: Scope, now: datetime) -> Select[Any]:
    """Groups with their severity as of `now`, and the columns they are listed by: worst first, then largest."""
    accepted = _in_force(scope, now)
    inner = (
        select(_GROUPS, func.text(_GROUPS.c.cidr).label("cidr_text"), accepted.c.acceptance_id)
        .outerjoin(accepted, accepted.c.cidr == _GROUPS.c.cidr)
        .where(owned(scope, _GROUPS))
        .subquery("groups")
    )
    severity = case((inner.c.acceptance_id.is_not(None), literal(Severity.INTENDED.value)), else_=inner.c.severity)
    rank = case({name.value: number for number, name in enumerate(SEVERITIES)}, value=severity)
    ranked = select(
        *(column for column in inner.c if column.name not in {"severity", "tenant_id"}),
        severity.label("severity"),
        rank.label("rank"),
        (-inner.c.clusters).label("fewer_clusters"),
    ).subquery("ranked")
    return select(ranked)


async def list_groups(
    c: ReadConnection, scope: Scope, ask: PageAsk, filters: GroupFilter, now: datetime
) -> Page[OverlapGroup]:
    """Worst first, then most clusters, then by address: roots are disjoint, so the first address names one."""
    statement = _readable_groups(scope, now)
    table = statement.selected_columns
    conditions: list[ColumnElement[bool]] = []
    if filters.severities:
        conditions.append(table.severity.in_([severity.value for severity in filters.severities]))
    if filters.family is not None:
        conditions.append(table.family == filters.family)
    if filters.within is not None:
        conditions.append(_touches(table, wanted_prefix(filters.within)))
    conditions += [
        _has_member(scope, table, _ALLOCATIONS.c.registration_id == each) for each in filters.registration_ids
    ]
    if filters.domain_ids:
        lives = select(registrations.c.id).where(
            owned(scope, registrations), registrations.c.domain_id.in_(filters.domain_ids)
        )
        conditions.append(_has_member(scope, table, _ALLOCATIONS.c.registration_id.in_(lives)))
    order = [table.rank, table.fewer_clusters, table.first_key]
    return (await fetch_page(c, statement.where(*conditions), ask, order)).map(group_of)


def _touches(table: Any, prefix: Prefix) -> ColumnElement[bool]:  # noqa: ANN401 - columns of a table or a subquery
    """Rows inside the prefix or around it."""
    first_key, last_key = prefix.keys()
    return and_(table.first_key <= last_key, table.last_key >= first_key)


def _inside(group: Any) -> ColumnElement[bool]:  # noqa: ANN401 - as above
    return and_(
        _ALLOCATIONS.c.first_key.between(group.first_key, group.last_key), _ALLOCATIONS.c.last_key <= group.last_key
    )


def _has_member(scope: Scope, group: Any, condition: ColumnElement[bool]) -> ColumnElement[bool]:  # noqa: ANN401 - as above
    return select(1).where(owned(scope, _ALLOCATIONS), _inside(group), condition).exists()


async def groups_by_ids(
    c: ReadConnection, scope: Scope, ids: Sequence[UUID], now: datetime
) -> dict[UUID, OverlapGroup]:
    """Those that exist, by id."""
    statement = _readable_groups(scope, now)
    rows = await c.rows(statement.where(statement.selected_columns.id.in_(ids)))
    return {row.id: group_of(row) for row in rows}


async def severity_counts(c: ReadConnection, scope: Scope, now: datetime) -> dict[Severity, int]:
    """Groups per severity; 0 for those without."""
    groups = _readable_groups(scope, now).subquery()
    rows = await c.rows(select(groups.c.severity, func.count().label("groups")).group_by(groups.c.severity))
    found = {row.severity: int(row.groups) for row in rows}
    return {severity: found.get(severity.value, 0) for severity in SEVERITIES}


_ALLOCATION: Final = (
    *(column for column in _ALLOCATIONS.c if column.name not in {"tenant_id", "cidr"}),
    func.text(_ALLOCATIONS.c.cidr).label("cidr_text"),
)


_LENGTH: Final[ColumnElement[Any]] = func.masklen(_ALLOCATIONS.c.cidr).label("length")
_TREE_ORDER: Final[tuple[ColumnElement[Any], ...]] = (_ALLOCATIONS.c.first_key, _LENGTH)
"""Parents before children."""


def live_allocations(scope: Scope, *columns: ColumnElement[Any]) -> Select[Any]:
    """Allocations of active clusters: those the overlaps are about."""
    return (
        select(*_ALLOCATION, _LENGTH, *columns)
        .join(registrations, registrations.c.id == _ALLOCATIONS.c.registration_id)
        .where(owned(scope, _ALLOCATIONS), owned(scope, registrations), registrations.c.state == State.ACTIVE.value)
    )


async def list_members(c: ReadConnection, scope: Scope, group: OverlapGroup, ask: PageAsk) -> Page[Member]:
    """Everything inside the group, by address, parents first."""
    statement = live_allocations(scope, registrations.c.domain_id).where(_range_of(group.cidr))
    order = [*_TREE_ORDER, _ALLOCATIONS.c.registration_id, _ALLOCATIONS.c.kind]
    page = await fetch_page(c, statement, ask, order)
    return page.map(lambda row: Member(allocation=allocation_of(row), domain_id=row.domain_id))


def _range_of(cidr: str) -> ColumnElement[bool]:
    first_key, last_key = parse(cidr).keys()
    return _ALLOCATIONS.c.first_key.between(first_key, last_key) & (_ALLOCATIONS.c.last_key <= last_key)


async def list_prefixes(c: ReadConnection, scope: Scope, group: OverlapGroup, ask: PageAsk) -> Page[PrefixMembers]:
    """The group's distinct CIDRs, by address, parents first."""
    kinds = func.array_agg(aggregate_order_by(_ALLOCATIONS.c.kind.distinct(), _ALLOCATIONS.c.kind))
    inside = live_allocations(scope).where(_range_of(group.cidr))
    statement = inside.with_only_columns(
        _ALLOCATIONS.c.first_key,
        _LENGTH,
        func.text(_ALLOCATIONS.c.cidr).label("cidr_text"),
        func.count(_ALLOCATIONS.c.registration_id.distinct()).label("clusters"),
        func.count().label("members"),
        kinds.label("kinds"),
    ).group_by(_ALLOCATIONS.c.first_key, _ALLOCATIONS.c.cidr)
    page = await fetch_page(c, statement, ask, list(_TREE_ORDER))
    return page.map(
        lambda row: PrefixMembers(
            cidr=row.cidr_text,
            clusters=row.clusters,
            members=row.members,
            kinds=tuple(AllocationKind(kind) for kind in row.kinds),
        )
    )


async def list_allocations(
    c: ReadConnection, scope: Scope, ask: PageAsk, filters: AllocationFilter
) -> Page[Allocation]:
    """By address, parents first; of active clusters."""
    conditions: list[ColumnElement[bool]] = []
    if filters.registration_ids:
        conditions.append(_ALLOCATIONS.c.registration_id.in_(filters.registration_ids))
    if filters.kinds:
        conditions.append(_ALLOCATIONS.c.kind.in_([kind.value for kind in filters.kinds]))
    if filters.family is not None:
        conditions.append(_ALLOCATIONS.c.family == filters.family)
    if filters.within is not None:
        conditions.append(_touches(_ALLOCATIONS.c, wanted_prefix(filters.within)))
    order = [*_TREE_ORDER, _ALLOCATIONS.c.registration_id, _ALLOCATIONS.c.kind]
    return (await fetch_page(c, live_allocations(scope).where(*conditions), ask, order)).map(allocation_of)


async def _each(
    c: ReadConnection, statement: Select[Any], ids: Sequence[UUID], convert: Callable[[Row[Any]], Any]
) -> dict[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = {each: [] for each in ids}
    for row in await c.rows(statement):
        found[row.registration_id].append(convert(row))
    return found


async def allocations_by_registrations(
    c: ReadConnection, scope: Scope, ids: Sequence[UUID], limit_each: int = 200
) -> dict[UUID, list[Allocation]]:
    """The first allocations of each cluster by address; loaders ask for many clusters at once."""
    place = func.row_number().over(
        partition_by=_ALLOCATIONS.c.registration_id, order_by=[*_TREE_ORDER, _ALLOCATIONS.c.kind]
    )
    numbered = (
        select(*_ALLOCATION, place.label("place"))
        .where(owned(scope, _ALLOCATIONS), _ALLOCATIONS.c.registration_id.in_(ids))
        .subquery()
    )
    statement = select(numbered).where(numbered.c.place <= limit_each).order_by(numbered.c.place)
    return await _each(c, statement, ids, allocation_of)


async def list_pools(
    c: ReadConnection, scope: Scope, ask: PageAsk, registration_ids: Sequence[UUID] = ()
) -> Page[Pool]:
    """By cluster, provider and name."""
    statement = select(_POOLS).where(owned(scope, _POOLS))
    if registration_ids:
        statement = statement.where(_POOLS.c.registration_id.in_(registration_ids))
    order = [_POOLS.c[name] for name in ("registration_id", "provider", "name", "family", "node")]
    return (await fetch_page(c, statement, ask, order)).map(pool_of)


async def pools_by_registrations(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, list[Pool]]:
    """Every pool of each cluster, by provider and name."""
    statement = (
        select(_POOLS)
        .where(owned(scope, _POOLS), _POOLS.c.registration_id.in_(ids))
        .order_by(_POOLS.c.provider, _POOLS.c.name, _POOLS.c.family, _POOLS.c.node)
    )
    return await _each(c, statement, ids, pool_of)


_ACCEPTANCE: Final = (
    *(column for column in _ACCEPTANCES.c if column.name not in {"tenant_id", "cidr"}),
    func.text(_ACCEPTANCES.c.cidr, type_=String).label("cidr_text"),
)


async def acceptances_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Acceptance]:
    """Those that exist, by id."""
    statement = select(*_ACCEPTANCE).where(owned(scope, _ACCEPTANCES), _ACCEPTANCES.c.id.in_(ids))
    return {row.id: acceptance_of(row) for row in await c.rows(statement)}
