"""A hub in a process of its own, and an outside judge of what it made of what it was sent."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from sqlalchemy import func, select

from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope
from periplus_hub.fleet.service_enrolment import Enrolment
from periplus_hub.ingest.tables import batches, outcomes
from periplus_hub.inventory.repository_machines import machines_by_registration
from periplus_hub.inventory.tables import counts, pods
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.crashpoint import VARIABLE
from periplus_hub.kit.db import Database
from periplus_hub.kit.events import Events

from tests.support.batches import Spoke, pod
from tests.support.spokes_door import Door, Member


async def started(
    database_url: str, folder: Path, crash_at: str = "", log: Path | None = None, action: str = "serve", **settings: str
) -> tuple[Path, asyncio.subprocess.Process]:
    """A process of the hub, and the file that it writes once it is ready. Without a URL it has its own PostgreSQL."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    given = {
        **({"DATABASE_URL": database_url.replace("+asyncpg", "")} if database_url else {}),
        "DATA_DIR": str(folder),
        "READY_FILE": str(ready),
        **{f"{listener}_PORT": "0" for listener in ("SPOKES", "API", "METRICS", "WORK_METRICS")},
        **settings,
    }
    environment = os.environ | {f"PERIPLUS_{name}": value for name, value in given.items()} | {VARIABLE: crash_at}
    with log.open("ab") if log else contextlib.nullcontext() as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "periplus_hub", "hub", action),
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
        )
    return ready, process


@asynccontextmanager
async def hub_process(
    database_url: str, folder: Path, crash_at: str = "", log: Path | None = None
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    ready, process = await started(database_url, folder, crash_at, log)
    try:
        while not ready.exists():
            assert process.returncode is None, "the hub did not start"
            await asyncio.sleep(0.02)
        yield json.loads(ready.read_text())["spokes_url"], process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


def life(member: Member, number_of_batches: int) -> tuple[list[bytes], int]:
    """Snapshot, then deltas that each add two pods; with outcomes. And how many rows were collected."""
    spoke, sealed, collected = Spoke(member.registration), [], 0
    spoke.at = SystemClock().now()
    hour = int(spoke.at.timestamp()) // 3600 * 3600
    for number in range(number_of_batches):
        spoke.outcomes = (Outcome(hour_start_s=hour, kind=Kind.INVENTORY, collected=2),)
        collected += 2
        rows = {"pods": [pod(f"{number}-{each}", f"10.{number}.0.{each}", spoke.at) for each in (1, 2)]}
        sealed.append(spoke.delta(rows) if number else spoke.snapshot(rows))
    return sealed, collected


async def enrolled(db: Database, http: httpx.AsyncClient, scope: Scope, name: str = "prod-1") -> Member:
    door = Door(db, http, None, None, Enrolment(db, Events(), machines_by_registration), None)  # type: ignore[arg-type]  # the intake is another process
    return await door.member(scope, name)


async def judge(db: Database, scope: Scope, member: Member, sent: int, collected: int) -> None:
    mine = member.registration
    async with db.read(scope) as c:
        assert await c.scalar(select(func.count()).where(batches.c.registration_id == mine)) == sent
        live = select(func.count()).where(pods.c.registration_id == mine, pods.c.valid_to.is_(None))
        assert await c.scalar(live) == 2 * sent
        assert await c.scalar(select(counts.c.pods).where(counts.c.registration_id == mine)) == 2 * sent
        sums = select(func.sum(outcomes.c.collected), func.sum(outcomes.c.settled))
        row = await c.one_or_none(sums.where(outcomes.c.registration_id == mine))
        assert row is not None
        assert tuple(row) == (collected, 2 * sent)
