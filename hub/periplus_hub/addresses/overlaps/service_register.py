"""Keeping the stored overlap groups up with what clusters report. Runs in the leader only.

The register lives in memory, per tenant. A refresh reads what changed since the revision it includes, takes it in and
writes the groups that differ, with the revision, in one transaction: whoever reads revision N reads groups that
include it. When somebody else wrote meanwhile (the leader changed), or domains moved, it is built anew.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.addresses.overlaps import repository_register as repository
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.stored_groups import StoredGroup, difference
from periplus_hub.addresses.overlaps.engine.tenant_register import TenantRegister
from periplus_hub.addresses.overlaps.engine.topology import Topology
from periplus_hub.addresses.overlaps.model import Included, RegisterStatus
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable

Publish = Callable[[UUID, str, Mapping[str, object]], None]
"""`kit.events.Events.publish`."""

TOPIC: Final = "overlaps"
CONFIRM_EVERY: Final = timedelta(minutes=1)
"""While nothing changes, it is written this often that the stored groups are right."""
_CLUSTERS_AT_ONCE: Final = 50
"""Clusters read per statement, so that a million allocations stay below the read timeout."""


@dataclass(slots=True)
class _Kept:
    """What this process knows to be stored."""

    register: TenantRegister
    groups: dict[Prefix, StoredGroup]
    included: Included


@dataclass(frozen=True, slots=True)
class _News:
    """What was read for one refresh."""

    topology: Topology
    columns: dict[UUID, ClusterColumns]
    stored: list[StoredGroup] | None
    """None: what is kept is still right."""
    status: RegisterStatus


class RegisterKeeper:
    """Follows one tenant's allocation changes."""

    def __init__(self, db: Database, tenant_id: UUID, publish: Publish | None = None) -> None:
        self._db = db
        self._scope = system_scope(tenant_id, "job:overlaps")
        self._publish = publish
        self._kept: _Kept | None = None
        self._lock = asyncio.Lock()

    async def refresh(self, now: datetime) -> int:
        """Take in everything committed by now; returns the revision the stored groups include."""
        async with self._lock:
            news = await self._read()
            if isinstance(news, RegisterStatus):
                await self._confirm(news, now)
                return news.revision
            kept = self._kept if news.stored is None else None
            self._kept = None  # whatever goes wrong from here on, the next refresh starts from the database
            self._kept = await self._bring_up_to_date(kept, news, now)
            if self._publish is not None:
                self._publish(self._scope.tenant_id, TOPIC, {"revision": self._kept.included.revision})
            return self._kept.included.revision

    async def _confirm(self, status: RegisterStatus, now: datetime) -> None:
        if status.at is None or now - status.at >= CONFIRM_EVERY:
            async with self._db.write(self._scope) as c:
                await repository.confirm(c, self._scope, status.included, now)

    async def _read(self) -> _News | RegisterStatus:
        """A status when nothing changed.

        Only what is not known here is read: a domain that moves brings no allocations.
        """
        async with self._db.read(self._scope) as c:
            # Before the topology and the allocations: what is committed between the statements is then read twice, and
            # never left out.
            status = await repository.register_status(c, self._scope)
            topology = await repository.topology(c, self._scope)
            kept = self._kept
            if kept is None or kept.included != status.included:
                kept, stored = None, await repository.stored_groups(c, self._scope)
            elif kept.register.topology != topology:
                stored = list(kept.groups.values())
            elif status.current:
                return status
            else:
                stored = None
            unknown = list(topology.domains)
            if kept is not None:
                unknown = await repository.changed_since(c, self._scope, status.revision, status.latest)
        columns = await read_columns(self._db, self._scope, unknown)
        if kept is not None and stored is not None:
            still = kept.register.columns.keys() & topology.domains.keys()
            columns = {cluster: kept.register.columns[cluster] for cluster in still} | columns
        return _News(topology, columns, stored, status)

    async def _bring_up_to_date(self, kept: _Kept | None, news: _News, now: datetime) -> _Kept:
        if kept is None:
            register = await asyncio.to_thread(TenantRegister, news.topology, news.columns)
            groups = {group.root: group for group in news.stored or ()}
            roots = {group.root for group in register.numbered.groups()} | groups.keys()
            kept = _Kept(register, groups, news.status.included)
        else:
            roots = await asyncio.to_thread(kept.register.replace_all, news.columns)
        changes = await asyncio.to_thread(difference, kept.groups, roots, kept.register, now)
        included = Included(news.status.latest, kept.register.topology.digest)
        async with self._db.write(self._scope) as c:
            # Only what is still stored as it was read may be written over: a difference to anything else would leave
            # groups behind that nobody has any more.
            if await repository.locked_included(c, self._scope, now) != news.status.included:
                raise Unavailable("another process keeps the overlap register", "Nothing: the next refresh rereads it.")
            written = await repository.save(c, self._scope, changes, included, now)
        for group in changes.gone:
            kept.groups.pop(group.root, None)
        kept.groups.update((group.root, group) for group in written)
        kept.included = included
        return kept


async def read_columns(db: Database, scope: Scope, clusters: list[UUID]) -> dict[UUID, ClusterColumns]:
    """The allocations of many clusters, in several short statements."""
    columns: dict[UUID, ClusterColumns] = {}
    for some in batches(clusters):
        async with db.read(scope) as c:
            columns |= await repository.owner_columns(c, scope, some)
    return columns


def batches(clusters: list[UUID]) -> Iterator[list[UUID]]:
    """As many clusters as one statement reads."""
    for start in range(0, len(clusters), _CLUSTERS_AT_ONCE):
        yield clusters[start : start + _CLUSTERS_AT_ONCE]
