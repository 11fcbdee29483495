"""How full the pools of the fleet are."""

from typing import Any, Final

from sqlalchemy import ColumnElement, case, func, literal, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.ipam import tables
from periplus_hub.addresses.ipam.model import NEARLY_ALL_PPM, PoolFill
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import ReadConnection

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
