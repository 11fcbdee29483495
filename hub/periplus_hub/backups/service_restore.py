"""Putting a backup into an empty place: the flow store first, then PostgreSQL in one transaction.

So a restore that was cut off leaves a PostgreSQL without a schema, on which no hub starts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from periplus_hub.access.scope import system_scope
from periplus_hub.backups import postgres_tools
from periplus_hub.backups.model import DUMP, Manifest, refuse_newer
from periplus_hub.backups.repository import system_has_tables
from periplus_hub.backups.service_flows import place_at_server
from periplus_hub.flows.backing_up import place_in
from periplus_hub.flows.repository_blocks import system_end_leases
from periplus_hub.kit import column_store_whole
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.column_store import ColumnStore, database_of
from periplus_hub.kit.column_store_schema import known_steps
from periplus_hub.kit.db import Database
from periplus_hub.kit.db_urls import Urls
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.migrate import known_revisions, upgrade
from periplus_hub.kit.roles import role_at
from periplus_hub.kit.tenancy import NO_TENANT

_SAME_KIND: Final = (
    "Restore it where flows are kept as they were, or restore PostgreSQL alone with --without-flows: answers about "
    "flows then say that they were lost."
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to."""

    urls: Urls
    store: ColumnStore
    server_place: str | None
    clock: Clock


def refuse_backup(manifest: Manifest, hub_version: str) -> None:
    """Raise Refusal for a backup that is too new for this hub."""
    refuse_newer(manifest, hub_version, known_revisions(), max(known_steps()))


def refuse_flows(manifest: Manifest, store: ColumnStore, server_place: str | None) -> None:
    """Raise Refusal where flows are not kept as they were, before anything is asked."""
    if manifest.flows == "files" and not store.is_embedded:
        raise Refusal("the backup's flows are files of an embedded store, and the flow store is a server", _SAME_KIND)
    if manifest.flows == "server" and store.is_embedded:
        raise Refusal("the backup's flows are at a ClickHouse server, and the flow store is embedded", _SAME_KIND)
    if manifest.flows == "server" and server_place is None:
        raise Refusal(
            f"the backup's flows are at the server as {manifest.flow_place}, and it is not said where that is",
            "Set PERIPLUS_FLOW_STORE_BACKUP as it was when the backup was taken.",
        )


async def refuse_database(target: Target) -> None:
    """Raise Refusal when the database has anything."""
    db = Database(target.urls.owner, target.clock)
    try:
        async with db.read(NO_TENANT) as c:
            if await system_has_tables(c):
                raise Refusal(
                    "the database is not empty",
                    "Restore into a new database: see docs/operate/database.",
                    slug="not-empty",
                )
    finally:
        await db.dispose()


async def refuse_store(store: ColumnStore, manifest: Manifest) -> None:
    """Raise Refusal when a flow store that is a server has anything of the backup's tenants."""
    if manifest.flows != "server":
        return
    for tenant in manifest.tenants:
        if await column_store_whole.has_tables(store, system_scope(tenant, "restore")):
            raise Refusal(
                f"the flow store is not empty: it has the database {database_of(tenant)}",
                "Restore into another server, or drop the database if nobody needs it.",
                slug="not-empty",
            )


async def fill(target: Target, folder: Path, manifest: Manifest) -> None:
    """Everything of the backup; raises Refusal."""
    for tenant in manifest.tenants:
        place = place_in(folder, tenant)
        if manifest.flows == "server":
            place = place_at_server(target.server_place or "", manifest.flow_place, tenant)
        await column_store_whole.restore(target.store, system_scope(tenant, "restore"), place)
    await postgres_tools.restore(target.urls.owner, folder / DUMP)
    await upgrade(target.urls.owner, await role_at(target.urls.hub))
    db = Database(target.urls.hub, target.clock)
    try:
        async with db.write(NO_TENANT) as c:
            await system_end_leases(c)
    finally:
        await db.dispose()
