"""Which nodes a cluster has: what tells it from a copy, which has its kube-system uid too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import Machines, State, is_same_cluster
from periplus_hub.fleet.tables import registrations
from periplus_hub.inventory import tables
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

MAX_COPIES: Final = 20
"""Of one cluster. A golden image can be the start of a thousand."""
_ADDRESS: Final = "InternalIP="


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Another live registration with a cluster's kube-system uid that was not shown to be the same cluster."""

    registration_id: UUID
    is_told_apart: bool
    """Both have nodes, and none in common. Else it is not known whether they are one cluster."""


async def machines_by_registration(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Machines]:
    """What the inventory has; while it has no nodes, what the spoke told when it joined."""
    table = registrations
    rows = await c.rows(
        select(table.c.id, table.c.machines, table.c.way, table.c.created_at, table.c.last_seen_at).where(
            owned(scope, table), one_of(table.c.id, ids)
        )
    )
    in_inventory = await _in_inventory(c, scope, ids)
    found = {}
    for row in rows:
        seen, as_of = row.machines, row.created_at
        if row.id in in_inventory:
            seen, as_of = in_inventory[row.id], row.last_seen_at or row.created_at
        found[row.id] = Machines(seen=frozenset(seen), way=row.way, as_of=as_of)
    return found


async def _in_inventory(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Of registrations that have nodes, those that are ready or do not say."""
    nodes = tables.nodes
    statement = select(nodes.c.registration_id, nodes.c.uid, nodes.c.addresses, nodes.c.ready)
    found: dict[UUID, list[str]] = {}
    for row in await c.rows(statement.where(owned(scope, nodes), one_of(nodes.c.registration_id, ids))):
        seen = found.setdefault(row.registration_id, [])
        # A node that is not ready may be one that an etcd backup brought along and no machine runs: it tells nothing.
        if row.ready is not False:
            internal = (each.removeprefix(_ADDRESS) for each in row.addresses if each.startswith(_ADDRESS))
            seen.extend(f"{row.uid}={address}" for address in internal)
    return found


async def copies_by_registration(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, list[Copy]]:
    """For each live cluster the first MAX_COPIES others, by when they joined; nothing for nearly all."""
    by_uid = await _of_shared_uids(c, scope, ids)
    shared = [each for same in by_uid.values() for each in same]
    machines = await machines_by_registration(c, scope, shared) if shared else {}
    found: dict[UUID, list[Copy]] = {}
    for same in by_uid.values():
        for mine in set(ids).intersection(same):
            found[mine] = _copies(mine, same, machines)
    return found


def _copies(mine: UUID, same: Sequence[UUID], machines: dict[UUID, Machines]) -> list[Copy]:
    copies: list[Copy] = []
    for other in same:
        is_same = other == mine or is_same_cluster(machines[mine], machines[other])
        if is_same is not True and len(copies) < MAX_COPIES:
            copies.append(Copy(registration_id=other, is_told_apart=is_same is False))
    return copies


async def _of_shared_uids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[str, list[UUID]]:
    """By kube-system uid its live registrations, of uids that one of these has and others too."""
    table, asked = registrations, registrations.alias("asked")
    is_live = table.c.state != State.REVOKED.value
    uids = select(asked.c.cluster_uid).where(
        owned(scope, asked), one_of(asked.c.id, ids), asked.c.state != State.REVOKED.value
    )
    rows = await c.rows(
        select(table.c.cluster_uid, table.c.id)
        .where(owned(scope, table), is_live, table.c.cluster_uid.in_(uids))
        .order_by(table.c.created_at, table.c.id)
    )
    by_uid: dict[str, list[UUID]] = {}
    for row in rows:
        by_uid.setdefault(row.cluster_uid, []).append(row.id)
    return {uid: same for uid, same in by_uid.items() if len(same) > 1}
