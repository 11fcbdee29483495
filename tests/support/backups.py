"""A hub with its own PostgreSQL and flow store as a process, what spokes pour into it, and the commands beside it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from periplus_contract.messages import BatchAnswer
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.embedded_postgres.supervisor import running_urls
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, pod
from tests.support.flow_hub import BOTH, Flow, Peer, bytes_of, seal_flows, seconds
from tests.support.hub_child import enrolled, started
from tests.support.spokes_door import Member

PATIENCE_S = 240
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


async def periplus(*words: str, **environment: str) -> Ended:
    """A command as somebody types it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PERIPLUS")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "periplus_hub", *words),
        env=kept | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def running_hub(folder: Path, **settings: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A hub with everything in the folder; its listener for spokes. It is killed at the end, if it still lives."""
    log = folder.with_name(f"{folder.name}.log")
    ready, process = await started("", folder, log=log, **settings)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not ready.exists():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield json.loads(ready.read_text())["spokes_url"], process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def database_of(folder: Path) -> AsyncIterator[tuple[Database, Scope]]:
    """The database of a hub that runs there, and its tenant."""
    urls = running_urls(folder)
    assert urls is not None
    db = Database(urls.hub, SystemClock())
    try:
        yield db, system_scope(await ensure_default_tenant(db), "test:backup")
    finally:
        await db.dispose()


@dataclass
class Pouring:
    """A spoke that seals a snapshot, then flows and deltas without end, and remembers what it was answered."""

    member: Member
    spoke: Spoke
    sealed: list[bytes] = field(default_factory=list)
    answered: list[BatchAnswer] = field(default_factory=list)

    @property
    def settled_through(self) -> int:
        """Up to which batch it may have deleted its copies."""
        return self.answered[-1].settled_through if self.answered else 0

    @property
    def flows(self) -> int:
        """How many batches with flows there are; each has one row, of one byte."""
        return len(self.sealed) // 2

    def seal(self) -> bytes:
        """The next batch."""
        number = len(self.sealed)
        if number % 2:
            at = seconds(self.spoke.at) // 60 * 60 - 60 * (number % 50)
            batch = seal_flows(self.spoke, [Flow(WEB, API, at, BOTH, measures=bytes_of(1))])
        else:
            rows = {"pods": [pod(f"pod-{number}", f"10.{number // 200}.{number % 200}.1", self.spoke.at)]}
            batch = self.spoke.delta(rows) if number else self.spoke.snapshot(rows)
        self.sealed.append(batch)
        return batch

    async def pour(self, batches: int) -> None:
        """So many more."""
        for _ in range(batches):
            self.answered.append(await self.member.send(self.seal()))

    async def pour_until(self, ended: asyncio.Event) -> None:
        """At least one, and on until then."""
        await self.pour(1)
        while not ended.is_set():
            await self.pour(1)


@asynccontextmanager
async def pouring(folder: Path, url: str) -> AsyncIterator[Pouring]:
    """A spoke of the hub in the folder."""
    async with database_of(folder) as (db, scope), httpx.AsyncClient(base_url=url, timeout=60) as http:
        member = await enrolled(db, http, scope)
        spoke = Spoke(member.registration)
        spoke.at = SystemClock().now() - timedelta(minutes=1)
        yield Pouring(member, spoke)


def document(ended: Ended) -> dict[str, Any]:
    """What a command printed as JSON."""
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found
