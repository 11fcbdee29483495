"""SIGTERM a real hub process under load, again and again: it ends by itself, and the sums stay exact."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database

from tests.support.hub_child import enrolled, hub_process, judge, life
from tests.support.spokes_door import Member

pytestmark = pytest.mark.chaos
MEMBERS = 12
BATCHES = 30
STOPS = 4


@pytest.fixture
async def live_db(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, SystemClock())
    yield opened
    await opened.dispose()


class Sender:
    """A spoke that sends its batches in order, the same bytes again until they are answered."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.waiting, self.collected = life(member, BATCHES)

    async def send(self, http: httpx.AsyncClient, warm: asyncio.Event) -> None:
        """Until all is sent or the hub hangs up; `warm` once a few were answered."""
        self.member.door.http = http
        few = len(self.waiting) - BATCHES // (2 * STOPS)
        while self.waiting:
            try:
                await self.member.send(self.waiting[0])
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                return
            del self.waiting[0]
            if len(self.waiting) <= few:
                warm.set()


@pytest.mark.promise("stops-are-clean")
async def test_a_hub_that_is_stopped_under_load_loses_nothing_and_doubles_nothing(
    database_url: str, live_db: Database, tmp_path: Path
) -> None:
    scope = system_scope(await ensure_default_tenant(live_db), "test:oracle")
    senders: list[Sender] = []
    for stop in range(STOPS + 1):
        async with (
            hub_process(database_url, tmp_path) as (url, process),
            httpx.AsyncClient(base_url=url, timeout=60) as http,
        ):
            if not senders:
                members = [await enrolled(live_db, http, scope, f"c{number}") for number in range(MEMBERS)]
                senders = [Sender(member) for member in members]
            warm = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for sender in senders:
                    group.create_task(sender.send(http, warm))
                if stop < STOPS:
                    await warm.wait()
                    process.send_signal(signal.SIGTERM)
                    assert await process.wait() == 0
                    assert any(sender.waiting for sender in senders), "it was stopped too late to see anything"
    assert [len(sender.waiting) for sender in senders] == [0] * MEMBERS
    for sender in senders:
        await judge(live_db, scope, sender.member, BATCHES, sender.collected)
