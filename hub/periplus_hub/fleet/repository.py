"""What people may ask about the fleet. Every function is one statement, whatever the number of ids."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet import tables
from periplus_hub.fleet.model import (
    DomainConnection,
    Mode,
    NetworkDomain,
    Registration,
    State,
)
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

_REGISTRATION: Final = tuple(tables.registrations.c[name] for name in Registration.__dataclass_fields__)
_DOMAIN: Final = tuple(tables.network_domains.c[name] for name in NetworkDomain.__dataclass_fields__)
_CONNECTION: Final = tuple(tables.domain_connections.c[name] for name in DomainConnection.__dataclass_fields__)


def _registration(row: Row[Any]) -> Registration:
    """A Registration from a row with its columns."""
    return Registration(**(dict(row._mapping) | {"state": State(row.state)}))


def _domain(row: Row[Any]) -> NetworkDomain:
    return NetworkDomain(**row._mapping)


def _connection(row: Row[Any]) -> DomainConnection:
    return DomainConnection(**(dict(row._mapping) | {"mode": Mode(row.mode)}))


def readable_registrations(scope: Scope) -> Select[Any]:
    """Registrations the scope may see, with the columns of a Registration."""
    return select(*_REGISTRATION).where(owned(scope, tables.registrations))


async def registrations_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Registration]:
    """Those that exist, by id."""
    # One array, however many: a parameter for each would end at the protocol's 32,767.
    asked = one_of(tables.registrations.c.id, ids)
    rows = await c.rows(readable_registrations(scope).where(asked))
    return {row.id: _registration(row) for row in rows}


async def all_registrations(c: ReadConnection, scope: Scope, states: Sequence[State] = ()) -> list[Registration]:
    """Every registration by name; for jobs and whole-fleet views (thousands at most)."""
    statement = readable_registrations(scope).order_by(tables.registrations.c.name, tables.registrations.c.id)
    if states:
        statement = statement.where(tables.registrations.c.state.in_([state.value for state in states]))
    return [_registration(row) for row in await c.rows(statement)]


async def domains_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, NetworkDomain]:
    """Those that exist, by id."""
    table = tables.network_domains
    rows = await c.rows(select(*_DOMAIN).where(owned(scope, table), table.c.id.in_(ids)))
    return {row.id: _domain(row) for row in rows}


async def connections(c: ReadConnection, scope: Scope) -> list[DomainConnection]:
    """Every connection; there are about as many as domains."""
    table = tables.domain_connections
    statement = select(*_CONNECTION).where(owned(scope, table)).order_by(table.c.domain_a, table.c.domain_b)
    return [_connection(row) for row in await c.rows(statement)]
