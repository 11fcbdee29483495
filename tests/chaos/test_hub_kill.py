"""SIGKILL a real hub process at every named place, again and again: nothing answered is lost, nothing counts twice.

The oracle stands outside: it keeps what the hub answered, sends the same bytes again after every death as a spoke
does, and at the end compares the database with what it sent.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.crashpoint import NAMES
from periplus_hub.kit.db import Database

from tests.support.hub_child import enrolled, hub_process, judge, life
from tests.support.spokes_door import Member

pytestmark = pytest.mark.chaos
HUB_NAMES = [name for name in NAMES if name.startswith("ingest.")]
ROUNDS = 3


@pytest.fixture
async def live_db(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, SystemClock())
    yield opened
    await opened.dispose()


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
                waiting, collected = life(member, 2 * ROUNDS)
            member.door.http = http
            # A spoke that got no answer sends the same bytes again.
            waiting = waiting[await send_all(member, waiting) :]
            if waiting:
                await process.wait()
                deaths += 1
    assert (waiting, deaths >= 2) == ([], True)
    assert member is not None
    await judge(live_db, scope, member, 2 * ROUNDS, collected)
