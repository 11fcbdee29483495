"""A hub, its PostgreSQL and its flow store as processes of their own, any of which can be killed where the hub stops.

The hub stops at one crash point (`kit.crashpoint`, `name:stop`) and is let go on there, except while it is held.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

import httpx
from sqlalchemy import text

from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.flows import repository_inbox
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support import clickhouse_http
from tests.support.flow_hub import folder_url
from tests.support.flow_judge import has_dirty_days, is_done, look, wrong_days, wrongs
from tests.support.flow_teller import Teller
from tests.support.hub_child import enrolled, started
from tests.support.replica import Node, alone

Victim = Literal["hub", "postgres", "loader", "store"]
VICTIMS: Final[tuple[Victim, ...]] = ("hub", "postgres", "loader", "store")
SETTLE_AFTER_S: Final = 2
PATIENCE_S: Final = 300.0
"""Of a machine with much else to do. Nothing waits for so long unless something is wrong."""
_LOOK_S: Final = 0.005
_DAY_S: Final = 86_400


class HubProcess:
    """A process of the hub."""

    def __init__(self, process: asyncio.subprocess.Process, ready: Path, *, held: bool) -> None:
        self.process = process
        self.held = held
        """Whether it is to stay where it stops."""
        self._ready = ready

    @property
    def has_ended(self) -> bool:
        return self.process.returncode is not None

    @property
    def is_ready(self) -> bool:
        return self._ready.exists()

    @property
    def url(self) -> str:
        """Of its door for spokes."""
        return str(json.loads(self._ready.read_text())["spokes_url"])

    async def attend(self) -> None:
        """Let it go on wherever it stops while nobody holds it."""
        while not self.has_ended:
            if not self.held and self._is_stopped():
                self.go_on()
            await asyncio.sleep(_LOOK_S)

    async def until_ready(self) -> None:
        await self._until(lambda: self.is_ready)

    async def until_stopped(self) -> None:
        """At its crash point."""
        await self._until(self._is_stopped)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        self._signal(signal.SIGKILL)
        await self.process.wait()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                assert not self.has_ended, f"the hub ended with {self.process.returncode}"
                await asyncio.sleep(_LOOK_S)

    def _is_stopped(self) -> bool:
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] == "T"

    def _signal(self, number: signal.Signals) -> None:
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


@dataclass
class World:
    """What may be killed, and the teller that knows what has to be there afterwards."""

    folder: Path
    victim: Victim
    postgres: Node
    db: Database
    scope: Scope
    teller: Teller
    rng: random.Random
    store_url: str
    store: "_Store | None"
    """A server; None where the hub has the store in itself, and nobody can ask it while the hub runs."""
    is_split: bool = False
    """Whether the fleet's work is done by a process of its own, beside that with the door and the loader."""
    open_seqs: set[int] = field(default_factory=set)
    """Batches that were not seen to be through since the last kill."""

    @property
    def log(self) -> Path:
        return self.folder / "hub.log"

    @asynccontextmanager
    async def hub(self, point: str = "", *, held: bool = False) -> AsyncIterator[HubProcess]:
        """The process that takes batches and loads them; unless it is split, it does everything else, too."""
        async with self._process("serve", point, held=held) as hub:
            yield hub

    @asynccontextmanager
    async def leader(self) -> AsyncIterator[None]:
        """The other half of a hub that is split."""
        self.is_split = True
        async with self._process("work", "", held=False) as worker:
            await worker.until_ready()
            yield
            assert not worker.has_ended
        self.is_split = False

    @asynccontextmanager
    async def _process(self, action: str, point: str, *, held: bool) -> AsyncIterator[HubProcess]:
        folder = self.folder / action
        folder.mkdir(exist_ok=True)
        ready, process = await started(
            self.postgres.url(),
            folder,
            f"{point}:stop" if point else "",
            self.log,
            action,
            ALL_IN_ONE="false" if self.is_split else "true",
            FLOW_STORE_URL=self.store_url,
            SETTLE_AFTER_S=str(SETTLE_AFTER_S),
            LOG_LEVEL="warning",
        )
        hub = HubProcess(process, ready, held=held)
        attending = asyncio.create_task(hub.attend())
        try:
            yield hub
        finally:
            await hub.kill()
            await attending

    async def recover(self, hub: HubProcess, *, days: bool = False) -> None:
        """Until the hub has everything that was told, and nothing is left to do."""
        await hub.until_ready()
        async with asyncio.timeout(PATIENCE_S):
            while not await self._is_through(hub.url, days=days):
                assert not hub.has_ended, f"the hub ended with {hub.process.returncode}"
                await asyncio.sleep(0.1)
        self.open_seqs.clear()

    async def _is_through(self, url: str, *, days: bool) -> bool:
        try:
            return (
                await self.teller.send(url)
                and await is_done(self.db, self.scope)
                and not (days and await has_dirty_days(self.db, self.scope))
            )
        except DATABASE_ERRORS:
            return False

    def tell_more(self, *, of_yesterday: bool = False) -> None:
        """Another batch is on its way."""
        self.teller.tell_more(of_yesterday=of_yesterday)
        self.open_seqs.add(self.teller.told[-1].seq)

    async def judge(self, *, days: bool = False) -> None:
        """Raises AssertionError with everything that is wrong."""
        found = await look(self.db, self.scope, self.store_url)
        wrong = list(wrongs(self.teller, found, self.open_seqs, timedelta(seconds=SETTLE_AFTER_S)))
        if days:
            wrong += wrong_days(self.teller, found, int(self.db.clock.now().timestamp()) // _DAY_S * _DAY_S)
        assert not wrong, "; ".join(wrong)

    async def has_empty_ring(self) -> bool:
        """Whether no turn of the inbox's ring has anything to do."""
        async with self.db.read(NO_TENANT) as c:
            return await repository_inbox.system_is_empty(c)

    async def kill_beside(self) -> None:
        """The victim, if it is not the hub."""
        if self.victim == "postgres":
            await self.postgres.kill()
        elif self.store is not None:
            await asyncio.to_thread(self.store.kill)

    async def start_beside(self) -> None:
        """The victim, again."""
        if self.victim == "postgres":
            await self.postgres.start()
        elif self.store is not None:
            self.store.start()

    async def end_leases(self) -> None:
        """The lease of a loader that died runs out. Without it another takes over within a minute."""
        async with self.db.write(NO_TENANT) as c:
            await c.execute(text("UPDATE flow_loaders SET lease_until = now() - interval '1 second'"))


@asynccontextmanager
async def world(folder: Path, victim: Victim, seed: str) -> AsyncIterator[World]:
    """Everything but the hub's processes runs. `folder` is one that other accounts may pass through."""
    await asyncio.to_thread(folder.mkdir, 0o711)
    rng = random.Random(seed)
    with ExitStack() as stack:
        store = _Store(folder, stack) if victim != "hub" else None
        async with alone(folder / "postgres") as postgres:
            db = Database(postgres.url(), SystemClock())
            try:
                scope = system_scope(await ensure_default_tenant(db), "test:oracle")
                found = World(
                    folder=folder,
                    victim=victim,
                    postgres=postgres,
                    db=db,
                    scope=scope,
                    teller=None,  # type: ignore[arg-type]  # it needs a hub to join
                    rng=rng,
                    store_url=store.url if store else folder_url(folder / "flows"),
                    store=store,
                )
                async with found.hub() as hub:
                    await hub.until_ready()
                    async with httpx.AsyncClient(base_url=hub.url, timeout=120) as http:
                        found.teller = Teller(await enrolled(db, http, scope), rng)
                yield found
            finally:
                await db.dispose()


class _Store:
    """A server of the flow store that comes back at the same port."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder / "store"
        self._stack = stack
        self._listener: socket.socket = clickhouse_http.port()
        self._stack.callback(self._listener.close)
        self.start()

    @property
    def url(self) -> str:
        return clickhouse_http.url_of(self._listener)

    def start(self) -> None:
        self._server = self._stack.enter_context(clickhouse_http.server(self._folder, self._listener))

    def kill(self) -> None:
        self._server.kill()
