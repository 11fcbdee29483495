"""What pools had free and what was leaked in each hour, so that it can be said how fast they fill and leak."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Numeric, cast, func, literal, or_, select
from sqlalchemy.sql.selectable import LateralFromClause

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.ipam.model import PoolScope
from periplus_hub.addresses.ipam.tables import pool_history, pools
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.purge import Stale

MOST_OF_A_CLUSTER: Final = 200
"""Pools of one cluster whose past is kept, in the order of their names."""
LOOKED_BACK: Final = timedelta(days=7)
SHORTEST: Final = timedelta(days=1)
"""What a pool did in less says nothing of tomorrow."""
_COUNTS: Final = ("capacity", "free", "leaked")
_KEY: Final = ("registration_id", "provider", "name", "family")


async def remember_pools(
    c: WriteConnection, scope: Scope, registration_id: UUID, rows: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    """Keep what is free and leaked, as of this hour. Of numbers that contradict each other nothing is kept."""
    told = [row for row in rows if row["scope"] != PoolScope.NODE.value and _is_known(row)]
    # In order, so that it is the same pools each time: a past with gaps says nothing of how fast they fill.
    told = sorted(told, key=lambda row: (row["provider"], row["name"], row["family"]))[:MOST_OF_A_CLUSTER]
    if not told:
        return
    hour = now.replace(minute=0, second=0, microsecond=0)
    own = {"registration_id": registration_id, "hour": hour}
    names = ("provider", "name", "family", *_COUNTS)
    statement = insert_owned(scope, pool_history)
    new = {name: statement.excluded[name] for name in _COUNTS}
    differs = or_(*(pool_history.c[name].is_distinct_from(new[name]) for name in _COUNTS))
    keys = list(pool_history.primary_key.columns)
    values = [own | {name: row[name] for name in names} for row in told]
    await c.execute(statement.on_conflict_do_update(index_elements=keys, set_=new, where=differs), values)


def _is_known(row: Mapping[str, Any]) -> bool:
    fills = row["free"] is not None and row["capacity"] is not None
    return (fills or row["leaked"] is not None) and not row["contradictions"]


def history_before(scope: Scope, registration_id: UUID, before: datetime) -> Sequence[Stale]:
    """One cluster's samples of hours before."""
    table = pool_history
    return [(table, owned(scope, table) & (table.c.registration_id == registration_id) & (table.c.hour < before))]


def first_sample(scope: Scope, now: datetime) -> LateralFromClause:
    """Of a row of `pools`, how long ago its oldest sample is, and how long what is free lasts as fast as since then.

    Samples that are too old do not count, nor those before its capacity became what it is now. `left_s` is null where
    it did not fill.
    """
    table = pool_history
    same = [table.c[name] == pools.c[name] for name in _KEY]
    other = table.alias("other")
    resized = (
        select(func.max(other.c.hour))
        .where(owned(scope, other), *(other.c[name] == pools.c[name] for name in _KEY))
        .where(other.c.capacity != pools.c.capacity, other.c.hour >= now - LOOKED_BACK)
        .correlate(pools)
        .scalar_subquery()
    )
    free = cast(pools.c.free, Numeric)
    used_up = func.nullif(func.greatest(cast(table.c.free, Numeric) - free, 0), 0)
    passed_s = func.extract("epoch", literal(now, table.c.hour.type) - table.c.hour)
    return (
        select(passed_s.label("passed_s"), (free * passed_s / used_up).label("left_s"))
        .where(owned(scope, table), *same, table.c.hour >= now - LOOKED_BACK, table.c.hour <= now - SHORTEST)
        .where(table.c.free.is_not(None))
        # Before the capacity changed, what was free says nothing of how fast it is used up.
        .where(table.c.hour > func.coalesce(resized, now - LOOKED_BACK - SHORTEST))
        .order_by(table.c.hour)
        .limit(1)
        .lateral("first_sample")
    )
