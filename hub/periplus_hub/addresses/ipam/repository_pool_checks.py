"""Whether pools, the ranges that are handed on of them, and the addresses of pods agree, cluster by cluster.

Only of clusters of which all three were read whole: where something is not here, it may be what would agree.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    FromClause,
    Numeric,
    Row,
    Select,
    Text,
    and_,
    any_,
    cast,
    exists,
    func,
    join,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from periplus_contract.covers import SEEN
from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.ipam import tables
from periplus_hub.addresses.ipam.model import MOST_NAMED, AllocationKind, PoolCheck, PoolScope, Quality
from periplus_hub.addresses.ipam.repository_pool_use import HAS_ADDRESSES
from periplus_hub.inventory.tables import pods
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

SETTLED: Final = timedelta(minutes=30)
"""Pods that have their address for so long: allocators are read every ten minutes, pods as they change."""
_AT_ONCE: Final = 2
"""Clusters in a statement, which has to be over in seconds however many pods they have."""
_OF_NO_RANGE: Final = "observed"
"""The source of addresses that pods have and no allocator tells."""
_pools: Final = tables.pools
_claims: Final = tables.allocations
_NAMED_BY_ALLOCATOR: Final = (AllocationKind.POD.value, AllocationKind.LOADBALANCER.value)
_NOT_OF_RANGES: Final = (PoolScope.NODE.value, PoolScope.SERVICE.value)
_OF_PODS: Final = (PoolScope.CLUSTER.value, PoolScope.NAMESPACE.value, PoolScope.NODE.value)
_FAMILIES: Final[Mapping[int, tuple[Column[Any], int]]] = {4: (pods.c.ipv4, 24), 6: (pods.c.ipv6, 64)}
"""The column of pods, and the length of network that says where an address is."""
_KEY: Final = ("registration_id", "provider", "name", "family", "node")


async def check_pools(c: ReadConnection, scope: Scope, ids: Sequence[UUID], now: datetime) -> dict[UUID, PoolCheck]:
    """What does not agree in each of these clusters, which were read whole."""
    found: dict[UUID, PoolCheck] = {}
    for some in (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)):
        found |= await _check(c, scope, some, now)
    return found


async def _check(c: ReadConnection, scope: Scope, ids: Sequence[UUID], now: datetime) -> dict[UUID, PoolCheck]:
    blocks = _by_cluster(await c.rows(_blocks_outside(scope, ids)))
    strays = _by_cluster(await c.rows(_pods_outside(scope, ids, now - SETTLED)))
    short = _by_cluster(await c.rows(_short(scope, ids, now - SETTLED)))
    return {
        each: PoolCheck(
            blocks_outside=tuple(row.cidr for row in blocks[each][:MOST_NAMED]),
            pods_outside=sum(row.pods for row in strays[each]),
            networks_outside=tuple(sorted({text for row in strays[each] for text in row.networks})[:MOST_NAMED]),
            namespaces_outside=tuple(sorted({row.namespace for row in strays[each]})[:MOST_NAMED]),
            short_pools=tuple(sorted({_named(row) for row in short[each]})[:MOST_NAMED]),
        )
        for each in ids
    }


def _by_cluster(rows: Sequence[Row[Any]]) -> Mapping[UUID, list[Row[Any]]]:
    found: dict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[row.registration_id].append(row)
    return found


def _named(row: Row[Any]) -> str:
    return f"{row.name} on {row.node}" if row.node not in {"", row.name} else str(row.name)


def _blocks_outside(scope: Scope, ids: Sequence[UUID]) -> Select[Any]:
    """Claims of allocators that tell what all their pools are, by address."""
    other = _pools.alias("pool")
    same = [_claims.c[name] == other.c[name] for name in ("registration_id", "provider", "family")]
    of_ranges = (owned(scope, other), *same, other.c.scope.not_in(_NOT_OF_RANGES))
    is_told = exists().where(*of_ranges, other.c.quality != Quality.NOMINAL.value)
    is_untold = or_(other.c.quality == Quality.NOMINAL.value, func.cardinality(other.c.cidrs) == 0)
    inside = _claims.c.cidr.op("<<=")(any_(other.c.cidrs))
    # A claim of no node may have pools as its parts.
    around = (_claims.c.node == "") & _claims.c.cidr.op("&&")(any_(other.c.cidrs))
    return (
        select(_claims.c.registration_id, cast(_claims.c.cidr, Text).label("cidr"))
        .where(owned(scope, _claims), one_of(_claims.c.registration_id, ids))
        .where(_claims.c.kind.in_(_NAMED_BY_ALLOCATOR), _claims.c.quality != SEEN, is_told)
        .where(~exists().where(*of_ranges, or_(is_untold, inside, around)))
        .order_by(_claims.c.registration_id, _claims.c.first_key)
    )


def _pods_outside(scope: Scope, ids: Sequence[UUID], since: datetime) -> Select[Any]:
    """By namespace, where it is known which range the pods of the cluster may use."""
    parts = [_strays(scope, ids, since, family) for family in _FAMILIES]
    both = union_all(*(select(part) for part in parts)).subquery("strays")
    return select(both)


def _strays(scope: Scope, ids: Sequence[UUID], since: datetime, family: int) -> FromClause:
    address, length = _FAMILIES[family]
    told = or_(_claims.c.quality != SEEN, _claims.c.source != _OF_NO_RANGE)
    mine = (owned(scope, _claims), _claims.c.kind == AllocationKind.POD.value, _claims.c.family == family, told)
    whole = (*mine, _claims.c.registration_id == pods.c.registration_id, _claims.c.node == "")
    beyond = (
        select(pods.c.registration_id, pods.c.namespace, address.label("address"))
        .where(*_settled(scope, ids, since, address))
        .where(exists().where(*whole, _claims.c.quality != SEEN))
        .where(~exists().where(*whole, address.op("<<=")(_claims.c.cidr)))
        .cte(f"beyond_{family}")
        .prefix_with("MATERIALIZED")
    )
    # What nodes hold is many ranges: only few pods are held against each of them.
    held = exists().where(*mine, _claims.c.registration_id == beyond.c.registration_id)
    network = cast(func.network(func.set_masklen(beyond.c.address, length)), Text)
    return (
        select(
            beyond.c.registration_id,
            func.coalesce(beyond.c.namespace, "").label("namespace"),
            func.count().label("pods"),
            func.array_agg(network.distinct(), type_=ARRAY(Text)).label("networks"),
        )
        .where(~held.where(beyond.c.address.op("<<=")(_claims.c.cidr)))
        .group_by(beyond.c.registration_id, beyond.c.namespace)
        .subquery(f"strays_{family}")
    )


def _settled(
    scope: Scope, ids: Sequence[UUID], since: datetime, address: Column[Any]
) -> tuple[ColumnElement[bool], ...]:
    own = (~pods.c.host_network, address.is_not(None), pods.c.valid_from <= literal(since, pods.c.valid_from.type))
    return owned(scope, pods), one_of(pods.c.registration_id, ids), HAS_ADDRESSES, *own


def _short(scope: Scope, ids: Sequence[UUID], since: datetime) -> Select[Any]:
    """Pools of allocators that count themselves, with more addresses at pods than are not free."""
    parts = [_held(scope, ids, since, family, of_nodes=each) for family in _FAMILIES for each in (False, True)]
    held = union_all(*parts).cte("held").prefix_with("MATERIALIZED")
    same = [_pools.c[name] == held.c[name] for name in _KEY]
    taken = func.least(
        cast(_pools.c.used, Numeric), cast(_pools.c.capacity, Numeric) - cast(_pools.c.free, Numeric), type_=Numeric
    )
    over = (
        select(_pools)
        .join(held, and_(*same))
        .where(owned(scope, _pools), held.c.addresses > taken)
        .cte("over")
        .prefix_with("MATERIALIZED")
    )
    # Held against all others are only the few that have too many.
    return select(*(over.c[name] for name in _KEY)).where(~_is_shared(scope, over))


def _held(scope: Scope, ids: Sequence[UUID], since: datetime, family: int, *, of_nodes: bool) -> Select[Any]:
    """How many addresses of a pool pods have; of a node's those of its own pods count."""
    address, _ = _FAMILIES[family]
    is_node = _pools.c.scope == PoolScope.NODE.value
    own = (
        select(*(_pools.c[name] for name in _KEY), _pools.c.cidrs)
        .where(owned(scope, _pools), one_of(_pools.c.registration_id, ids), _pools.c.family == family)
        .where(_pools.c.scope.in_(_OF_PODS), _pools.c.quality == Quality.EXACT.value)
        .where(func.cardinality(_pools.c.contradictions) == 0, is_node if of_nodes else ~is_node)
        .subquery("own")
    )
    taken = (
        select(pods.c.registration_id, pods.c.node, address.label("address"))
        .where(*_settled(scope, ids, since, address))
        .subquery("taken")
    )
    same = own.c.registration_id == taken.c.registration_id
    # A full join is hashed and never looped over, however few pools PostgreSQL expects.
    together = join(own, taken, same & (own.c.node == taken.c.node), full=True) if of_nodes else join(own, taken, same)
    pairs = select(own, taken.c.address).select_from(together).cte(f"pairs_{family}_{of_nodes}".lower())
    pairs = pairs.prefix_with("MATERIALIZED") if of_nodes else pairs
    keys = [pairs.c[name] for name in _KEY]
    counted = select(*keys, func.count(pairs.c.address.distinct()).label("addresses"))
    return counted.where(pairs.c.address.op("<<=")(any_(pairs.c.cidrs))).group_by(*keys)


def _is_shared(scope: Scope, pool: CTE) -> ColumnElement[bool]:
    """Whether addresses of it may be another pool's, or another allocator's: then nobody knows whose a pod has."""
    other = _pools.alias("other")
    same = [other.c[name] == pool.c[name] for name in ("registration_id", "family")]
    another = or_(other.c.provider != pool.c.provider, other.c.name != pool.c.name)
    theirs = func.unnest(other.c.cidrs).column_valued("theirs")
    meets = exists(select(theirs).where(theirs.op("&&")(any_(pool.c.cidrs))).correlate(other, pool))
    of_ranges = other.c.scope.in_((PoolScope.CLUSTER.value, PoolScope.NAMESPACE.value))
    claim = exists().where(
        owned(scope, _claims),
        _claims.c.registration_id == pool.c.registration_id,
        _claims.c.kind == AllocationKind.POD.value,
        _claims.c.provider != pool.c.provider,
        _claims.c.cidr.op("&&")(any_(pool.c.cidrs)),
    )
    return or_(exists().where(owned(scope, other), *same, of_ranges, another, meets), claim)
