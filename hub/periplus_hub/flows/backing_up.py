"""How a command has the embedded flow store backed up by the hub that has it: two files beside the store's folder.

The command writes `asked`, the hub answers in `told`. Both are whole when they are there, and belong to the hub's
account or to root: nobody else can make the hub write anywhere.
"""

import fcntl
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TypeVar
from uuid import UUID

import msgspec
import structlog

from periplus_hub.access.scope import system_scope
from periplus_hub.kit.column_store import ColumnStore, database_of
from periplus_hub.kit.column_store_whole import back_up, quoted, schema_step
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.own_files import open_own, read_own, write_private

ASKED: Final = "backup-asked"
TOLD: Final = "backup-told"
LOCK: Final = "backup-lock"
"""Held by the command for as long as it waits for an answer."""

T = TypeVar("T")
_log: Final = structlog.get_logger(__name__)


class Asked(msgspec.Struct, frozen=True):
    """Put the databases of these tenants into this folder, which is there."""

    id: UUID
    folder: str
    tenants: tuple[UUID, ...]


class Told(msgspec.Struct, frozen=True):
    """What became of it."""

    id: UUID
    state: Literal["taking", "done", "failed"]
    message: str = ""
    remedy: str = ""
    flow_schema: int = 0


class FlowBackupJob:
    """Of the process that has the embedded store."""

    name = "flows.backup"

    def __init__(self, store: ColumnStore) -> None:
        self.interval_s = 1.0
        self._store = store
        self._last: UUID | None = None

    async def run(self, now: datetime) -> None:
        """What is asked for, once."""
        del now
        asked = read_message(self._store.beside(ASKED), Asked)
        if asked is None or asked.id == self._last:
            return
        self._last = asked.id
        if not _is_held(self._store.beside(LOCK)):
            return  # who asked was killed, perhaps in an earlier life of this hub
        self._tell(Told(asked.id, "taking"))
        try:
            step = await into_folder(self._store, asked.tenants, Path(asked.folder))
        except Refusal as refusal:
            _log.warning("flow_backup_failed", error=refusal.message)
            self._tell(Told(asked.id, "failed", refusal.message, refusal.remedy))
        else:
            self._tell(Told(asked.id, "done", flow_schema=step))

    def _tell(self, told: Told) -> None:
        write_private(self._store.beside(TOLD), msgspec.json.encode(told).decode())


async def into_folder(store: ColumnStore, tenants: Sequence[UUID], folder: Path) -> int:
    """One folder for each tenant. Returns the step of the schema that they have at most."""
    return await to_places(store, {tenant: place_in(folder, tenant) for tenant in tenants})


async def to_places(store: ColumnStore, places: Mapping[UUID, str]) -> int:
    """Each tenant's flows to a place of its own. Returns as above."""
    steps = [0]
    for tenant, place in places.items():
        scope = system_scope(tenant, "backup")
        await back_up(store, scope, place)
        steps.append(await schema_step(store, scope))
    return max(steps)


def place_in(folder: Path, tenant: UUID) -> str:
    """Where the tenant's flows are in a backup, as the engine calls it."""
    # No archive: the engine writes one, and cannot read every part of a table from it.
    return f"File({quoted(str(folder / database_of(tenant)))})"


def _is_held(path: Path) -> bool:
    try:
        descriptor = open_own(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_message(path: Path, kind: type[T]) -> T | None:
    """What the file says; None where there is none, or none of ours."""
    try:
        return msgspec.json.decode(read_own(path), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("flow_backup_not_read", file=str(path), error=str(error))
        return None
