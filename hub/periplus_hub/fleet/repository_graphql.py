"""Lists of the fleet slice as GraphQL pages through them, and its loaders' functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, or_, select, union_all

from periplus_hub.access.scope import Permission, Scope, owned
from periplus_hub.fleet import tables
from periplus_hub.fleet.model import CONNECTED_WITHIN, Liveness, State
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.identities import Identity, unique
from periplus_hub.kit.keyset import Listing, contains_text, id_column, never_null, orders, plain

_registrations: Final = tables.registrations
_domains: Final = tables.network_domains
_connections: Final = tables.domain_connections
_tokens: Final = tables.join_tokens

_CLUSTER: Final = [
    id_column("Cluster", _registrations.c.id),
    _registrations.c.id.label("registration_id"),
    *plain(
        _registrations,
        *("name", "cluster_uid", "state", "domain_id", "method", "spoke_version", "contract"),
        *("created_at", "approved_at", "approved_by", "revoked_at", "revoked_by", "last_seen_at"),
        *("clock_skew_ms", "queued_batches", "queued_bytes"),
    ),
]
_DOMAIN: Final = [
    id_column("NetworkDomain", _domains.c.id),
    _domains.c.id.label("domain_id"),
    *plain(_domains, "name", "description", "implicit", "created_at", "ended_at"),
]


def _seen_from(own: ColumnElement[UUID], other: ColumnElement[UUID]) -> Select[Any]:
    told = plain(_connections, "tenant_id", "mode", "note", "created_at")
    return select(own.label("own_id"), other.label("other_id"), *told)


_ends: Final = union_all(
    _seen_from(_connections.c.domain_a, _connections.c.domain_b),
    _seen_from(_connections.c.domain_b, _connections.c.domain_a),
).subquery("ends")
"""Connections are stored once and seen from both ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFilter:
    """Conjunction of what is given. `now` decides liveness."""

    states: tuple[State, ...] = ()
    domain_ids: tuple[UUID, ...] = ()
    name_contains: str = ""
    liveness: Liveness | None = None
    now: datetime | None = None


def _clusters_of(scope: Scope, only: ClusterFilter | None) -> Sequence[ColumnElement[bool]]:
    table, where = _registrations, [owned(scope, _registrations)]
    if only is None:
        return where
    if only.states:
        where.append(table.c.state.in_([state.value for state in only.states]))
    if only.domain_ids:
        where.append(table.c.domain_id.in_(only.domain_ids))
    if only.name_contains:
        where.append(contains_text(table.c.name, only.name_contains))
    if only.liveness is Liveness.NEVER:
        where.append(table.c.last_seen_at.is_(None))
    elif only.liveness is not None and only.now is not None:
        since = only.now - CONNECTED_WITHIN
        connected = table.c.last_seen_at >= since
        where.append(connected if only.liveness is Liveness.CONNECTED else table.c.last_seen_at < since)
    return where


def _domains_of(scope: Scope, include_implicit: bool | None) -> Sequence[ColumnElement[bool]]:  # noqa: FBT001 - a filter
    conditions = [owned(scope, _domains), _domains.c.ended_at.is_(None)]
    return conditions if include_implicit in (None, True) else [*conditions, ~_domains.c.implicit]


def _connections_of(scope: Scope, _asked: object) -> Sequence[ColumnElement[bool]]:
    return [owned(scope, _ends)]


def _tokens_of(scope: Scope, usable_at: datetime | None) -> Sequence[ColumnElement[bool]]:
    # In the listing and not in the field, so that no new way to the list can forget it.
    scope.require(Permission.FLEET_APPROVE)
    if usable_at is None:
        return [owned(scope, _tokens)]
    return [owned(scope, _tokens), _tokens.c.used_at.is_(None), _tokens.c.expires_at > usable_at]


