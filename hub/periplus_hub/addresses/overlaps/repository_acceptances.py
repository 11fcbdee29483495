"""Acceptances: writing them, what they cover, and which hold.

An acceptance holds for a group as long as the group holds nothing beyond what the person saw: no other cluster, and
none that is hit worse than it was then.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Row,
    String,
    Subquery,
    Uuid,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.overlaps import tables
from periplus_hub.addresses.overlaps.model import Acceptance, NamedClusters, Outgrown, Severity
from periplus_hub.addresses.overlaps.repository_owners import owners
from periplus_hub.addresses.overlaps.rows import acceptance_of
from periplus_hub.addresses.overlaps.tables import rank
from periplus_hub.addresses.prefixes.prefix import Prefix, parse
from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.keyset import Listing, id_column, plain
from periplus_hub.kit.query_plans import looked_up

_TABLE: Final = tables.overlap_acceptances
_PLACE: Final[ColumnElement[Any]] = literal_column("overlap_acceptances.ctid")
_COVERED: Final = tables.overlap_acceptance_clusters
_GROUPS: Final = tables.overlap_groups
_SHARES: Final = tables.overlap_group_clusters
_NAMED: Final = 4

Covered = Mapping[UUID, Severity]
"""What one acceptance covers: clusters, each hit at most so badly."""


async def add_acceptance(c: WriteConnection, scope: Scope, acceptance: Acceptance, group_id: UUID) -> None:
    """Store a new one, with the clusters that are in the group as it is stored now."""
    names: Sequence[str] = ("id", "cidr", "reason", "accepted_by", "clusters", "expires_at", "created_at")
    values = {name: getattr(acceptance, name) for name in names} | {"severity": acceptance.severity.value}
    await c.execute(insert_owned(scope, _TABLE).values(**values))
    seen = select(
        literal(scope.tenant_id, Uuid()), literal(acceptance.id, Uuid()), _SHARES.c.registration_id, _SHARES.c.severity
    ).where(owned(scope, _SHARES), _SHARES.c.group_id == group_id)
    await c.execute(insert(_COVERED).from_select(["tenant_id", "acceptance_id", "registration_id", "severity"], seen))


class Acceptable(NamedTuple):
    """A group as it would be accepted."""

    id: UUID
    severity: Severity
    clusters: int
    changed_at: datetime


async def locked_group(c: WriteConnection, scope: Scope, root: Prefix) -> Acceptable | None:
    """The group with this root, kept from changing until the end of the transaction."""
    statement = select(_GROUPS.c.id, _GROUPS.c.severity, _GROUPS.c.clusters, _GROUPS.c.changed_at)
    first_key, last_key = root.keys()
    rooted = statement.where(owned(scope, _GROUPS), _GROUPS.c.first_key == first_key, _GROUPS.c.last_key == last_key)
    # A share lock: the register waits with a change of the group, and others may accept it meanwhile.
    row = await c.one_or_none(rooted.with_for_update(read=True))
    return None if row is None else Acceptable(row.id, Severity(row.severity), row.clusters, row.changed_at)


async def note_withdrawn(c: WriteConnection, scope: Scope, acceptance_id: UUID, now: datetime) -> bool:
    """Withdraw one that was not withdrawn yet; False when there is none."""
    statement = update(_TABLE).where(
        owned(scope, _TABLE), _TABLE.c.id == acceptance_id, _TABLE.c.withdrawn_at.is_(None)
    )
    return (await c.execute(statement.values(withdrawn_at=now))).rowcount > 0


def _in_force(scope: Scope, now: datetime) -> Sequence[ColumnElement[bool]]:
    return (owned(scope, _TABLE), _TABLE.c.withdrawn_at.is_(None), _TABLE.c.expires_at > now)


def _compared(scope: Scope, shares: FromClause, acceptance_id: ColumnElement[Any]) -> FromClause:
    """What clusters have in a group, beside what an acceptance covers of them."""
    mine = (_COVERED.c.acceptance_id == acceptance_id) & (_COVERED.c.registration_id == _SHARES.c.registration_id)
    return shares.outerjoin(_COVERED, mine & owned(scope, _COVERED))


def _worse() -> ColumnElement[bool]:
    return rank(_SHARES.c.severity) < rank(_COVERED.c.severity)


def _came() -> ColumnElement[bool]:
    return _COVERED.c.registration_id.is_(None)


async def compare_again(c: WriteConnection, scope: Scope, group_ids: Sequence[UUID]) -> None:
    """These groups changed: note whether their acceptances cover them now. To be run `by_index`."""
    held = _held(scope, group_ids)
    # Compared when a group is written and kept in `covers`, not at each reading: lists ask for thousands of groups, and
    # a group changes seldom. Only the end by the clock is left to the reading.
    beyond = (
        select(literal(1))
        .select_from(_compared(scope, _SHARES, _TABLE.c.id))
        .where(owned(scope, _SHARES), _SHARES.c.group_id == held.c.group_id, or_(_came(), _worse()))
        .correlate(_TABLE, held)
        .exists()
    )
    statement = update(_TABLE).values(covers=~beyond)
    await c.execute(statement.where(held.c.place == _PLACE, held.c.acceptance_id == _TABLE.c.id))


def _held(scope: Scope, group_ids: Sequence[UUID]) -> CTE:
    """Where the acceptances of these groups are, each looked up by its group's range."""
    asked = array_table("asked", {"group_id": Uuid()}, [group_ids])
    group = select(_GROUPS.c.id, _GROUPS.c.cidr).where(owned(scope, _GROUPS), _GROUPS.c.id == asked.c.group_id)
    groups = looked_up(group, asked)
    changed = select(groups).select_from(asked.join(groups, true())).subquery("changed")
    mine = select(_PLACE.label("place"), _TABLE.c.id.label("acceptance_id"))
    rows = looked_up(
        mine.where(owned(scope, _TABLE), _TABLE.c.withdrawn_at.is_(None), _TABLE.c.cidr == changed.c.cidr), changed
    )
    held = select(rows, changed.c.id.label("group_id")).select_from(changed.join(rows, true()))
    return held.cte("held").prefix_with("MATERIALIZED")


