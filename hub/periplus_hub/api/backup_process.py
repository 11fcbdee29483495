"""`periplus backup` and `periplus restore`: their stores opened as the settings say, and closed again."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from periplus_hub.api.backup_source import source_of
from periplus_hub.api.config import HubConfig
from periplus_hub.api.database_trouble import OWNERS_URL, naming_the_database
from periplus_hub.api.open_database import FOR_COMMANDS, open_database
from periplus_hub.backups.model import MARGIN_BYTES, Manifest, refuse_full
from periplus_hub.backups.service_backup import take
from periplus_hub.backups.service_restore import (
    Target,
    fill,
    refuse_backup,
    refuse_database,
    refuse_flows,
    refuse_store,
)
from periplus_hub.backups.sums import sync_folder, verified
from periplus_hub.embedded_postgres.folder import RESTORING
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database, DatabaseLimits
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.roles import role_at
from periplus_hub.kit.tasks import beside

_FEW: Final = DatabaseLimits(name="backup", readers=2, writers=1)
_OF_A_NEW_DISK: Final = frozenset({"lost+found"})


async def back_up(config: HubConfig, folder: Path, *, with_flows: bool = True) -> Manifest:
    """Into a new folder, beside a hub that runs, or without one; raises Refusal. The path is absolute."""
    if config.embedded and not (config.data_dir / "postgres" / "PG_VERSION").exists():
        raise Refusal(
            f"there is no hub in the data folder {config.data_dir}",
            "Name the folder of the hub with --data-dir (PERIPLUS_DATA_DIR).",
        )
    async with open_database(config, join_running=True) as urls, _store_of(config) as store:
        db = Database(urls.hub, SystemClock(), _FEW)
        source = source_of(config, urls, db, store, with_flows=with_flows)
        with naming_the_database():
            await role_at(urls.hub)
        try:
            return await take(source, folder)
        except OSError as error:
            raise Refusal(
                f"the backup {folder} cannot be written: {error.filename or folder}: {error.strerror}",
                "Free some space there, or choose another place.",
            ) from error
        finally:
            await db.dispose()


async def restore(config: HubConfig, folder: Path, *, with_flows: bool = True) -> Manifest:
    """Into an empty place, or nothing; raises Refusal before anything is changed where it can be known.

    The path is absolute.
    """
    manifest = await asyncio.to_thread(verified, folder)
    refuse_backup(manifest, version("periplus-hub"))
    if not with_flows:
        manifest = without_flows(manifest)
    async with _store_of(config) as store:
        refuse_flows(manifest, store, config.flow_backup_place)
        if manifest.flows == "files":
            _refuse_used(store.folder, "the folder of the flow store")
        if config.embedded:
            await _into_folder(config, store, folder, manifest)
            return manifest
        async with open_database(config) as urls:
            target = Target(urls, store, config.flow_backup_place, SystemClock())
            with naming_the_database(OWNERS_URL):
                await refuse_database(target)
            await refuse_store(store, manifest)
            if manifest.flows == "files":
                _refuse_full(store.folder, manifest.flow_bytes)
            await fill(target, folder, manifest)
    return manifest


def without_flows(manifest: Manifest) -> Manifest:
    """The same without its flows."""
    kept = {name: getattr(manifest, name) for name in manifest.__struct_fields__}
    return Manifest(**kept | {"flows": "left-out", "tenants": ()})


async def _into_folder(config: HubConfig, store: ColumnStore, folder: Path, manifest: Manifest) -> None:
    """The embedded PostgreSQL's. A mark says that it is not whole, until it is."""
    root = config.data_dir.absolute()
    _refuse_used(root, "the data folder")
    flows = manifest.flow_bytes if manifest.flows == "files" else 0
    _refuse_full(root, manifest.database_bytes + flows + MARGIN_BYTES)
    await refuse_store(store, manifest)
    postgres = EmbeddedPostgres(
        config.data_dir,
        account=config.postgres_account,
        connections=config.most_connections + FOR_COMMANDS,
        restoring=True,
    )
    await postgres.start()
    try:
        async with beside(postgres.supervise()):
            await fill(Target(postgres.urls, store, config.flow_backup_place, SystemClock()), folder, manifest)
        await store.close()
    finally:
        await postgres.stop()
    (root / RESTORING).unlink()
    sync_folder(root)


def _refuse_used(folder: Path, what: str) -> None:
    try:
        found = {path.name for path in folder.iterdir()} - _OF_A_NEW_DISK
    except FileNotFoundError:
        return
    except OSError as error:
        raise Refusal(f"{what} {folder} cannot be read: {error.strerror}", "Choose another folder.") from error
    if found:
        raise Refusal(
            f"{what} {folder} is not empty: it holds {min(found)!r}",
            "Restore into a new or an empty folder (--data-dir, PERIPLUS_DATA_DIR).",
            slug="not-empty",
        )


def _refuse_full(folder: Path, needed_bytes: int) -> None:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    refuse_full(str(there), shutil.disk_usage(there).free, needed_bytes)


@contextlib.asynccontextmanager
async def _store_of(config: HubConfig) -> AsyncIterator[ColumnStore]:
    store = ColumnStore(
        config.flow_store, memory_bytes=config.flow_store_memory_bytes, cluster=config.flow_store_cluster
    )
    try:
        yield store
    finally:
        await store.close()
