"""A real primary and a real standby: what counts as settled, and what happens when they change places."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.ingest.config import IngestConfig
from periplus_hub.ingest.model import standbys_needed
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, pod
from tests.support.clock import FakeClock
from tests.support.hub_db import make_tenant
from tests.support.replica import HUB, Pair, replicated
from tests.support.spokes_door import Member, RefusedByHubError, open_door

T = TypeVar("T")
AGE_S = 120


@pytest.fixture
async def pair(open_folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    async with replicated(open_folder / request.node.name[:40]) as found:
        await found.migrate()
        yield found


@asynccontextmanager
async def a_member(pair: Pair, clock: FakeClock, role: str = HUB) -> AsyncIterator[tuple[Member, Spoke]]:
    """An enrolled spoke, and what it will say."""
    db = Database(pair.url(role), clock)
    door = open_door(db, IngestConfig(settle_after_s=AGE_S))
    tenant = await make_tenant(db, "acme")
    assert isinstance(tenant, Scope)
    member = await door.member(tenant)
    yield member, Spoke(member.registration)
    door.intake.close()
    await db.dispose()


async def impatient(pair: Pair, work: Awaitable[T]) -> T:
    """The answer of `work`, whose commits nobody waits for: cancelled on the server, they are committed there only."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await pair.cancel_waits()
        await asyncio.wait([task], timeout=0.02)
    return task.result()


@pytest.mark.promise("settled-is-flushed")
async def test_settled_is_what_the_synchronous_standby_has_flushed(pair: Pair, clock: FakeClock) -> None:
    await pair.synchronous()
    await pair.primary.ask(f"ALTER ROLE {HUB} SET synchronous_commit = local")
    async with a_member(pair, clock) as (member, spoke):
        await member.send(spoke.snapshot({"pods": [pod("a")]}))
        await pair.all_flushed()
        assert (await member.beat(last_seq=1)).settled_through == 1
        async with pair.standby_frozen():
            answer = await member.send(spoke.delta({"pods": [pod("b")]}))
            assert (answer.result, answer.settled_through) == ("accepted", 1)
            clock.advance(10 * AGE_S)
            assert (await member.beat(last_seq=2, oldest_held_seq=2)).settled_through == 1, (
                "age is no matter where there is a standby"
            )
        await pair.all_flushed()
        assert (await member.beat(last_seq=2)).settled_through == 2


@pytest.mark.promise("settled-is-flushed")
async def test_a_busy_log_never_stands_still_and_batches_settle_all_the_same(pair: Pair, clock: FakeClock) -> None:
    await pair.synchronous("ANY 1 (standby, another)")
    async with a_member(pair, clock) as (member, spoke):
        async with pair.standby_frozen():
            await impatient(pair, member.send(spoke.snapshot({"pods": [pod("a")]})))
            assert (await impatient(pair, member.beat(last_seq=1))).settled_through == 0
        await pair.all_flushed()
        async with pair.standby_frozen():
            await pair.write_log()
            answer = await impatient(pair, member.beat(last_seq=1))
            assert answer.settled_through == 1, "the log is ahead of the standby, but was behind it then"


@pytest.mark.promise("settled-is-flushed")
async def test_a_commit_whose_wait_was_cancelled_is_not_settled(pair: Pair, clock: FakeClock) -> None:
    await pair.synchronous()
    async with a_member(pair, clock) as (member, spoke):
        first = spoke.snapshot({"pods": [pod("a")]})
        async with pair.standby_frozen():
            answer = await impatient(pair, member.send(first))
            assert (answer.result, answer.settled_through) == ("accepted", 0)
            answer = await impatient(pair, member.send(first))
            assert (answer.result, answer.settled_through) == ("duplicate", 0)
        await pair.all_flushed()
        answer = await member.send(first)
        assert (answer.result, answer.settled_through) == ("duplicate", 1)


@pytest.mark.promise("settled-is-flushed")
async def test_nothing_settles_while_the_standby_is_gone(pair: Pair, clock: FakeClock) -> None:
    await pair.synchronous()
    async with a_member(pair, clock) as (member, spoke):
        await pair.standby.stop()
        await impatient(pair, member.send(spoke.snapshot({"pods": [pod("a")]})))
        clock.advance(10 * AGE_S)
        assert (await impatient(pair, member.beat(last_seq=1))).settled_through == 0
        await pair.synchronous("")
        assert (await member.beat(last_seq=1)).settled_through == 1, "now there is to be none, and it is old enough"