def standing(scope: Scope, now: datetime) -> Subquery:
    """Of every group that was accepted: the acceptance in force, and whether it covers the group.

    Of several it is one that covers it, then the newest. There are few.
    """
    return (
        select(_GROUPS.c.id.label("group_id"), _GROUPS.c.cidr, _TABLE.c.id.label("acceptance_id"), _TABLE.c.covers)
        .select_from(_TABLE.join(_GROUPS, _GROUPS.c.cidr == _TABLE.c.cidr))
        .where(owned(scope, _GROUPS), *_in_force(scope, now))
        .ext(distinct_on(_GROUPS.c.id))
        .order_by(_GROUPS.c.id, _TABLE.c.covers.desc(), _TABLE.c.created_at.desc(), _TABLE.c.id)
        .subquery("standing")
    )


async def accepted_roots(c: ReadConnection, scope: Scope, now: datetime) -> list[Prefix]:
    """Roots of the groups that are covered by an acceptance in force."""
    held = standing(scope, now)
    rows = await c.rows(select(func.text(held.c.cidr).label("cidr")).where(held.c.covers))
    return [parse(row.cidr) for row in rows]


async def outgrown_by_groups(
    c: ReadConnection, scope: Scope, acceptances: Sequence[tuple[UUID, UUID]]
) -> dict[UUID, Outgrown]:
    """By group: what it holds beyond its acceptance; the keys are ids of groups with those of their acceptances."""
    ids = {"group_id": Uuid(), "acceptance_id": Uuid()}
    asked = array_table("asked", ids, zip(*acceptances, strict=True))
    kinds = {"covered": ~(_came() | _worse()), "came": _came(), "worse": _worse()}
    who = owners(scope)
    names = func.array_agg(who.c.name)
    counted = [func.count().filter(each).label(f"{name}_count") for name, each in kinds.items()]
    named = [names.filter(each).label(f"{name}_names") for name, each in kinds.items()]
    shares = _SHARES.join(asked, asked.c.group_id == _SHARES.c.group_id)
    source = _compared(scope, shares, asked.c.acceptance_id)
    statement = (
        select(asked.c.group_id, *counted, *named)
        .select_from(source.join(who, who.c.id == _SHARES.c.registration_id))
        .where(owned(scope, _SHARES))
        .group_by(asked.c.group_id)
    )
    return {row.group_id: Outgrown(**{name: _named(row, name) for name in kinds}) for row in await c.rows(statement)}


def _named(row: Row[Any], name: str) -> NamedClusters:
    names = sorted(getattr(row, f"{name}_names") or ())
    return NamedClusters(clusters=getattr(row, f"{name}_count"), names=tuple(names[:_NAMED]))


async def covered_by_root(c: ReadConnection, scope: Scope, now: datetime) -> dict[str, list[Covered]]:
    """What the acceptances in force cover, by the CIDR they are about, whether there is a group now or not."""
    cidr = func.text(_TABLE.c.cidr).label("cidr")
    statement = (
        select(cidr, _TABLE.c.id, _COVERED.c.registration_id, _COVERED.c.severity)
        .join(_COVERED, _COVERED.c.acceptance_id == _TABLE.c.id)
        .where(owned(scope, _COVERED), *_in_force(scope, now))
    )
    found: dict[tuple[str, UUID], dict[UUID, Severity]] = defaultdict(dict)
    for row in await c.rows(statement):
        found[row.cidr, row.id][row.registration_id] = Severity(row.severity)
    by_root: dict[str, list[Covered]] = defaultdict(list)
    for (root, _), covered in found.items():
        by_root[root].append(covered)
    return by_root


_READ: Final = (
    *(column for column in _TABLE.c if column.name not in {"tenant_id", "cidr"}),
    func.text(_TABLE.c.cidr, type_=String).label("cidr_text"),
)


async def acceptances_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Acceptance]:
    """Those that exist, by id."""
    statement = select(*_READ).where(owned(scope, _TABLE), _TABLE.c.id.in_(ids))
    return {row.id: acceptance_of(row) for row in await c.rows(statement)}


def _acceptances_of(scope: Scope, in_force_at: datetime | None) -> Sequence[ColumnElement[bool]]:
    """All there ever were, or those in force at a time."""
    return [owned(scope, _TABLE)] if in_force_at is None else _in_force(scope, in_force_at)


ACCEPTANCES: Final = Listing[Scope](
    name="overlap_acceptances",
    source=_TABLE,
    columns=[
        id_column("OverlapAcceptance", _TABLE.c.id),
        func.text(_TABLE.c.cidr).label("cidr"),
        *plain(_TABLE, "reason", "accepted_by", "severity", "created_at", "expires_at", "withdrawn_at"),
        _TABLE.c.clusters.label("cluster_count"),
    ],
    order=plain(_TABLE, "created_at", "id"),
    where=_acceptances_of,
    descending=True,
)


async def acceptance_row(c: ReadConnection, scope: Scope, acceptance_id: UUID) -> Row[Any] | None:
    """One acceptance's row."""
    return await ACCEPTANCES.one(c, scope, _TABLE.c.id == acceptance_id)


async def acceptance_rows(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """For loaders: those that exist, by id."""
    return await ACCEPTANCES.named(c, scope, _TABLE.c.id, ids)
