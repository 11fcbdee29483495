"""A standby is promoted while the old primary lives on, read-only: everything moves over without a human."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api import health
from periplus_hub.fleet.service_enrolment import Enrolment
from periplus_hub.inventory.repository_machines import machines_by_registration
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database, DatabaseLimits, WriteConnection
from periplus_hub.kit.event_bridge import CHANNEL, EventBridge
from periplus_hub.kit.events import LAGGED, Event, Events
from periplus_hub.kit.jobs import JobRunner, lead
from periplus_hub.kit.tasks import beside
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support.batches import Spoke, pod
from tests.support.clock import FakeClock
from tests.support.endless_job import EndlessJob
from tests.support.hub_process import config_for, hub
from tests.support.replica import Pair, replicated
from tests.support.spokes_door import Door, Member

pytestmark = pytest.mark.promise("failovers-need-nobody")
ACME = UUID(int=1)
SOON_S = 0.05
SELECT_1 = text("SELECT 1")


@pytest.fixture
async def pair(open_folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    async with replicated(open_folder / request.node.name[:40]) as found:
        await found.migrate()
        yield found


@pytest.fixture
async def db(pair: Pair) -> AsyncIterator[Database]:
    opened = Database(pair.url(), SystemClock())
    yield opened
    await opened.dispose()


async def fail_over(pair: Pair) -> None:
    """Everyone stays connected to the old primary, where reading works and writing does not."""
    await pair.cut_off()
    await pair.primary.configure(default_transaction_read_only="on")
    await pair.promote()


async def test_batches_are_taken_by_the_new_primary_at_once(pair: Pair, db: Database, tmp_path: Path) -> None:
    scope = system_scope(await ensure_default_tenant(db), "test")
    async with (
        hub(config_for(pair.url(), tmp_path)) as ready,
        httpx.AsyncClient(base_url=ready["spokes_url"], trust_env=False, timeout=60) as http,
    ):
        door = Door(db, http, None, None, Enrolment(db, Events(), machines_by_registration), None)  # type: ignore[arg-type]  # the hub has its own
        member: Member = await door.member(scope)
        spoke = Spoke(member.registration, at=db.clock.now())
        batches = [spoke.snapshot({"pods": [pod("a")]}), *(spoke.delta({"pods": [pod(name)]}) for name in "bc")]
        assert (await member.send(batches[0])).result == "accepted"
        await pair.replayed()
        await fail_over(pair)
        assert (await member.send(batches[1])).result == "accepted"
        assert (await http.get(ready["metrics_url"] + "/readyz")).status_code == 200
        await pair.primary.stop()
        assert (await member.send(batches[2])).result == "accepted"
        assert await pair.standby.ask("SELECT count(*) FROM batches") == 3


async def test_a_host_that_hangs_does_not_hide_the_new_primary(pair: Pair) -> None:
    db = Database(pair.url(), SystemClock(), DatabaseLimits(connect_s=2))
    async with db.write(NO_TENANT) as c:
        await c.scalar(SELECT_1)
    await pair.cut_off()
    async with pair.primary.hanging():
        await pair.promote()
        await db.dispose()
        async with db.write(NO_TENANT) as c:
            await c.scalar(SELECT_1)
    await db.dispose()


async def test_a_unit_on_a_server_that_hangs_is_done_on_the_new_primary(pair: Pair) -> None:
    db = Database(pair.url(), SystemClock(), DatabaseLimits(connect_s=2, write_statement_s=0.5))
    await pair.cut_off()
    async with contextlib.AsyncExitStack() as hung:

        async def unit(c: WriteConnection) -> object:
            server = await c.scalar(text("SHOW unix_socket_directories"))
            if server == str(pair.primary.socket):
                await hung.enter_async_context(pair.primary.hanging())
                await pair.promote()
            await c.scalar(SELECT_1)
            return server

        assert await db.retrying_write(NO_TENANT, unit) == str(pair.standby.socket)
        await db.dispose()


async def test_readiness_does_not_hang_with_the_server(
    pair: Pair, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = Database(pair.url(), clock)
    asked = health.Health(db)
    async with asyncio.timeout(60):
        assert await asked.trouble() is None
        monkeypatch.setattr(health, "_PROBE_S", 0.2)  # only now: a busy machine may take longer to commit
        async with pair.primary.hanging():
            for _ in range(2 * db.limits.writers):
                clock.advance(1)
                assert "did not commit within" in str(await asked.trouble())
        clock.advance(1)
        while await asked.trouble():
            clock.advance(1)
    await db.dispose()


async def test_the_leader_asks_the_new_primary_who_leads(pair: Pair, db: Database) -> None:
    work = EndlessJob()
    async with asyncio.timeout(60), beside(lead(db, JobRunner([work], db.clock), ask_s=SOON_S)):
        await work.started.wait()
        work.started.clear()
        await fail_over(pair)
        await work.stopped.wait()
        await work.started.wait()
        assert await pair.standby.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 1


async def test_events_are_heard_from_the_new_primary(pair: Pair, db: Database) -> None:
    events = Events()
    bridge = EventBridge(db, events, retry_s=0, probe_s=SOON_S)
    async with asyncio.timeout(60), beside(bridge.run()):
        await bridge.connected.wait()
        with events.subscribe(ACME, "pods") as heard:
            await fail_over(pair)
            assert (await anext(heard)).topic == LAGGED
            await bridge.connected.wait()
            await pair.standby.ask(f"""SELECT pg_notify('{CHANNEL}', '["x", "{ACME}", "pods", {{"n": 1}}]')""")
            assert await anext(heard) == Event(ACME, "pods", {"n": 1})
