"""Entered ranges: writing them, and which are in force."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, String, bindparam, func, or_, select, update

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.prefixes.prefix import parse
from periplus_hub.addresses.prefixes.typed import wanted_prefix
from periplus_hub.addresses.ranges.model import EnteredRange, RangeFilter, RangeSource, RangeUse
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.fleet.tables import network_domains
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection, lock_number
from periplus_hub.kit.keyset import Listing, id_column, plain

_TABLE: Final = entered_ranges
_READ: Final = select(*_TABLE.c, func.text(_TABLE.c.cidr, type_=String).label("cidr_text"))
_WRITE_AT_ONCE: Final = 2_000


def in_force(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    """Ranges that count: neither removed nor expired, in a network domain that is there. Joins `network_domains`."""
    live = (network_domains.c.id == _TABLE.c.domain_id, network_domains.c.ended_at.is_(None))
    return (owned(scope, _TABLE), owned(scope, network_domains), _TABLE.c.ended_at.is_(None), *live)


def _range(row: Row[Any]) -> EnteredRange:
    values = {name: getattr(row, name) for name in EnteredRange.__dataclass_fields__}
    words = {"cidr": row.cidr_text, "use": RangeUse(row.use), "source": RangeSource(row.source)}
    return EnteredRange(**(values | words))


async def lock_ranges(c: WriteConnection, scope: Scope) -> None:
    """Of one tenant they change one after the other; held until commit."""
    await c.execute(select(func.pg_advisory_xact_lock(lock_number(f"entered_ranges {scope.tenant_id}"))))


async def ranges_in_force(
    c: ReadConnection, scope: Scope, domain_ids: Sequence[UUID] | None = None
) -> list[EnteredRange]:
    """By address; only those of these domains, unless it is None."""
    statement = _READ.where(*in_force(scope)).order_by(_TABLE.c.first_key, _TABLE.c.last_key.desc(), _TABLE.c.id)
    if domain_ids is not None:
        statement = statement.where(one_of(_TABLE.c.domain_id, domain_ids))
    return [_range(row) for row in await c.rows(statement)]


async def count_elsewhere(c: ReadConnection, scope: Scope, domain_ids: Sequence[UUID], now: datetime) -> int:
    """How many are in force in other network domains."""
    lasts = or_(_TABLE.c.expires_at.is_(None), _TABLE.c.expires_at > now)
    statement = select(func.count()).where(*in_force(scope), ~one_of(_TABLE.c.domain_id, domain_ids), lasts)
    return int(await c.scalar(statement) or 0)


async def range_by_id(c: ReadConnection, scope: Scope, range_id: UUID) -> EnteredRange | None:
    """Also one that ended."""
    row = await c.one_or_none(_READ.where(owned(scope, _TABLE), _TABLE.c.id == range_id))
    return None if row is None else _range(row)


async def live_domains(c: ReadConnection, scope: Scope) -> dict[UUID, str]:
    """The names of the network domains that are there."""
    table = network_domains
    statement = select(table.c.id, table.c.name).where(owned(scope, table), table.c.ended_at.is_(None))
    return {row.id: row.name for row in await c.rows(statement)}


async def add_ranges(c: WriteConnection, scope: Scope, ranges: Iterable[EnteredRange]) -> None:
    """Store new ones."""
    rows = [_row(each) for each in ranges]
    for start in range(0, len(rows), _WRITE_AT_ONCE):
        await c.execute(insert_owned(scope, _TABLE), rows[start : start + _WRITE_AT_ONCE])


def _row(each: EnteredRange) -> dict[str, object]:
    prefix = parse(each.cidr)
    first_key, last_key = prefix.keys()
    values: dict[str, object] = {name: getattr(each, name) for name in EnteredRange.__dataclass_fields__}
    return values | {
        "use": each.use.value,
        "source": each.source.value,
        "family": prefix.family,
        "first_key": first_key,
        "last_key": last_key,
    }


_CHANGED: Final = ("use", "name", "owner", "note", "expires_at", "source", "origin", "changed_at", "changed_by")


async def change_ranges(c: WriteConnection, scope: Scope, ranges: Sequence[EnteredRange]) -> None:
    """Say of ranges that are there what these say; where they are stays."""
    statement = (
        update(_TABLE)
        .where(owned(scope, _TABLE), _TABLE.c.id == bindparam("range_id"))
        .values({name: bindparam(f"new_{name}", type_=_TABLE.c[name].type) for name in _CHANGED})
    )
    rows = [{"range_id": each.id} | {f"new_{name}": getattr(each, name) for name in _CHANGED} for each in ranges]
    if rows:
        await c.execute(statement, rows)


async def end_ranges(c: WriteConnection, scope: Scope, ids: Sequence[UUID], now: datetime) -> None:
    """They count no more."""
    statement = update(_TABLE).where(owned(scope, _TABLE), one_of(_TABLE.c.id, ids), _TABLE.c.ended_at.is_(None))
    await c.execute(statement.values(ended_at=now, ended_by=scope.actor))


async def lapsed_ranges(c: ReadConnection, scope: Scope, now: datetime) -> list[EnteredRange]:
    """What has expired, or was in a domain that is no more, and did not end yet."""
    gone = network_domains.c.ended_at.is_not(None)
    same = network_domains.c.id == _TABLE.c.domain_id
    lapsed = or_(gone, _TABLE.c.expires_at <= now)
    mine = (owned(scope, _TABLE), owned(scope, network_domains), _TABLE.c.ended_at.is_(None))
    return [_range(row) for row in await c.rows(_READ.where(*mine, same, lapsed).order_by(_TABLE.c.id))]


def _ranges_of(scope: Scope, only: RangeFilter | None) -> Sequence[ColumnElement[bool]]:
    where = [owned(scope, _TABLE), owned(scope, network_domains)]
    if only is None:
        return where
    if only.at is not None:
        where += [_TABLE.c.created_at <= only.at, or_(_TABLE.c.ended_at.is_(None), _TABLE.c.ended_at > only.at)]
    elif not only.ended:
        where.append(_TABLE.c.ended_at.is_(None))
    if only.domain_ids:
        where.append(_TABLE.c.domain_id.in_(only.domain_ids))
    if only.uses:
        where.append(_TABLE.c.use.in_([use.value for use in only.uses]))
    if only.within is not None:
        first_key, last_key = wanted_prefix(only.within).keys()
        where += [_TABLE.c.first_key <= last_key, _TABLE.c.last_key >= first_key]
    return where


RANGES: Final = Listing[Scope](
    name="entered_ranges",
    source=_TABLE.join(network_domains, network_domains.c.id == _TABLE.c.domain_id),
    columns=[
        id_column("EnteredRange", _TABLE.c.id),
        func.text(_TABLE.c.cidr).label("cidr"),
        *plain(_TABLE, "domain_id", "family", "use", "name", "owner", "note", "source", "origin"),
        *plain(_TABLE, "expires_at", "created_at", "created_by", "changed_at", "changed_by", "ended_at", "ended_by"),
        network_domains.c.name.label("domain_name"),
        _TABLE.c.id.label("range_id"),
    ],
    order=[_TABLE.c.first_key, _TABLE.c.last_key, _TABLE.c.id],
    where=_ranges_of,
)


async def range_row(c: ReadConnection, scope: Scope, range_id: UUID) -> Row[Any] | None:
    """One range's row."""
    return await RANGES.one(c, scope, _TABLE.c.id == range_id)


async def range_rows(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> Mapping[UUID, Row[Any]]:
    """For loaders: those that exist, by id."""
    return await RANGES.named(c, scope, _TABLE.c.id, ids)
