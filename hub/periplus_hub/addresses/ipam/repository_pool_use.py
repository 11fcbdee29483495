"""Who uses the addresses of pods: nodes with what they may hold, namespaces and teams."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Numeric,
    Subquery,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import distinct_on

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.ipam import tables
from periplus_hub.addresses.ipam.model import PoolLimit, PoolScope, PoolUseBy
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.inventory import tables as inventory
from periplus_hub.kit.keyset import Listing

TEAM_LABELS: Final = ("team", "squad", "owner")
"""Labels that name whose a pod is, of the pod and then of its namespace; the first that is there."""
_FINISHED: Final = ("Succeeded", "Failed")

_pods: Final = inventory.pods
_nodes: Final = inventory.nodes
_namespaces: Final = inventory.namespaces
_pools: Final = tables.pools
HAS_ADDRESSES: Final = and_(_pods.c.valid_to.is_(None), func.coalesce(_pods.c.phase, "").not_in(_FINISHED))
"""Finished pods have given their addresses back, and count for no node's limit."""


def _label(labels: ColumnElement[Any]) -> ColumnElement[Any]:
    """The value of the first of TEAM_LABELS."""
    each = func.unnest(labels).column_valued("label")
    values = [
        select(func.substr(each, len(key) + 2))
        .where(each.startswith(f"{key}=", autoescape=True))
        .limit(1)
        .scalar_subquery()
        for key in TEAM_LABELS
    ]
    return func.coalesce(*(func.nullif(value, "") for value in values))


def _held_by(name: ColumnElement[Any], *, of_namespaces: bool = False) -> Subquery:
    """Pods and addresses by `name`, of which no capacity is known."""
    source: Any = _pods
    if of_namespaces:
        same = (_namespaces.c.tenant_id == _pods.c.tenant_id) & (_namespaces.c.name == _pods.c.namespace)
        source = _pods.outerjoin(_namespaces, same & (_namespaces.c.registration_id == _pods.c.registration_id))
    columns = (_pods.c.tenant_id, _pods.c.registration_id, _pods.c.host_network, _pods.c.ipv4, _pods.c.ipv6)
    named = func.coalesce(name, "").label("name")
    pods = select(*columns, named).select_from(source).where(HAS_ADDRESSES).subquery("of_pods").c
    own = ~pods.host_network
    keys = (pods.tenant_id, pods.registration_id, pods.name)
    return (
        select(
            *keys,
            func.count().label("pods"),
            func.count(pods.ipv4).filter(own).label("ipv4_addresses"),
            func.count(pods.ipv6).filter(own).label("ipv6_addresses"),
        )
        .group_by(*keys)
        .subquery("held")
    )


def _sum(name: str) -> ColumnElement[Any]:
    """Unknown where that of one pool is."""
    column = cast(_pools.c[name], Numeric)
    return case((func.bool_or(column.is_(None)), null()), else_=func.sum(column))


def _whole() -> Subquery:
    """By cluster what its own pools hold, of each family; null where that of one pool is unknown."""
    is_whole = _pools.c.scope == PoolScope.CLUSTER.value
    by_family = (
        case(
            (func.bool_or(_pools.c.capacity.is_(None)).filter(_pools.c.family == family), null()),
            else_=func.sum(cast(_pools.c.capacity, Numeric)).filter(_pools.c.family == family),
        ).label(f"ipv{family}")
        for family in FAMILY_BITS
    )
    keys = (_pools.c.tenant_id, _pools.c.registration_id)
    return select(*keys, *by_family).where(is_whole).group_by(*keys).subquery("whole")


def _share_of_pools(use: FromClause, whole: Subquery) -> ColumnElement[Any]:
    """Of the family of which it is more; null where a family that is used has no capacity, or less than is used."""
    shares, unknown = [], []
    for family in FAMILY_BITS:
        used, capacity = use.c[f"ipv{family}_addresses"], whole.c[f"ipv{family}"]
        shares.append(case((func.coalesce(used, 0) > 0, _share(used, capacity))))
        unknown.append(and_(func.coalesce(used, 0) > 0, or_(capacity.is_(None), capacity < used)))
    return case((or_(*unknown), null()), else_=func.coalesce(func.greatest(*shares), 0))


def _room() -> Subquery:
    """By node what its own pools hold: of the family of which less is free, as a pod takes one of each."""
    keys = (_pools.c.tenant_id, _pools.c.registration_id, _pools.c.node)
    by_family = (
        select(
            *keys,
            _sum("capacity").label("capacity"),
            _sum("free").label("free"),
            func.bool_or(tables.has_more()).label("has_more"),
        )
        .where(_pools.c.scope == PoolScope.NODE.value)
        .group_by(*keys, _pools.c.family)
        .subquery("by_family")
    )
    columns = by_family.c
    owner = (columns.tenant_id, columns.registration_id, columns.node)
    first = distinct_on(*owner)
    # Unknown before known: nobody can say that the other family is the scarcer one.
    return select(*columns).ext(first).order_by(*owner, columns.free.asc().nulls_first()).subquery("room")


