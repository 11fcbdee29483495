"""How full the pools of the fleet are."""

from typing import Final

from sqlalchemy import Numeric, case, cast, func, literal, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.ipam import tables
from periplus_hub.addresses.ipam.model import NEARLY_ALL, PoolFill
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import ReadConnection

_pools: Final = tables.pools


async def pools_by_fill(c: ReadConnection, scope: Scope) -> dict[PoolFill, int]:
    """Pools of active clusters; 0 for a fill that none has."""
    capacity, free, assigned, used = (
        cast(_pools.c[name], Numeric) for name in ("capacity", "free", "assigned", "used")
    )
    taken = func.coalesce(capacity - free, assigned, used)
    fill = case(
        (capacity.is_(None) | (capacity <= 0) | taken.is_(None), literal(PoolFill.UNKNOWN.value)),
        (taken >= capacity * literal(NEARLY_ALL, Numeric), literal(PoolFill.NEAR_EXHAUSTION.value)),
        else_=literal(PoolFill.AMPLE.value),
    ).label("fill")
    owner = owned(scope, registrations) & (registrations.c.id == _pools.c.registration_id)
    active = registrations.c.state == State.ACTIVE.value
    asked = select(fill).select_from(_pools.join(registrations, owner)).where(owned(scope, _pools), active).subquery()
    rows = await c.rows(select(asked.c.fill, func.count().label("pools")).group_by(asked.c.fill))
    found = {row.fill: int(row.pools) for row in rows}
    return {each: found.get(each.value, 0) for each in PoolFill}
