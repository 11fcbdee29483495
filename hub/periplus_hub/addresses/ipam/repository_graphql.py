"""Lists of allocations and pools as GraphQL pages through them."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Float, Integer, Row, Text, and_, case, cast, func, literal
from sqlalchemy.dialects.postgresql import ARRAY

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.ipam import tables
from periplus_hub.addresses.ipam.model import (
    FULL_PPM,
    AllocationFilter,
    PoolFilter,
    PoolLimit,
    PoolScope,
    Quality,
    Reach,
)
from periplus_hub.addresses.ipam.repository_pools import FILL
from periplus_hub.addresses.prefixes.typed import wanted_prefix
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.identities import Identity, network, number, unique, word
from periplus_hub.kit.keyset import Listing, orders, plain

_DIGITS: Final = 40
"""All addresses of IPv6 are a number of 39."""
_allocations: Final = tables.allocations
_pools: Final = tables.pools
_corrections: Final = tables.reach_corrections
_CORRECTED: Final = and_(
    *(_corrections.c[name] == _allocations.c[name] for name in ("tenant_id", "registration_id", "kind"))
)
_of_domains: Final = tables.domain_reach_corrections
_CORRECTED_FOR_DOMAIN: Final = and_(
    _of_domains.c.tenant_id == _allocations.c.tenant_id,
    _of_domains.c.domain_id == registrations.c.domain_id,
    _of_domains.c.kind == _allocations.c.kind,
)
_SAID_BY_PEOPLE: Final = func.coalesce(_corrections.c.reach, _of_domains.c.reach)
_REACH: Final = func.coalesce(_SAID_BY_PEOPLE, _allocations.c.reach)


def _as_number(column: ColumnElement[Any]) -> ColumnElement[str]:
    """A decimal text so that texts sort as their numbers do; unknown is the least."""
    padded = func.lpad(func.coalesce(column, ""), _DIGITS, "0", type_=Text)
    return case((column.is_(None), literal("")), else_=padded).collate("C")


def _known(column: ColumnElement[Any], words: type[StrEnum], name: str | None = None) -> ColumnElement[Any]:
    """The column's word, or `unknown` for one that we do not know."""
    return case((column.in_([word.value for word in words]), column), else_=literal("unknown")).label(
        name or column.key
    )


def _allocations_of(scope: Scope, only: AllocationFilter | None) -> Sequence[ColumnElement[bool]]:
    """Of active clusters: those the overlaps are about."""
    table = _allocations
    where = [owned(scope, table), owned(scope, registrations), registrations.c.state == State.ACTIVE.value]
    if only is None:
        return where
    if only.registration_ids:
        where.append(table.c.registration_id.in_(only.registration_ids))
    if only.kinds:
        where.append(table.c.kind.in_([kind.value for kind in only.kinds]))
    if only.family is not None:
        where.append(table.c.family == only.family)
    if only.within is not None:
        first_key, last_key = wanted_prefix(only.within).keys()
        where += [table.c.first_key <= last_key, table.c.last_key >= first_key]
    return where


def _pools_of(scope: Scope, only: PoolFilter | None) -> Sequence[ColumnElement[bool]]:
    """Of active clusters, too: nobody hands out of a revoked one's."""
    where = [owned(scope, _pools), owned(scope, registrations), registrations.c.state == State.ACTIVE.value]
    if only is None:
        return where
    if only.registration_ids:
        where.append(_pools.c.registration_id.in_(only.registration_ids))
    if only.scopes:
        where.append(_known(_pools.c.scope, PoolScope).in_([scope.value for scope in only.scopes]))
    if only.providers:
        where.append(_pools.c.provider.in_(only.providers))
    if only.fills:
        where.append(FILL.in_([fill.value for fill in only.fills]))
    if only.least_taken_ppm is not None:
        where.append(_pools.c.taken_ppm >= only.least_taken_ppm)
    return where


ALLOCATION_ID: Final = Identity(
    "Allocation",
    (
        unique(_allocations.c.registration_id),
        word(_allocations.c.kind),
        network(_allocations.c.cidr),
        word(_allocations.c.node),
    ),
)
POOL_ID: Final = Identity(
    "Pool",
    (
        unique(_pools.c.registration_id),
        word(_pools.c.provider),
        word(_pools.c.name),
        number(_pools.c.family, digits=1),
        word(_pools.c.node),
    ),
)

ALLOCATIONS: Final = Listing[Scope](
    name="allocations",
    source=_allocations.join(registrations, registrations.c.id == _allocations.c.registration_id)
    .outerjoin(_corrections, _CORRECTED)
    .outerjoin(_of_domains, _CORRECTED_FOR_DOMAIN),
    columns=[
        ALLOCATION_ID.column,
        *plain(_allocations, "registration_id", "kind", "family", "provider", "source", "name", "node", "since"),
        _known(_allocations.c.quality, Quality),
        _known(_REACH, Reach, "reach"),
        _SAID_BY_PEOPLE.is_not(None).label("reach_corrected"),
        (_allocations.c.quality != Quality.SEEN.value).label("claim"),
        func.text(_allocations.c.cidr).label("cidr"),
        registrations.c.name.label("cluster_name"),
        registrations.c.domain_id,
    ],
    order=[
        _allocations.c.first_key,
        func.masklen(_allocations.c.cidr, type_=Integer),
        _allocations.c.registration_id,
        _allocations.c.kind,
        _allocations.c.node,
    ],
    where=_allocations_of,
    parent=_allocations.c.registration_id,
)
POOLS: Final = Listing[Scope](
    name="pools",
    source=_pools.join(registrations, registrations.c.id == _pools.c.registration_id),
    columns=[
        POOL_ID.column,
        *plain(_pools, "registration_id", "provider", "name", "family", "node", "source"),
        _known(_pools.c.scope, PoolScope),
        _known(_pools.c.limited_by, PoolLimit),
        FILL.label("fill"),
        (cast(_pools.c.taken_ppm, Float) / FULL_PPM).label("taken"),
        *plain(_pools, "idle", "fragmented", "unaccounted", "contradictions"),
        _known(_pools.c.quality, Quality),
        *plain(_pools, "capacity", "assigned", "used", "reserved", "cooling", "leaked", "borrowed", "unusable"),
        *plain(_pools, "free", "largest_free_block", "evidence"),
        cast(_pools.c.cidrs, ARRAY(Text)).label("cidrs"),
        _pools.c.observed_at,
    ],
    order=plain(_pools, "registration_id", "provider", "name", "family", "node"),
    where=_pools_of,
    parent=_pools.c.registration_id,
)
POOL_ORDERS: Final = orders(
    POOLS,
    {
        "name": _pools.c.name,
        "observed-at": _pools.c.observed_at,
        "taken": func.coalesce(_pools.c.taken_ppm, -1, type_=Integer),
        **{name: _as_number(_pools.c[name]) for name in ("capacity", "used", "free")},
    },
    [each for each in POOLS.order if each.key != "name"],
)
"""Sorted when asked: the pools of a tenant are as many as its nodes, or a few times that."""


async def allocation_row(c: ReadConnection, scope: Scope, parts: Sequence[str]) -> Row[Any] | None:
    """One allocation's row, by the parts of its id."""
    return await ALLOCATIONS.one(c, scope, *ALLOCATION_ID.where(parts))


async def pool_row(c: ReadConnection, scope: Scope, parts: Sequence[str]) -> Row[Any] | None:
    """One pool's row, by the parts of its id."""
    return await POOLS.one(c, scope, *POOL_ID.where(parts))
