"""Taking a backup beside a running hub: PostgreSQL first, then the flow store.

What PostgreSQL says of the flow store was so before it said it. So a flow store that is later than PostgreSQL has all
that PostgreSQL says, and more: that is found and counted once (`periplus_hub.flows.service_sweep`).
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import system_scope
from periplus_hub.backups import postgres_tools
from periplus_hub.backups.model import DUMP, FORMAT, MANIFEST, FlowsKept, Manifest, refuse_full
from periplus_hub.backups.one_at_a_time import alone
from periplus_hub.backups.repository import system_server
from periplus_hub.backups.service_flows import ask_hub, folder_bytes, place_at_server
from periplus_hub.backups.sums import seal, seal_one, sync_folder, write_sums
from periplus_hub.fleet.repository_enrolment import system_hub_id
from periplus_hub.flows import backing_up
from periplus_hub.flows.repository_blocks import has_hours
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal, Unavailable
from periplus_hub.kit.migrate import schema_revision
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT

_NO_SCHEMA: Final = ("the database has no schema: there is nothing to back up", "Start the hub first.")


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up."""

    db: Database
    """By the hub's role."""
    url: str
    """By a role that sees all rows."""
    store: ColumnStore
    server_place: str | None
    """Where a server puts flows, with `{name}`."""
    hub_version: str
    with_flows: bool = True


@dataclass(frozen=True, slots=True)
class _Flows:
    kept: FlowsKept
    tenants: tuple[UUID, ...] = ()
    schema: int = 0
    place: str = ""


async def take(source: Source, target: Path) -> Manifest:
    """A new folder with a backup, whole or not there; raises Refusal."""
    _refuse_target(target)
    _refuse_store(source)
    async with source.db.read(NO_TENANT) as c:
        version, size = await system_server(c)
        revision = await schema_revision(c)
        if revision is None:
            raise Refusal(*_NO_SCHEMA)
        hub_id = await system_hub_id(c)
    with_files = source.with_flows and source.store.is_embedded
    flow_bytes = await asyncio.to_thread(folder_bytes, source.store.folder) if with_files else 0
    refuse_full(str(target.parent), shutil.disk_usage(target.parent).free, size + flow_bytes)
    async with _part_of(target) as part:
        started = source.db.clock.now()
        await postgres_tools.dump(source.url, part / DUMP)
        flows = await _take_flows(source, part, target.name)
        sums = await asyncio.to_thread(seal, part)
        manifest = Manifest(
            format=FORMAT,
            hub_version=source.hub_version,
            hub_id=hub_id or "",
            started_at=started,
            ended_at=source.db.clock.now(),
            schema=revision,
            postgres_version=version,
            database_bytes=size,
            flows=flows.kept,
            flow_schema=flows.schema,
            flow_place=flows.place,
            tenants=flows.tenants,
            files={name: (part / name).stat().st_size for name in sums},
        )
        (part / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        await asyncio.to_thread(write_sums, part, sums | seal_one(part / MANIFEST))
        part.rename(target)
        sync_folder(target.parent)
    return manifest


def _refuse_target(target: Path) -> None:
    if os.path.lexists(target):
        raise Refusal(f"{target} is there already", "Each backup needs a new folder: choose another name.")
    if not target.parent.is_dir():
        raise Refusal(f"there is no folder {target.parent}", "Make it, or choose another place.")


def _refuse_store(source: Source) -> None:
    if not source.with_flows or source.store.is_embedded:
        return
    if source.store.is_cluster:
        raise Refusal(
            "the flow store is a cluster of servers, which 'periplus backup' does not back up",
            "Take this backup with --without-flows, and after it one of the cluster with BACKUP ON CLUSTER.",
        )
    if source.server_place is None:
        raise Refusal(
            "the flow store is a server, and it is not said where it may put a backup",
            "Set PERIPLUS_FLOW_STORE_BACKUP, or use --without-flows and back the server up after it.",
        )


async def _take_flows(source: Source, part: Path, name: str) -> _Flows:
    """After PostgreSQL: tenants that have flows in its dump have them now."""
    if not source.with_flows:
        return _Flows("left-out")
    tenants = await _with_flows(source.db)
    if not tenants:
        return _Flows("none")
    store = source.store
    if store.is_embedded:
        try:
            store.claim()
        except Unavailable:
            return _Flows("files", tenants, await ask_hub(store, tenants, part))
        return _Flows("files", tenants, await backing_up.into_folder(store, tenants, part))
    place = f"{source.db.clock.now():%Y%m%dT%H%M%SZ}-{name}"
    places = {tenant: place_at_server(source.server_place or "", place, tenant) for tenant in tenants}
    return _Flows("server", tenants, await backing_up.to_places(store, places), place)


async def _with_flows(db: Database) -> tuple[UUID, ...]:
    async with db.read(EVERY_TENANT) as c:
        tenants = await system_tenant_ids(c)
    found = []
    for tenant in tenants:
        scope = system_scope(tenant, "backup")
        async with db.read(scope) as c:
            if await has_hours(c, scope):
                found.append(tenant)
    return tuple(found)


@contextlib.asynccontextmanager
async def _part_of(target: Path) -> AsyncIterator[Path]:
    """Where the backup grows, until it is renamed; what is not finished is removed, also that of an earlier death."""
    part = target.with_name(f".{target.name}.part")
    part.mkdir(mode=0o700, exist_ok=True)
    busy = Refusal(f"another backup is being written into {part}", "Wait for it, or choose another name.")
    with alone(os.open(part, os.O_RDONLY | os.O_NOFOLLOW), busy):
        for left in part.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield part
        finally:
            if part.exists():
                await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)
