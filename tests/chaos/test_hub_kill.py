"""SIGKILL a real hub process at every named place, again and again: nothing answered is lost, nothing counts twice.

The oracle stands outside: it keeps what the hub answered, sends the same bytes again after every death as a spoke
does, and at the end compares the database with what it sent.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.fleet.service_enrolment import Enrolment
from periplus_hub.ingest.tables import batches, outcomes
from periplus_hub.inventory.tables import counts, pods
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.crashpoint import NAMES, VARIABLE
from periplus_hub.kit.db import Database
from periplus_hub.kit.events import Events

from tests.support.batches import Spoke, pod
from tests.support.spokes_door import Door, Member

pytestmark = pytest.mark.chaos
HUB_NAMES = [name for name in NAMES if name.startswith("ingest.")]
ROUNDS = 3


@pytest.fixture
async def live_db(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, SystemClock())
    yield opened
    await opened.dispose()


@asynccontextmanager
async def hub_process(
    database_url: str, folder: Path, crash_at: str = ""
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    ports = ["--spokes-port", "0", "--people-port", "0", "--metrics-port", "0"]
    command = [sys.executable, "-m", "periplus_hub", "hub", "serve", *ports, "--ready-file", str(ready)]
    environment = os.environ | {
        "PERIPLUS_DATABASE_URL": database_url.replace("+asyncpg", ""),
        "PERIPLUS_DATA_DIR": str(folder),
        VARIABLE: crash_at,
    }
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.DEVNULL)
    try:
        while not ready.exists():
            assert process.returncode is None, "the hub did not start"
            await asyncio.sleep(0.02)
        yield json.loads(ready.read_text())["spokes_url"], process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


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


def life(member: Member) -> tuple[list[bytes], int]:
    """Snapshot, then deltas that each add two pods; with outcomes. And how many rows were collected."""
    spoke, sealed, collected = Spoke(member.registration), [], 0
    spoke.at = SystemClock().now()
    hour = int(spoke.at.timestamp()) // 3600 * 3600
    for number in range(2 * ROUNDS):
        spoke.outcomes = (Outcome(hour_start_s=hour, kind=Kind.INVENTORY, collected=2),)
        collected += 2
        rows = {"pods": [pod(f"{number}-{each}", f"10.{number}.0.{each}", spoke.at) for each in (1, 2)]}
        sealed.append(spoke.delta(rows) if number else spoke.snapshot(rows))
    return sealed, collected


@pytest.mark.promise("accepted-is-committed")
@pytest.mark.parametrize("place", HUB_NAMES)
async def test_a_hub_killed_at_any_place_loses_nothing_and_doubles_nothing(
    place: str, database_url: str, live_db: Database, tmp_path: Path
) -> None:
    scope = system_scope(await ensure_default_tenant(live_db), "test:oracle")
    member: Member | None = None
    waiting: list[bytes] = []
    collected = 0
    deaths = 0
    for crash_at in [f"{place}:{number % 2 + 1}" for number in range(ROUNDS)] + [""]:
        async with (
            hub_process(database_url, tmp_path, crash_at) as (url, process),
            httpx.AsyncClient(base_url=url, timeout=60) as http,
        ):
            if member is None:
                member = await enrolled(live_db, http, scope)
                waiting, collected = life(member)
            member.door.http = http
            # A spoke that got no answer sends the same bytes again.
            waiting = waiting[await send_all(member, waiting) :]
            if waiting:
                await process.wait()
                deaths += 1
    assert (waiting, deaths >= 2) == ([], True)
    assert member is not None
    await judge(live_db, member, 2 * ROUNDS, collected)


async def enrolled(db: Database, http: httpx.AsyncClient, scope: Scope) -> Member:
    door = Door(db, http, None, None, Enrolment(db, Events()))  # type: ignore[arg-type]  # the intake is another process
    return await door.member(scope)


async def judge(db: Database, member: Member, sent: int, collected: int) -> None:
    mine = member.registration
    async with db.read() as c:
        assert await c.scalar(select(func.count()).where(batches.c.registration_id == mine)) == sent
        live = select(func.count()).where(pods.c.registration_id == mine, pods.c.valid_to.is_(None))
        assert await c.scalar(live) == 2 * sent
        assert await c.scalar(select(counts.c.pods).where(counts.c.registration_id == mine)) == 2 * sent
        sums = select(func.sum(outcomes.c.collected), func.sum(outcomes.c.settled))
        row = await c.one_or_none(sums.where(outcomes.c.registration_id == mine))
        assert row is not None
        assert tuple(row) == (collected, 2 * sent)
