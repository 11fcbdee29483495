"""SIGKILL a real hub process at every named place between inbox and edges: every byte that was accepted counts once.

The oracle stands outside: it sends the same bytes again after every death as a spoke does, waits until nothing is left
to do, and compares the store with what it sent.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.flows import repository_blocks, repository_inbox
from periplus_hub.flows.tables import blocks, loaders
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.crashpoint import NAMES
from periplus_hub.kit.db import Database
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support.batches import Spoke
from tests.support.flow_hub import BOTH, CLIENT, MEMORY_BYTES, Flow, Peer, bytes_of, folder_url, seal_flows
from tests.support.hub_child import enrolled, hub_process
from tests.support.spokes_door import Member

pytestmark = pytest.mark.chaos
FLOW_NAMES = [name for name in NAMES if name.startswith("flows.")]
RING = [name for name in FLOW_NAMES if name.endswith("truncate")]
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")


def lives(place: str) -> list[str]:
    """Where each life of the hub ends. From the second on each begins with a turn: the fifth empties the first."""
    return ["", "", "", "", f"{place}:1", ""] if place in RING else [f"{place}:1", f"{place}:1", ""]


@pytest.fixture
async def live_db(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, SystemClock())
    yield opened
    await opened.dispose()


def flows_of(spoke: Spoke, number: int) -> bytes:
    """A batch with rows that the spoke merged and rows that it did not."""
    at = int(SystemClock().now().timestamp()) // 60 * 60 - 60 * (number + 1)
    told = [(BOTH, 10**number), (CLIENT, 2 * 10**number)]
    rows = [Flow(WEB, API, at, reporter, measures=bytes_of(tx, 1)) for reporter, tx in told]
    return seal_flows(spoke, rows)


async def send_all(member: Member, waiting: list[bytes]) -> int:
    """Send in order until all are answered or the hub dies; returns how many were answered."""
    answered = 0
    for batch in waiting:
        try:
            await member.send(batch)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            return answered
        answered += 1
    return answered


async def is_done(db: Database, scope: Scope) -> bool:
    """Nothing waits, in blocks or hours."""
    async with db.read(NO_TENANT) as c:
        everybody = [row.id for row in await c.rows(select(loaders.c.id))]
    async with db.read(scope) as c:
        waiting = await repository_inbox.waiting(c, scope, everybody)
        open_blocks = await repository_blocks.open_blocks(c, scope, everybody)
        return not waiting and not open_blocks and not await repository_blocks.dirty_hours(c, scope, 0)


async def until_done(db: Database, scope: Scope, process: asyncio.subprocess.Process) -> None:
    while not await is_done(db, scope):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.1)
        if process.returncode is not None:
            return


@pytest.mark.promise("accepted-flows-count-once")
@pytest.mark.parametrize("place", FLOW_NAMES)
async def test_a_hub_killed_anywhere_between_inbox_and_edges_counts_every_byte_once(
    place: str, database_url: str, live_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERIPLUS_ALL_IN_ONE", "true")
    scope = system_scope(await ensure_default_tenant(live_db), "test:oracle")
    member: Member | None = None
    waiting: list[bytes] = []
    deaths = 0
    for number, crash_at in enumerate(lives(place)):
        async with (
            hub_process(database_url, tmp_path, crash_at) as (url, process),
            httpx.AsyncClient(base_url=url, timeout=60) as http,
        ):
            if member is None:
                member = await enrolled(live_db, http, scope)
                spoke = Spoke(member.registration)
            member.door.http = http
            waiting.append(flows_of(spoke, number))
            waiting = waiting[await send_all(member, waiting) :]
            if crash_at:
                await process.wait()
                deaths += 1
            else:
                await until_done(live_db, scope, process)
                assert process.returncode is None
    assert (waiting, deaths) == ([], sum(map(bool, lives(place))))
    await judge(live_db, scope, tmp_path, len(lives(place)))


async def judge(db: Database, scope: Scope, folder: Path, sent: int) -> None:
    store = ColumnStore(folder_url(folder / "flows"), memory_bytes=MEMORY_BYTES)
    total = sum(10**number for number in range(sent))
    try:
        raw = await store.query(scope, "SELECT sum(bytes_tx) AS tx, sum(bytes_rx) AS rx, count() AS n FROM flows")
        edges = await store.query(scope, "SELECT sum(bytes_tx) AS tx, sum(bytes_rx) AS rx FROM edges_hourly")
    finally:
        await store.close()
    assert raw.to_pylist() == [{"tx": 3 * total, "rx": 2 * sent, "n": 2 * sent}]
    assert edges.to_pylist() == [{"tx": 3 * total, "rx": 2 * sent}]
    async with db.read(scope) as c:
        rows = await c.scalar(select(func.sum(blocks.c.rows)))
    assert rows == 2 * sent
