"""What is read to say how far the addresses of clusters are known."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Row, ScalarSelect, Select, Text, exists, func, select

from periplus_contract.covers import SEEN
from periplus_contract.tables import ALLOCATIONS, POOLS
from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.ipam import tables
from periplus_hub.addresses.ipam.engine.knowledge import Evidence, Knowledge, known, knows_holders
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.fleet.model import Registration, State
from periplus_hub.fleet.repository import all_registrations, registrations_by_ids
from periplus_hub.fleet.tables import registrations
from periplus_hub.ingest.tables import chains, statements
from periplus_hub.inventory.model import Source
from periplus_hub.inventory.repository import sources_by_registration
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

_ASKED_KINDS: Final = (AllocationKind.POD, AllocationKind.SERVICE)
"""Kinds that may be known exactly, or only counted out of addresses."""

_OF_ALLOCATIONS: Final = statements.c.cover.startswith(f"{ALLOCATIONS.name}/", autoescape=True)
_OF_POOLS: Final = statements.c.cover.startswith(f"{POOLS.name}/", autoescape=True)


async def evidence_by_registration(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Evidence]:
    """What there is of each of these clusters: three statements, whatever their number."""
    members = await registrations_by_ids(c, scope, ids)
    sources = await sources_by_registration(c, scope, ids)
    rows = {row.id: row for row in await c.rows(_statement(scope, ids))}
    return {each: _evidence(rows[each], member, sources[each]) for each, member in members.items() if each in rows}


async def not_known_whole(
    c: ReadConnection, scope: Scope, tenants: Sequence[UUID], now: datetime
) -> dict[UUID, tuple[str, ...]]:
    """The tenant's members whose addresses are not known whole and current, by name; for loaders, by its own id."""
    unknown = (each for each in await _members(c, scope) if known(each, now).knowledge is not Knowledge.COMPLETE)
    return dict.fromkeys(tenants, tuple(each.registration.name for each in unknown))


async def holders_not_known(
    c: ReadConnection, scope: Scope, times: Sequence[datetime], now: datetime
) -> dict[datetime, tuple[str, ...]]:
    """By minute, the members of which it is not known whole what had addresses in it, by name."""
    members = await _members(c, scope)
    return {at: tuple(each.registration.name for each in members if not knows_holders(each, at, now)) for at in times}


async def _members(c: ReadConnection, scope: Scope) -> list[Evidence]:
    members = await all_registrations(c, scope, (State.ACTIVE, State.PENDING))
    evidence = await evidence_by_registration(c, scope, [each.id for each in members])
    return [evidence[each.id] for each in members if each.id in evidence]


def _evidence(row: Row[Any], registration: Registration, sources: Sequence[Source]) -> Evidence:
    return Evidence(
        registration=registration,
        sources=tuple(sources),
        inventory_since=row.inventory_since,
        stated=frozenset(row.stated or ()),
        rows_aside=row.rows_aside or 0,
        pool_rows_aside=row.pool_rows_aside or 0,
        exact=frozenset(kind for kind in _ASKED_KINDS if getattr(row, f"exact_{kind.value}")),
    )


def _statement(scope: Scope, ids: Sequence[UUID]) -> Select[Any]:
    asked = one_of(registrations.c.id, ids)
    chain = owned(scope, chains) & (chains.c.registration_id == registrations.c.id)
    exact = (_is_exact(scope, kind).label(f"exact_{kind.value}") for kind in _ASKED_KINDS)
    return (
        select(
            registrations.c.id,
            chains.c.complete_since.label("inventory_since"),
            _of_statements(scope, func.array_agg(statements.c.cover, type_=ARRAY(Text))).label("stated"),
            _of_statements(scope, func.max(statements.c.rows_aside), _OF_ALLOCATIONS).label("rows_aside"),
            _of_statements(scope, func.max(statements.c.rows_aside), _OF_POOLS).label("pool_rows_aside"),
            *exact,
        )
        .select_from(registrations.outerjoin(chains, chain))
        .where(owned(scope, registrations), asked)
    )


def _of_statements(scope: Scope, told: ColumnElement[Any], *also: ColumnElement[bool]) -> ScalarSelect[Any]:
    """Of what was stated in the life of the spoke that the inventory is of: older statements may be out of date."""
    return (
        select(told)
        .where(
            owned(scope, statements),
            statements.c.registration_id == registrations.c.id,
            statements.c.epoch == chains.c.epoch,
        )
        .where(*also)
        .correlate(registrations, chains)
        .scalar_subquery()
    )


def _is_exact(scope: Scope, kind: AllocationKind) -> ColumnElement[bool]:
    table = tables.allocations
    return exists().where(
        owned(scope, table),
        table.c.registration_id == registrations.c.id,
        table.c.kind == kind.value,
        table.c.quality != SEEN,
    )
