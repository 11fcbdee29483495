"""A command asks the hub that has the embedded flow store for its part of a backup, and is told what becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.backups import service_flows
from periplus_hub.backups.service_flows import ask_hub
from periplus_hub.flows.backing_up import ASKED, TOLD, Asked, FlowBackupJob
from periplus_hub.kit.column_store import ColumnStore, database_of
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.own_files import write_private

from tests.support.flow_hub import MEMORY_BYTES, FlowHub, flow_hub, folder_url


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        opened.store.claim()
        yield opened


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[ColumnStore]:
    """The store as another process has it: it may not open it."""
    store = ColumnStore(folder_url(tmp_path / "flows"), memory_bytes=MEMORY_BYTES)
    yield store
    await store.close()


async def answering(hub: FlowHub, asking: "asyncio.Task[int]") -> None:
    """The hub's job, in its own rhythm, until the answer is there."""
    job = FlowBackupJob(hub.store)
    while not asking.done():
        await job.run(hub.db.clock.now())
        await asyncio.sleep(0)


async def test_the_hub_does_it_and_both_files_are_gone(
    hub: FlowHub, outside: ColumnStore, tenant: Scope, tmp_path: Path
) -> None:
    await hub.rows(tenant, "SELECT count() AS n FROM flows")
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask_hub(outside, [tenant.tenant_id], tmp_path))
        tasks.create_task(answering(hub, asking))
    assert asking.result() == 1
    assert (tmp_path / database_of(tenant.tenant_id) / ".backup").exists()
    assert not any(outside.beside(name).exists() for name in (ASKED, TOLD))


async def test_what_somebody_asked_who_was_killed_is_not_done(
    hub: FlowHub, outside: ColumnStore, tenant: Scope, tmp_path: Path
) -> None:
    await hub.rows(tenant, "SELECT count() AS n FROM flows")
    asked = Asked(new_id(), str(tmp_path), (tenant.tenant_id,))
    write_private(outside.beside(ASKED), msgspec.json.encode(asked).decode())
    await FlowBackupJob(hub.store).run(hub.db.clock.now())
    assert not (tmp_path / database_of(tenant.tenant_id)).exists()
    assert not outside.beside(TOLD).exists()


async def test_what_fails_there_is_told_here(hub: FlowHub, outside: ColumnStore, tmp_path: Path) -> None:
    asking = asyncio.create_task(ask_hub(outside, [new_id()], tmp_path))
    await answering(hub, asking)
    with pytest.raises(Refusal, match="does not exist"):
        await asking


async def test_a_hub_that_ends_or_does_not_answer_is_named(
    hub: FlowHub, outside: ColumnStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_flows, "_HEARD_S", -1.0)
    with pytest.raises(Refusal, match="did not answer"):
        await ask_hub(outside, [new_id()], tmp_path)
    monkeypatch.undo()
    await hub.store.close()
    with pytest.raises(Refusal, match="the hub ended before"):
        await ask_hub(outside, [new_id()], tmp_path)
