"""How full the pools of the fleet are."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Row, case, cast, func, literal, select, true

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.ipam import tables
from periplus_hub.addresses.ipam.model import (
    FULL_PPM,
    NEARLY_ALL_PPM,
    SOON_HOURS,
    PoolFill,
    PoolLimit,
    PoolScope,
    ShortPool,
    ShortPools,
)
from periplus_hub.addresses.ipam.repository_pool_history import first_sample
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import ReadConnection

_HOUR_S: Final = 3_600
_MAX_HOURS: Final = 1_000_000
_pools: Final = tables.pools
FILL: Final[ColumnElement[Any]] = case(
    (_pools.c.taken_ppm.is_(None), literal(PoolFill.UNKNOWN.value)),
    (_pools.c.taken_ppm >= NEARLY_ALL_PPM, literal(PoolFill.NEAR_EXHAUSTION.value)),
    else_=literal(PoolFill.AMPLE.value),
)
"""A `PoolFill`."""


async def pools_by_fill(c: ReadConnection, scope: Scope) -> dict[PoolFill, int]:
    """Pools of active clusters; 0 for a fill that none has."""
    owner = owned(scope, registrations) & (registrations.c.id == _pools.c.registration_id)
    active = registrations.c.state == State.ACTIVE.value
    asked = (
        select(FILL.label("fill"))
        .select_from(_pools.join(registrations, owner))
        .where(owned(scope, _pools), active)
        .subquery()
    )
    rows = await c.rows(select(asked.c.fill, func.count().label("pools")).group_by(asked.c.fill))
    found = {row.fill: int(row.pools) for row in rows}
    return {each: found.get(each.value, 0) for each in PoolFill}


async def short_pools(c: ReadConnection, scope: Scope, most: int, now: datetime) -> ShortPools:
    """Of active clusters: nearly full, full within days at their own speed, or contradictory. None is a node's."""
    columns = [_pools.c[name] for name in ("registration_id", "provider", "name", "family", "scope", "taken_ppm")]
    is_contradictory = func.cardinality(_pools.c.contradictions) > 0
    owner = owned(scope, registrations) & (registrations.c.id == _pools.c.registration_id)
    sample = first_sample(scope, now)
    hours_left = func.floor(sample.c.left_s / _HOUR_S)
    bounded = case((hours_left > _MAX_HOURS, _MAX_HOURS), else_=hours_left)
    is_short = (_pools.c.taken_ppm >= NEARLY_ALL_PPM) | is_contradictory | (hours_left < SOON_HOURS)
    statement = (
        select(
            *columns,
            _pools.c.limited_by,
            _pools.c.capacity,
            is_contradictory.label("is_contradictory"),
            cast(bounded, Integer).label("hours_left"),
            cast(func.floor(sample.c.passed_s / _HOUR_S), Integer).label("history_hours"),
            func.count().over().label("all_of_them"),
        )
        .select_from(_pools.join(registrations, owner).outerjoin(sample, true()))
        .where(owned(scope, _pools), registrations.c.state == State.ACTIVE.value)
        .where(_pools.c.scope != PoolScope.NODE.value, is_short)
        .order_by(_pools.c.taken_ppm.desc().nulls_last(), *columns[:4])
        .limit(most)
    )
    rows = await c.rows(statement)
    return ShortPools(pools=[_short(row) for row in rows], unlisted=rows[0].all_of_them - len(rows) if rows else 0)


def _short(row: Row[Any]) -> ShortPool:
    values = {name: getattr(row, name) for name in ShortPool.__dataclass_fields__}
    return ShortPool(**values | {"limited_by": PoolLimit(row.limited_by)})


async def clusters_with_full_nodes(c: ReadConnection, scope: Scope) -> AbstractSet[UUID]:
    """Active clusters with nodes whose own pools have nothing left, and no pool has more for them."""
    owner = owned(scope, registrations) & (registrations.c.id == _pools.c.registration_id)
    statement = (
        select(_pools.c.registration_id)
        .distinct()
        .select_from(_pools.join(registrations, owner))
        .where(owned(scope, _pools), registrations.c.state == State.ACTIVE.value)
        .where(_pools.c.scope == PoolScope.NODE.value, _pools.c.taken_ppm >= FULL_PPM, ~tables.has_more())
    )
    return frozenset(row.registration_id for row in await c.rows(statement))
