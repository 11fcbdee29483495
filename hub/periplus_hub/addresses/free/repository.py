"""What a plan is made of: what is taken, and what the clusters it is for have."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Numeric,
    Select,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.free.engine.sizing import KINDS, Holding
from periplus_hub.addresses.ipam.model import AllocationKind, PoolScope
from periplus_hub.addresses.ipam.tables import allocations, pools
from periplus_hub.addresses.prefixes.columns import columns_from_arrays
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, KEY_BYTES
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes
from periplus_hub.addresses.ranges.model import NETWORKS
from periplus_hub.addresses.ranges.repository import in_force
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

Holdings = dict[tuple[AllocationKind, int], Holding]
_POOLS_FOR: Final = {PoolScope.CLUSTER: AllocationKind.POD, PoolScope.SERVICE: AllocationKind.SERVICE}


async def taken_prefixes(c: ReadConnection, scope: Scope) -> dict[int, FamilyPrefixes]:
    """Everything that active clusters use or may use, and what people entered but for networks, by family.

    A row costs no Python object on the way.
    """
    table, columns = allocations, ("family", "first_key", "last_key")
    mine = registrations.c.id == table.c.registration_id
    used = (
        select(*(table.c[name] for name in columns))
        .select_from(table.join(registrations, mine))
        .where(owned(scope, table), owned(scope, registrations), registrations.c.state == State.ACTIVE.value)
    )
    is_network = entered_ranges.c.use.in_([use.value for use in NETWORKS])
    entered = select(*(entered_ranges.c[name] for name in columns)).where(*in_force(scope), ~is_network)
    taken = union_all(used, entered).subquery("taken")
    packed = func.string_agg(taken.c.first_key.op("||")(taken.c.last_key), literal(b"", LargeBinary()))
    statement = select(taken.c.family, packed.label("rows")).group_by(taken.c.family)
    return {row.family: _prefixes(row.rows) for row in await c.rows(statement)}


def _prefixes(rows: bytes) -> FamilyPrefixes:
    array = np.frombuffer(rows, dtype=np.uint8).reshape(-1, 2, KEY_BYTES)
    columns = columns_from_arrays(array[:, 0], array[:, 1])
    return FamilyPrefixes(columns.high, columns.low, columns.length)


async def holdings_by_registration(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Holdings]:
    """What these clusters have in use of each kind and family: two statements, whatever their number."""
    found: dict[UUID, Holdings] = defaultdict(dict)
    for row in await c.rows(_allocated(scope, ids)):
        held = Holding(addresses=int(row.addresses), node_block=row.node_block)
        found[row.registration_id][AllocationKind(row.kind), row.family] = held
    for row in await c.rows(_pooled(scope, ids)):
        key = (_POOLS_FOR[PoolScope(row.scope)], row.family)
        known = found[row.registration_id].get(key, Holding())
        # Two views of the same addresses, so the larger and not the sum.
        more = max(known.addresses, int(row.addresses))
        found[row.registration_id][key] = Holding(addresses=more, node_block=known.node_block)
    return found


def _allocated(scope: Scope, ids: Sequence[UUID]) -> Select[Any]:
    """Ranges of nodes and single addresses; a range that may still be handed out of is not in use."""
    table = allocations
    length = func.masklen(table.c.cidr, type_=Integer)
    bits = case(FAMILY_BITS, value=table.c.family)
    in_use = (length == bits) | ((table.c.kind == AllocationKind.POD.value) & (table.c.node != ""))
    block = (table.c.kind == AllocationKind.POD.value) & (table.c.node != "") & (length < bits)
    size = func.power(literal(2, Numeric), bits - length)
    return (
        select(
            table.c.registration_id,
            table.c.kind,
            table.c.family,
            func.coalesce(func.sum(size).filter(in_use), 0).label("addresses"),
            func.min(length).filter(block).label("node_block"),
        )
        .where(owned(scope, table), one_of(table.c.registration_id, ids))
        .where(table.c.kind.in_([kind.value for kind in KINDS]))
        .group_by(table.c.registration_id, table.c.kind, table.c.family)
    )


def _pooled(scope: Scope, ids: Sequence[UUID]) -> Select[Any]:
    """What allocators handed out of the clusters' pools."""
    handed_out: ColumnElement[Any] = func.coalesce(pools.c.assigned, pools.c.used)
    return (
        select(
            pools.c.registration_id,
            pools.c.scope,
            pools.c.family,
            func.coalesce(func.sum(cast(handed_out, Numeric)), 0).label("addresses"),
        )
        .where(owned(scope, pools), one_of(pools.c.registration_id, ids))
        .where(pools.c.scope.in_([scope_name.value for scope_name in _POOLS_FOR]))
        .group_by(pools.c.registration_id, pools.c.scope, pools.c.family)
    )
