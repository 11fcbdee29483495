"""Reading what the register takes in, and storing its groups."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar
from uuid import UUID

import numpy as np
from sqlalchemy import (
    ColumnElement,
    FromClause,
    LargeBinary,
    Uuid,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.ipam.model import AllocationKind, Quality, Reach
from periplus_hub.addresses.ipam.repository_reach import SAYS, corrections_of
from periplus_hub.addresses.ipam.tables import allocations, node_number
from periplus_hub.addresses.overlaps import tables
from periplus_hub.addresses.overlaps.engine.cluster_columns import NO_ALLOCATIONS, ClusterColumns
from periplus_hub.addresses.overlaps.engine.stored_groups import Difference, GroupNow, StoredGroup
from periplus_hub.addresses.overlaps.engine.topology import Topology
from periplus_hub.addresses.overlaps.engine.uses import KINDS, REACHES, USE_OF_RANGE, USES, Traits, uses_of_rows
from periplus_hub.addresses.overlaps.model import Included, RegisterState, RegisterStatus, Relation, Severity
from periplus_hub.addresses.overlaps.repository_acceptances import compare_again
from periplus_hub.addresses.overlaps.repository_shares import drop_shares, save_shares, share_digests
from periplus_hub.addresses.prefixes.columns import columns_from_arrays
from periplus_hub.addresses.prefixes.prefix import KEY_BYTES, Prefix, from_keys
from periplus_hub.addresses.ranges.repository import in_force
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.fleet.model import State
from periplus_hub.fleet.repository import connections
from periplus_hub.fleet.tables import allocation_changes, registrations
from periplus_hub.kit.arrays import array_table, one_of
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.query_plans import by_index, looked_up

_BYTES: Final = tuple(literal(bytes((number,)), LargeBinary()) for number in range(len(KINDS)))
_KIND_BYTES: Final = {kind.value: _BYTES[number] for number, kind in enumerate(KINDS)}
_REACH_BYTES: Final = {reach.value: _BYTES[number] for number, reach in enumerate(REACHES)}
_NODE_BYTES: Final = 8
_NO_NODE: Final = literal(bytes(_NODE_BYTES), LargeBinary())
_READ: Final = ("registration_id", "kind", "first_key", "last_key", "quality", "reach", "node")
"""What `_packed_row` packs."""
_WRITE_AT_ONCE: Final = 2_000
_KEPT_REVISIONS: Final = 10_000

T = TypeVar("T")
KeyRange = tuple[bytes, bytes]
"""`first_key` and `last_key`."""


def _batched(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while some := list(islice(iterator, _WRITE_AT_ONCE)):
        yield some


async def register_status(c: ReadConnection, scope: Scope) -> RegisterStatus:
    """How far the stored groups are, and how far they could be."""
    changes, state = allocation_changes, tables.register_state
    # From a row of nothing: a tenant may have changes before anything was ever stored for it.
    latest = select(func.max(changes.c.revision)).where(owned(scope, changes)).scalar_subquery()
    row = await c.one_or_none(
        select(latest.label("latest"), state.c.revision, state.c.topology, state.c.at).select_from(
            select(1).subquery().outerjoin(state, owned(scope, state))
        )
    )
    if row is None:
        return RegisterStatus(included=Included(0, ""), latest=0, at=None)
    revision = row.revision or 0
    # Changes are forgotten after a while (`_KEPT_REVISIONS`), so the newest that is left may be older than what is
    # included.
    latest_known = max(row.latest or 0, revision)
    return RegisterStatus(included=Included(revision, row.topology or ""), latest=latest_known, at=row.at)


async def register_state(c: ReadConnection, scope: Scope, now: datetime) -> tuple[RegisterStatus, RegisterState]:
    """How far the stored groups are, and what they may be taken for."""
    status = await register_status(c, scope)
    # Only then: what is behind is behind whatever the topology says, and reading that costs more than all else here.
    digest = (await topology(c, scope)).digest if status.current else ""
    return status, status.state(now, digest)


async def topology(c: ReadConnection, scope: Scope) -> Topology:
    """Active clusters and their domains, and domains with entered ranges."""
    active = select(registrations.c.id, registrations.c.domain_id).where(
        owned(scope, registrations), registrations.c.state == State.ACTIVE.value
    )
    domain = entered_ranges.c.domain_id
    # A domain stands for itself here, as if it were a cluster: its id is an owner's beside those of registrations.
    entered = select(domain.label("id"), domain).distinct().where(*in_force(scope))
    modes = {
        (connection.domain_a, connection.domain_b): Relation(connection.mode.value)
        for connection in await connections(c, scope)
    }
    return Topology({row.id: row.domain_id for row in await c.rows(union_all(active, entered))}, modes)


async def changed_since(c: ReadConnection, scope: Scope, revision: int, upto: int) -> list[UUID]:
    """Owners with a change in (revision, upto]."""
    table = allocation_changes
    statement = (
        select(table.c.registration_id)
        .where(owned(scope, table), table.c.revision > revision, table.c.revision <= upto)
        .distinct()
    )
    return [row.registration_id for row in await c.rows(statement)]


def _packed_row(rows: FromClause) -> ColumnElement[bytes]:
    """All rows of a cluster as one text of bytes: a row costs no Python object on the way. For `_columns_of_rows`."""
    traits = (
        case(_KIND_BYTES, value=rows.c.kind),
        case((rows.c.quality == Quality.SEEN.value, _BYTES[1]), else_=_BYTES[0]),
        case(_REACH_BYTES, value=rows.c.reach, else_=_REACH_BYTES[Reach.UNKNOWN.value]),
        case((rows.c.node == "", _NO_NODE), else_=func.int8send(node_number(rows.c.node))),
    )
    row: ColumnElement[bytes] = rows.c.first_key.op("||")(rows.c.last_key)
    for each in traits:
        row = row.op("||")(each)
    return func.string_agg(row, literal(b"", LargeBinary())).label("rows")


def _columns_of_rows(rows: bytes, corrected: Sequence[str] | None) -> ClusterColumns:
    """From what `_packed_row` and `corrections_of` answer; what people corrected wins over what the cluster tells."""
    array = np.frombuffer(rows, dtype=np.uint8).reshape(-1, 2 * KEY_BYTES + 3 + _NODE_BYTES)
    prefixes = columns_from_arrays(array[:, :KEY_BYTES], array[:, KEY_BYTES : 2 * KEY_BYTES])
    kind, seen, reach = array[:, 2 * KEY_BYTES : -_NODE_BYTES].T.copy()
    for of_kind, said in (each.split(SAYS) for each in corrected or ()):
        # After the rows and over all of a kind: a correction outlives what the cluster tells, and holds for what it
        # tells next.
        reach[kind == KINDS.index(AllocationKind(of_kind))] = REACHES.index(Reach(said))
    # PostgreSQL sends integers with the most significant byte first.
    node = np.ascontiguousarray(array[:, -_NODE_BYTES:]).view(">i8").reshape(-1).astype(np.int64)
    return ClusterColumns(prefixes, uses_of_rows(prefixes, Traits(kind, seen > 0, reach, node)), node)


def _packed_range() -> ColumnElement[bytes]:
    """All entered ranges of a network domain as one text of bytes. For `_columns_of_ranges`."""
    uses = {use.value: literal(bytes((USES.index(found),)), LargeBinary()) for use, found in USE_OF_RANGE.items()}
    row: ColumnElement[bytes] = entered_ranges.c.first_key.op("||")(entered_ranges.c.last_key)
    row = row.op("||")(case(uses, value=entered_ranges.c.use))
    return func.string_agg(row, literal(b"", LargeBinary())).label("rows")


async def _entered(c: ReadConnection, scope: Scope, which: ColumnElement[bool]) -> dict[UUID, ClusterColumns]:
    """Entered ranges by their network domain."""
    domain = entered_ranges.c.domain_id
    statement = select(domain, _packed_range()).where(*in_force(scope), which).group_by(domain)
    return {row.domain_id: _columns_of_ranges(row.rows) for row in await c.rows(statement)}


def _columns_of_ranges(rows: bytes) -> ClusterColumns:
    array = np.frombuffer(rows, dtype=np.uint8).reshape(-1, 2 * KEY_BYTES + 1)
    prefixes = columns_from_arrays(array[:, :KEY_BYTES], array[:, KEY_BYTES : 2 * KEY_BYTES])
    return ClusterColumns(prefixes, np.ascontiguousarray(array[:, -1]), np.zeros(len(array), dtype=np.int64))


async def owner_columns(c: ReadConnection, scope: Scope, owners: Sequence[UUID]) -> dict[UUID, ClusterColumns]:
    """What some owners have; one that has nothing has an empty entry."""
    found = await _cluster_columns(c, scope, owners)
    if rest := [owner for owner in owners if owner not in found]:
        found |= await _entered(c, scope, one_of(entered_ranges.c.domain_id, rest))
    return {owner: found.get(owner, NO_ALLOCATIONS) for owner in owners}


async def _cluster_columns(c: ReadConnection, scope: Scope, clusters: Sequence[UUID]) -> dict[UUID, ClusterColumns]:
    """The allocations of those that are clusters and have any.

    Each cluster's are looked up apart, so that nobody reads all to find those of a few.
    """
    table, asked = allocations, array_table("asked", {"cluster": Uuid()}, [clusters])
    mine = select(*(table.c[name] for name in _READ))
    rows = looked_up(mine.where(owned(scope, table), table.c.registration_id == asked.c.cluster), asked)
    statement = (
        select(asked.c.cluster, _packed_row(rows), corrections_of(scope, asked, "cluster"))
        .select_from(asked.join(rows, true()))
        .group_by(asked.c.cluster)
    )
    return {row.cluster: _columns_of_rows(row.rows, row.corrections) for row in await c.rows(statement)}


async def columns_about(c: ReadConnection, scope: Scope, roots: Collection[Prefix]) -> dict[UUID, ClusterColumns]:
    """What every owner has inside these ranges, and the ranges that lie around them."""
    table, outermost = allocations, list(_outermost(roots))
    parents = _ranges([root.keys() for root in outermost], "parents")
    inside = table.c.first_key.between(parents.c.low, parents.c.high) & (table.c.last_key <= parents.c.high)
    # Each named with both its keys. "Begins before and ends behind" would be a scan of all that begins before; there
    # are at most 127 wider ranges, and the index has each.
    wider = _ranges({outer.keys() for root in outermost for outer in root.around()}, "wider")
    same = (table.c.first_key == wider.c.low) & (table.c.last_key == wider.c.high)
    columns = [table.c[name] for name in _READ]
    rows = union_all(
        *(
            select(*columns).select_from(ranges.join(table, about)).where(owned(scope, table))
            for ranges, about in ((parents, inside), (wider, same))
        )
    ).subquery("rows")
    corrections = corrections_of(scope, rows, "registration_id")
    statement = select(rows.c.registration_id, _packed_row(rows), corrections).group_by(rows.c.registration_id)
    found = {row.registration_id: _columns_of_rows(row.rows, row.corrections) for row in await c.rows(statement)}
    first, last = entered_ranges.c.first_key, entered_ranges.c.last_key
    within = select(1).where(first.between(parents.c.low, parents.c.high), last <= parents.c.high).exists()
    around = select(1).where(first == wider.c.low, last == wider.c.high).exists()
    return found | await _entered(c, scope, or_(within, around))


def _outermost(roots: Collection[Prefix]) -> Iterator[Prefix]:
    """Those that lie in no other, so that no row is read twice."""
    around = None
    for root in sorted(set(roots)):
        if around is None or not around.covers(root):
            around = root
            yield root


def _ranges(keys: Collection[KeyRange], name: str) -> FromClause:
    """Keys as a table inside the statement."""
    bounds = {"low": LargeBinary(), "high": LargeBinary()}
    return array_table(name, bounds, ([low for low, _ in keys], [high for _, high in keys]))


async def stored_groups(c: ReadConnection, scope: Scope) -> list[StoredGroup]:
    """Every stored group."""
    table, digests = tables.overlap_groups, await share_digests(c, scope)
    return [
        StoredGroup(
            row.id,
            from_keys(row.first_key, row.last_key),
            Severity(row.severity),
            row.clusters,
            row.members,
            row.pairs,
            row.since,
            digests.get(row.id, 0),
        )
        for row in await c.rows(select(table).where(owned(scope, table)))
    ]


async def locked_included(c: WriteConnection, scope: Scope, now: datetime) -> Included:
    """What the stored groups include, locked until the end of the transaction; made when there is nothing."""
    table = tables.register_state
    # A row there is nothing to lock of otherwise: two processes would both take the register for theirs to write first.
    await c.execute(insert_owned(scope, table).values(revision=0, at=now).on_conflict_do_nothing())
    (row,) = await c.rows(select(table.c.revision, table.c.topology).where(owned(scope, table)).with_for_update())
    return Included(row.revision, row.topology)


async def confirm(c: WriteConnection, scope: Scope, included: Included, now: datetime) -> None:
    """Say that the stored groups were found to be right, unless somebody else wrote others meanwhile."""
    state = tables.register_state
    same = (owned(scope, state), state.c.revision == included.revision, state.c.topology == included.topology)
    # Never backwards: the process that confirms may have read before another one confirmed.
    await c.execute(update(state).where(*same, state.c.at < now).values(at=now))


async def save(
    c: WriteConnection, scope: Scope, changes: Difference, included: Included, now: datetime
) -> list[StoredGroup]:
    """Write a difference; returns the groups that came or changed, as stored now."""
    table = tables.overlap_groups
    await by_index(c)
    if changes.gone:
        gone = array_table("asked", {"id": Uuid()}, [[group.id for group in changes.gone]])
        await c.execute(delete(table).where(owned(scope, table), table.c.id == gone.c.id))
        await drop_shares(c, scope, [group.id for group in changes.gone])
    groups = [(_stored(group, new_id(), since), group.shares) for group, since in changes.new]
    groups += [(_stored(group, known.id, known.since), group.shares) for group, known in changes.changed]
    await _upsert(c, scope, (group for group, _ in groups), now)
    await save_shares(c, scope, ((group.id, shares) for group, shares in groups))
    if groups:
        await compare_again(c, scope, [group.id for group, _ in groups])
    state = tables.register_state
    await c.execute(update(state).where(owned(scope, state)).values(**included._asdict(), at=now))
    old = allocation_changes
    await c.execute(delete(old).where(owned(scope, old), old.c.revision < included.revision - _KEPT_REVISIONS))
    return [group for group, _ in groups]


def _stored(group: GroupNow, group_id: UUID, since: datetime) -> StoredGroup:
    stats = group.stats
    return StoredGroup(
        group_id,
        stats.root,
        stats.severity,
        stats.clusters,
        stats.members,
        sum(stats.pairs),
        since,
        group.shares_digest,
    )


async def _upsert(c: WriteConnection, scope: Scope, groups: Iterable[StoredGroup], now: datetime) -> None:
    table = tables.overlap_groups
    statement = insert_owned(scope, table)
    statement = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={name: statement.excluded[name] for name in ("severity", "clusters", "members", "pairs", "changed_at")},
    )
    for some in _batched(groups):
        await c.execute(statement, [_row(group, now) for group in some])


def _row(group: StoredGroup, now: datetime) -> dict[str, Any]:
    first_key, last_key = group.root.keys()
    return {
        "id": group.id,
        "cidr": str(group.root),
        "family": group.root.family,
        "first_key": first_key,
        "last_key": last_key,
        "severity": group.severity.value,
        "clusters": group.clusters,
        "members": group.members,
        "pairs": group.pairs,
        "since": group.since,
        "changed_at": now,
    }
