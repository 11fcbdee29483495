"""Pools of which more addresses are leaked each day."""

from typing import Any, Final

from sqlalchemy import BigInteger, Integer, Numeric, Row, cast, func, or_, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.selectable import LateralFromClause

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.ipam.model import LeakingPool, LeakingPools, PoolScope
from periplus_hub.addresses.ipam.repository_pool_history import LOOKED_BACK
from periplus_hub.addresses.ipam.tables import pool_history, pools
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import ReadConnection

_DAY_S: Final = 86_400
_KEY: Final = ("registration_id", "provider", "name", "family")


async def leaking_pools(c: ReadConnection, scope: Scope, most: int) -> LeakingPools:
    """Of active clusters, none of a node: those that leak more than on any day before, or of which nobody can tell."""
    days = _by_day(scope)
    columns = [pools.c[name] for name in (*_KEY, "scope", "capacity")]
    is_more = days.c.fewest > days.c.fewest_before
    can_be = or_(pools.c.leaked.is_(None), days.c.fewest_before.is_(None), days.c.fewest.is_(None), is_more)
    owner = owned(scope, registrations) & (registrations.c.id == pools.c.registration_id)
    statement = (
        select(
            *columns,
            pools.c.leaked.is_not(None).label("is_told"),
            *(days.c[name] for name in ("hours", "fewest", "fewest_before", "fewest_first", "days")),
            func.count().over().label("all_of_them"),
        )
        .select_from(pools.join(registrations, owner).join(days, true()))
        .where(owned(scope, pools), registrations.c.state == State.ACTIVE.value)
        .where(pools.c.scope != PoolScope.NODE.value, func.coalesce(pools.c.leaked, "") != "0")
        .where(days.c.days.is_not(None), can_be)
        .order_by((days.c.fewest - days.c.fewest_before).desc().nulls_last(), *columns[:4])
        .limit(most)
    )
    rows = await c.rows(statement)
    return LeakingPools(pools=[_pool(row) for row in rows], unlisted=rows[0].all_of_them - len(rows) if rows else 0)


def _by_day(scope: Scope) -> LateralFromClause:
    """Of a row of `pools`, the fewest that were leaked in days back from its sample; null for what is not known.

    From its sample, not from now: of a silent cluster is true what was true when it was last heard.
    """
    table = pool_history
    passed_s = func.extract("epoch", pools.c.observed_at - table.c.hour)
    day = cast(func.floor(func.greatest(passed_s, 0) / _DAY_S), Integer)
    daily = (
        select(day.label("day"), func.min(cast(table.c.leaked, Numeric)).label("fewest"), func.count().label("hours"))
        .where(owned(scope, table), *(table.c[name] == pools.c[name] for name in _KEY))
        .where(table.c.leaked.is_not(None), table.c.hour > pools.c.observed_at - LOOKED_BACK)
        .group_by(day)
        .correlate(pools)
        .subquery("daily")
    )
    is_last = daily.c.day == 0
    first = func.array_agg(aggregate_order_by(daily.c.fewest, daily.c.day.desc()))
    return select(
        func.coalesce(func.max(daily.c.hours).filter(is_last), 0).label("hours"),
        func.max(daily.c.fewest).filter(is_last).label("fewest"),
        func.max(daily.c.fewest).filter(~is_last).label("fewest_before"),
        first[1].label("fewest_first"),
        cast(func.max(daily.c.day), BigInteger).label("days"),
    ).lateral("by_day")


def _pool(row: Row[Any]) -> LeakingPool:
    numbers = ("capacity", "fewest", "fewest_before", "fewest_first")
    values = {name: getattr(row, name) for name in LeakingPool.__dataclass_fields__}
    return LeakingPool(**values | {name: None if values[name] is None else int(values[name]) for name in numbers})