async def test_a_role_that_may_not_see_standbys_settles_by_age(pair: Pair, clock: FakeClock) -> None:
    await pair.synchronous()
    await pair.primary.ask("CREATE ROLE app LOGIN", "GRANT ALL ON ALL TABLES IN SCHEMA public TO app")
    async with a_member(pair, clock, "app") as (member, spoke):
        assert (await member.send(spoke.snapshot({"pods": [pod("a")]}))).settled_through == 0
        assert (await member.beat(last_seq=1)).settled_through == 0
        clock.advance(AGE_S + 1)
        assert (await member.beat(last_seq=1)).settled_through == 1
        await pair.primary.ask("GRANT pg_monitor TO app")
        await member.send(spoke.delta({"pods": [pod("b")]}))
        await pair.all_flushed()
        assert (await member.beat(last_seq=2)).settled_through == 2


async def test_a_server_that_tells_nothing_of_its_log_takes_batches_all_the_same(pair: Pair, clock: FakeClock) -> None:
    await pair.synchronous()
    await pair.primary.ask("CREATE ROLE app LOGIN", "GRANT ALL ON ALL TABLES IN SCHEMA public TO app")
    await pair.primary.ask("REVOKE EXECUTE ON FUNCTION pg_control_system FROM PUBLIC")
    async with a_member(pair, clock, "app") as (member, spoke):
        first = spoke.snapshot({"pods": [pod("a")]})
        with pytest.raises(RefusedByHubError) as refused:
            await member.send(first)
        assert (refused.value.slug, refused.value.retry_after) == ("overloaded", "1"), "now it knows"
        assert (await member.send(first)).result == "accepted"
        clock.advance(AGE_S + 1)
        assert (await member.beat(last_seq=1)).settled_through == 1


async def test_a_server_that_was_away_may_have_been_restored_and_starts_a_new_age(pair: Pair, clock: FakeClock) -> None:
    async with a_member(pair, clock) as (member, spoke):
        await member.send(spoke.snapshot({"pods": [pod("a")]}))
        clock.advance(AGE_S + 1)
        assert (await member.beat(last_seq=1)).settled_through == 1
        await pair.primary.stop()
        await pair.primary.start()
        assert (await member.beat(last_seq=1)).settled_through == 0
        clock.advance(AGE_S + 1)
        assert (await member.beat(last_seq=1)).settled_through == 1


@pytest.mark.promise("failovers-need-nobody")
async def test_a_promoted_standby_takes_the_watermark_back_and_gets_what_it_lacks(pair: Pair, clock: FakeClock) -> None:
    await pair.synchronous()
    async with a_member(pair, clock) as (member, spoke):
        batches = [spoke.snapshot({"pods": [pod("a")]}), spoke.delta({"pods": [pod("b")]})]
        await member.send(batches[0])
        await pair.all_flushed()
        await pair.cut_off()
        answer = await impatient(pair, member.send(batches[1]))
        assert (answer.result, answer.settled_through) == ("accepted", 0)
        await pair.primary.die()
        await pair.promote()
        assert (await member.beat(last_seq=2)).settled_through == 0, "a new timeline: age counts from its start"
        clock.advance(AGE_S + 1)
        assert (await member.beat(last_seq=2)).settled_through == 1
        assert (await member.send(batches[1])).result == "accepted", "it was lost, so it is new"
        assert (await member.send(batches[1])).result == "duplicate"
        clock.advance(AGE_S + 1)
        assert (await member.beat(last_seq=2)).settled_through == 2


@pytest.mark.parametrize(
    ("names", "needed"),
    [
        ("", 0),
        ("a", 1),
        ("a, b", 1),
        ("*", 1),
        ("2 (a, b, c)", 2),
        ("FIRST 3 (a, b, c)", 3),
        (' any  2("x y", *)', 2),
        ('"first 2 (a)"', 1),
        ("first, any", 1),
        ("2, 3", 1),
    ],
)
def test_how_many_standbys_a_commit_waits_for(names: str, needed: int) -> None:
    assert standbys_needed(names) == needed