CLUSTERS: Final = Listing[Scope](
    name="clusters",
    source=_registrations,
    columns=_CLUSTER,
    order=[_registrations.c.name, _registrations.c.id],
    where=_clusters_of,
    parent=_registrations.c.domain_id,
)
CLUSTER_ORDERS: Final = orders(
    CLUSTERS,
    {
        "name": _registrations.c.name,
        "state": _registrations.c.state,
        "created-at": _registrations.c.created_at,
        "last-seen-at": never_null(_registrations.c.last_seen_at),
    },
    [_registrations.c.id],
)
"""Sorted when asked: a fleet has thousands of clusters, not millions."""
DOMAINS: Final = Listing[Scope](
    name="network_domains",
    source=_domains,
    columns=_DOMAIN,
    order=[_domains.c.name, _domains.c.id],
    where=_domains_of,
)
LINK_ID: Final = Identity("DomainLink", (unique(_ends.c.own_id), unique(_ends.c.other_id)))
CONNECTIONS: Final = Listing[Scope](
    name="domain_connections",
    source=_ends,
    columns=[LINK_ID.column, *_ends.c["own_id", "other_id", "mode", "note", "created_at"]],
    order=[_ends.c.other_id],
    where=_connections_of,
    parent=_ends.c.own_id,
)
JOIN_TOKENS: Final = Listing[Scope](
    name="join_tokens",
    source=_tokens,
    columns=[
        id_column("JoinToken", _tokens.c.id),
        *plain(_tokens, "public_id", "cluster_name", "domain_id", "auto_approve", "created_by", "created_at"),
        *plain(_tokens, "expires_at", "used_at", "used_by_registration", "registration_id"),
    ],
    order=[_tokens.c.created_at, _tokens.c.id],
    where=_tokens_of,
    descending=True,
)


async def clusters_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """Cluster rows by registration id."""
    rows = await c.rows(select(*_CLUSTER).where(owned(scope, _registrations), _registrations.c.id.in_(ids)))
    return {row.registration_id: row for row in rows}


async def duplicates_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """For each live cluster that another live one was the same as when the later of them enrolled, the oldest other."""
    mine, other = _registrations.alias("mine"), _registrations
    live = State.REVOKED.value
    same = (mine.c.id != other.c.id) & or_(
        mine.c.duplicate_of == other.c.id,
        other.c.duplicate_of == mine.c.id,
        mine.c.duplicate_of == other.c.duplicate_of,
    )
    statement = (
        select(mine.c.id.label("of"), *_CLUSTER)
        .join_from(mine, other, same)
        .where(owned(scope, mine), owned(scope, other), mine.c.id.in_(ids), mine.c.state != live, other.c.state != live)
        .order_by(other.c.created_at.desc(), other.c.id.desc())
    )
    # The last of a key stays in a dict, and rows come newest first: so it is the oldest.
    return {row.of: row for row in await c.rows(statement)}


async def cluster_by_name(c: ReadConnection, scope: Scope, name: str) -> Row[Any] | None:
    """The live cluster with this name."""
    table = _registrations
    return await CLUSTERS.one(c, scope, table.c.name == name, table.c.state != State.REVOKED.value)


async def domains_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """Domain rows by id."""
    rows = await c.rows(select(*_DOMAIN).where(owned(scope, _domains), _domains.c.id.in_(ids)))
    return {row.domain_id: row for row in rows}


async def connection_row(c: ReadConnection, scope: Scope, pair: tuple[UUID, UUID]) -> Row[Any] | None:
    """How two domains are connected, seen from the first."""
    return await CONNECTIONS.one(c, scope, _ends.c.own_id == pair[0], _ends.c.other_id == pair[1])


async def link_row(c: ReadConnection, scope: Scope, parts: Sequence[str]) -> Row[Any] | None:
    """How two domains are connected, by the parts of the link's id."""
    return await CONNECTIONS.one(c, scope, *LINK_ID.where(parts))


async def join_tokens_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """For loaders: those that exist, by id."""
    return await JOIN_TOKENS.named(c, scope, _tokens.c.id, ids)


async def join_token_row(c: ReadConnection, scope: Scope, token_id: UUID) -> Row[Any] | None:
    """One join token's row."""
    return await JOIN_TOKENS.one(c, scope, _tokens.c.id == token_id)