def _of_nodes() -> Subquery:
    held, room = _held_by(_pods.c.node), _room()
    mine = [
        (each.c.tenant_id == _nodes.c.tenant_id) & (each.c.registration_id == _nodes.c.registration_id)
        for each in (held, room)
    ]
    source = _nodes.outerjoin(held, mine[0] & (held.c.name == _nodes.c.name))
    source = source.outerjoin(room, mine[1] & (room.c.node == _nodes.c.name))
    pods = func.coalesce(held.c.pods, 0, type_=BigInteger)
    pods_left = func.greatest(_nodes.c.pods_allocatable - pods, 0)
    addresses_taken = _share(room.c.capacity - room.c.free, room.c.capacity)
    pods_taken = _share(pods, _nodes.c.pods_allocatable)
    by_addresses = and_(room.c.node.is_not(None), room.c.free < pods_left)
    # How many more addresses such a node could get, nobody tells.
    unknown = or_(
        _nodes.c.pods_allocatable.is_(None),
        and_(room.c.node.is_not(None), room.c.free.is_(None)),
        and_(by_addresses, room.c.has_more),
    )
    limit = case(
        (unknown, literal(PoolLimit.UNKNOWN.value)),
        (by_addresses, literal(PoolLimit.ADDRESSES.value)),
        else_=literal(PoolLimit.PODS.value),
    )
    taken = case((unknown, null()), (by_addresses, addresses_taken), else_=pods_taken)
    return (
        select(
            _nodes.c.tenant_id,
            _nodes.c.registration_id,
            _nodes.c.uid.label("key"),
            func.coalesce(_nodes.c.name, "").label("name"),
            pods.label("pods"),
            *(func.coalesce(held.c[name], 0).label(name) for name in ("ipv4_addresses", "ipv6_addresses")),
            _nodes.c.pods_allocatable.label("pods_allocatable"),
            cast(cast(room.c.capacity, Numeric(40, 0)), Text).label("capacity"),
            cast(cast(room.c.free, Numeric(40, 0)), Text).label("free"),
            limit.label("limited_by"),
            cast(taken, Float).label("taken"),
        )
        .select_from(source)
        .subquery("use")
    )


def _share(part: ColumnElement[Any], whole: ColumnElement[Any]) -> ColumnElement[Any]:
    """Of a million as in `pools`, so that only what is full is 1; nothing of nothing is full."""
    ppm = func.floor(func.least(cast(part, Numeric) / func.nullif(whole, 0), 1) * literal(1_000_000, Integer))
    return func.coalesce(ppm / literal(1_000_000, Numeric), 1)


def _of_pods(held: Subquery) -> Subquery:
    """What no limit of its own is known of."""
    return select(
        held.c.tenant_id,
        held.c.registration_id,
        literal("").label("key"),
        held.c.name,
        held.c.pods,
        held.c.ipv4_addresses,
        held.c.ipv6_addresses,
        cast(null(), BigInteger).label("pods_allocatable"),
        cast(null(), Text).label("capacity"),
        cast(null(), Text).label("free"),
        literal(PoolLimit.UNKNOWN.value).label("limited_by"),
        cast(null(), Float).label("taken"),
    ).subquery("use")


def _listing(by: PoolUseBy, use: Subquery) -> Listing[Scope]:
    def where(scope: Scope, only: Sequence[UUID] | None) -> Sequence[ColumnElement[bool]]:
        active = registrations.c.state == State.ACTIVE.value
        mine = [owned(scope, use), owned(scope, registrations), active]
        return [*mine, use.c.registration_id.in_(only)] if only else mine

    whole = _whole()
    in_pools = (whole.c.tenant_id == use.c.tenant_id) & (whole.c.registration_id == use.c.registration_id)
    return Listing[Scope](
        name=f"pool use by {by.value}",
        source=use.join(registrations, registrations.c.id == use.c.registration_id).outerjoin(whole, in_pools),
        columns=[
            *(each for each in use.c if each.key not in {"tenant_id", "key"}),
            cast(_share_of_pools(use, whole), Float).label("share"),
        ],
        order=[use.c.registration_id, use.c.name, use.c.key],
        where=where,
        parent=use.c.registration_id,
    )


_TEAM: Final = func.coalesce(_label(_pods.c.labels), _label(_namespaces.c.labels))
POOL_USE: Final[Mapping[PoolUseBy, Listing[Scope]]] = {
    PoolUseBy.NODE: _listing(PoolUseBy.NODE, _of_nodes()),
    PoolUseBy.NAMESPACE: _listing(PoolUseBy.NAMESPACE, _of_pods(_held_by(_pods.c.namespace))),
    PoolUseBy.TEAM: _listing(PoolUseBy.TEAM, _of_pods(_held_by(_TEAM, of_namespaces=True))),
}
