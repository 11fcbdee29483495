"""Reservations of ranges: writing them, and which are in force."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, String, false, func, select, update

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.free import tables
from periplus_hub.addresses.free.model import RangeReservation
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.ipam.tables import allocations
from periplus_hub.addresses.prefixes.prefix import Prefix, parse
from periplus_hub.addresses.ranges.model import NETWORKS
from periplus_hub.addresses.ranges.repository import in_force
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import network_domains, registrations
from periplus_hub.kit.db import ReadConnection, WriteConnection, lock_number
from periplus_hub.kit.keyset import Listing, id_column, plain

_TABLE: Final = tables.range_reservations
_TEXT: Final = func.text(_TABLE.c.cidr, type_=String)


def _in_force(scope: Scope, now: datetime) -> Sequence[ColumnElement[bool]]:
    return (owned(scope, _TABLE), _TABLE.c.released_at.is_(None), _TABLE.c.expires_at > now)


def _overlaps(prefix: Prefix, first: ColumnElement[Any], last: ColumnElement[Any]) -> ColumnElement[bool]:
    first_key, last_key = prefix.keys()
    return (first <= last_key) & (last >= first_key)


def _reservation(row: Row[Any]) -> RangeReservation:
    values = {name: getattr(row, name) for name in RangeReservation.__dataclass_fields__}
    return RangeReservation(**(values | {"cidr": row.cidr_text, "kind": AllocationKind(row.kind)}))


_READ: Final = select(*_TABLE.c, _TEXT.label("cidr_text"))


async def reservations_in_force(c: ReadConnection, scope: Scope, now: datetime) -> list[RangeReservation]:
    """Oldest first."""
    statement = _READ.where(*_in_force(scope, now)).order_by(_TABLE.c.created_at, _TABLE.c.id)
    return [_reservation(row) for row in await c.rows(statement)]


async def reservations_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, RangeReservation]:
    """Those that exist, by id."""
    rows = await c.rows(_READ.where(owned(scope, _TABLE), _TABLE.c.id.in_(ids)))
    return {row.id: _reservation(row) for row in rows}


async def lock_reservations(c: WriteConnection, scope: Scope) -> None:
    """Of one tenant they are made one after the other, so that no two in force overlap; held until commit."""
    await c.execute(select(func.pg_advisory_xact_lock(lock_number(f"range_reservations {scope.tenant_id}"))))


async def reservation_in_the_way(
    c: ReadConnection, scope: Scope, prefix: Prefix, now: datetime
) -> RangeReservation | None:
    """One in force that overlaps the range."""
    touching = _overlaps(prefix, _TABLE.c.first_key, _TABLE.c.last_key)
    statement = _READ.where(*_in_force(scope, now), touching).order_by(_TABLE.c.first_key).limit(1)
    row = await c.one_or_none(statement)
    return None if row is None else _reservation(row)


def _around(home: Prefix | None, first: ColumnElement[Any], last: ColumnElement[Any]) -> ColumnElement[bool]:
    """What covers all of a network is in its way wherever in it a range lies, and no reason against this one."""
    if home is None:
        return false()
    first_key, last_key = home.keys()
    return (first <= first_key) & (last >= last_key)


async def user_in_the_way(
    c: ReadConnection, scope: Scope, prefix: Prefix, home: Prefix | None
) -> tuple[str, Prefix, AllocationKind] | None:
    """An active cluster's name and what it uses there; `home` is the network that the range belongs into."""
    table = allocations
    touching = _overlaps(prefix, table.c.first_key, table.c.last_key)
    mine = owned(scope, registrations) & (registrations.c.id == table.c.registration_id)
    statement = (
        select(registrations.c.name, func.text(table.c.cidr, type_=String).label("cidr"), table.c.kind)
        .select_from(table.join(registrations, mine))
        .where(owned(scope, table), registrations.c.state == State.ACTIVE.value, touching)
        .where(~_around(home, table.c.first_key, table.c.last_key))
        .order_by(table.c.first_key, table.c.last_key.desc(), registrations.c.name)
        .limit(1)
    )
    row = await c.one_or_none(statement)
    return None if row is None else (row.name, parse(row.cidr), AllocationKind(row.kind))


async def entered_in_the_way(
    c: ReadConnection, scope: Scope, prefix: Prefix, home: Prefix | None
) -> tuple[str, str, str] | None:
    """What people entered there: the range, what for, and its network domain's name.

    `home` is the network that the range belongs into; neither it nor a network around it is in the way.
    """
    table = entered_ranges
    is_network = table.c.use.in_([use.value for use in NETWORKS])
    harmless = is_network & _around(home, table.c.first_key, table.c.last_key)
    statement = (
        select(func.text(table.c.cidr, type_=String).label("cidr"), table.c.use, network_domains.c.name)
        .where(*in_force(scope), _overlaps(prefix, table.c.first_key, table.c.last_key), ~harmless)
        .order_by(table.c.first_key, table.c.last_key.desc(), network_domains.c.name)
        .limit(1)
    )
    row = await c.one_or_none(statement)
    return None if row is None else (row.cidr, row.use, row.name)


async def add_reservation(c: WriteConnection, scope: Scope, reservation: RangeReservation) -> None:
    """Store a new one."""
    names = ("id", "cidr", "cluster_name", "reason", "reserved_by", "created_at", "expires_at")
    values = {name: getattr(reservation, name) for name in names} | {"kind": reservation.kind.value}
    first_key, last_key = parse(reservation.cidr).keys()
    keys = {"first_key": first_key, "last_key": last_key}
    await c.execute(insert_owned(scope, _TABLE).values(**values, **keys))


async def mark_released(c: WriteConnection, scope: Scope, reservation_id: UUID, now: datetime) -> bool:
    """Release one that is in force; False when it is not."""
    statement = update(_TABLE).where(*_in_force(scope, now), _TABLE.c.id == reservation_id)
    return (await c.execute(statement.values(released_at=now))).rowcount > 0


async def change_reservation(c: WriteConnection, scope: Scope, new: RangeReservation, now: datetime) -> bool:
    """Give one that is in force this reason and end; False when it is not."""
    statement = update(_TABLE).where(*_in_force(scope, now), _TABLE.c.id == new.id)
    return (await c.execute(statement.values(reason=new.reason, expires_at=new.expires_at))).rowcount > 0


def _reservations_of(scope: Scope, in_force_at: datetime | None) -> Sequence[ColumnElement[bool]]:
    """All there ever were, or those in force at a time."""
    return [owned(scope, _TABLE)] if in_force_at is None else _in_force(scope, in_force_at)


RESERVATIONS: Final = Listing[Scope](
    name="range_reservations",
    source=_TABLE,
    columns=[
        id_column("RangeReservation", _TABLE.c.id),
        func.text(_TABLE.c.cidr).label("cidr"),
        *plain(_TABLE, "kind", "cluster_name", "reason", "reserved_by", "created_at", "expires_at", "released_at"),
    ],
    order=plain(_TABLE, "created_at", "id"),
    where=_reservations_of,
    descending=True,
)


async def reservation_row(c: ReadConnection, scope: Scope, reservation_id: UUID) -> Row[Any] | None:
    """One reservation's row."""
    return await RESERVATIONS.one(c, scope, _TABLE.c.id == reservation_id)


async def reservation_rows(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """For loaders: those that exist, by id."""
    return await RESERVATIONS.named(c, scope, _TABLE.c.id, ids)
