"""The flow store's part of a backup: by the hub that has the folder, or by a server."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from periplus_hub.backups.one_at_a_time import alone
from periplus_hub.flows.backing_up import ASKED, LOCK, TOLD, Asked, Told, read_message
from periplus_hub.kit.column_store import ColumnStore, database_of
from periplus_hub.kit.errors import Refusal, Unavailable
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.own_files import open_own, write_private

_ASK_S: Final = 0.2
_HEARD_S: Final = 60.0
"""How long a hub may take to say that it begins."""


def place_at_server(pattern: str, place: str, tenant: UUID) -> str:
    """Where a server has a tenant's flows, as it calls it."""
    return pattern.replace("{name}", f"{place}/{database_of(tenant)}")


def folder_bytes(folder: Path) -> int:
    """What the files below take. Some may go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(place) / name).lstat().st_size
    return total


async def ask_hub(store: ColumnStore, tenants: Sequence[UUID], folder: Path) -> int:
    """Have the hub that has the store put these tenants' flows there; returns the step of their schema."""
    asked = Asked(new_id(), str(folder), tuple(tenants))
    busy = Refusal("the hub is writing another backup", "Wait for it.")
    with alone(open_own(store.beside(LOCK), os.O_RDWR | os.O_CREAT), busy):
        write_private(store.beside(ASKED), msgspec.json.encode(asked).decode())
        try:
            told = await _answer(store, asked)
        finally:
            for name in (ASKED, TOLD):
                store.beside(name).unlink(missing_ok=True)
    if told.state == "failed":
        raise Refusal(told.message, told.remedy)
    return told.flow_schema


async def _answer(store: ColumnStore, asked: Asked) -> Told:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _HEARD_S
    while True:
        told = read_message(store.beside(TOLD), Told)
        if told is not None and told.id == asked.id:
            if told.state != "taking":
                return told
        elif loop.time() > until_s:
            raise Refusal(
                f"the hub that has the flow store did not answer within {_HEARD_S:g} s",
                "Run the command as the hub's account, with a hub of the same version.",
            )
        _refuse_when_gone(store)
        await asyncio.sleep(_ASK_S)


def _refuse_when_gone(store: ColumnStore) -> None:
    with contextlib.suppress(Unavailable):
        store.claim()
        raise Refusal("the hub ended before it had backed up the flows", "Take the backup again.")
