"""Connections by what they are for: those of one sort of work never wait for those of another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest
from sqlalchemy import text

from periplus_hub.access.scope import Role, Scope
from periplus_hub.access.service import Authenticator
from periplus_hub.api.config import HubConfig
from periplus_hub.api.database_pools import Databases, open_databases
from periplus_hub.api.health import Health
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.jobs import Job, JobRunner, lead
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support.clock import FakeClock
from tests.support.graphql_hub import token_for
from tests.support.spokes_door import open_door

CONFIG = HubConfig()


@pytest.fixture
async def databases(database_url: str, clock: FakeClock) -> AsyncIterator[Databases]:
    opened = open_databases(database_url, clock, CONFIG)
    yield opened
    await opened.dispose()


def all_of(databases: Databases) -> dict[str, Database]:
    return {name: getattr(databases, name) for name in databases.__slots__}


async def take_all(held: AsyncExitStack, db: Database) -> None:
    for _ in range(db.limits.readers):
        await (await held.enter_async_context(db.read(NO_TENANT))).scalar(text("SELECT 1"))
    for _ in range(db.limits.writers):
        await (await held.enter_async_context(db.write(NO_TENANT))).scalar(text("SELECT 1"))


@pytest.mark.promise("nobody-keeps-others-waiting")
async def test_questions_and_batches_starve_neither_jobs_nor_tokens_nor_enrolment(
    databases: Databases, db: Database, tenant: Scope, clock: FakeClock
) -> None:
    token = await token_for(db, tenant, Role.VIEWER)
    ran = asyncio.Event()

    class OneStatement:
        name, interval_s = "test.job", 60.0

        async def run(self, _: object) -> None:
            async with databases.jobs.write(NO_TENANT) as c:
                await c.scalar(text("SELECT 1"))
            ran.set()

    job: Job = OneStatement()
    async with AsyncExitStack() as held:
        await take_all(held, databases.questions)
        await take_all(held, databases.batches)
        leading = asyncio.create_task(lead(databases.jobs, JobRunner([job], clock)))
        try:
            await asyncio.wait_for(ran.wait(), 30)
            assert await Authenticator(databases.doors).authenticate(token) is not None
            assert await Health(databases.doors).trouble() is None
            door = open_door(databases.enrolment)
            member = await door.member(tenant)
            door.intake.close()
            assert member.credential
        finally:
            leading.cancel()
            await asyncio.gather(leading, return_exceptions=True)


async def test_a_process_opens_no_more_connections_than_it_says(databases: Databases, database_url: str) -> None:
    async with AsyncExitStack() as held:
        for db in all_of(databases).values():
            await take_all(held, db)
        watcher = await asyncpg.connect(database_url.replace("+asyncpg", ""))
        names = await watcher.fetch(
            "SELECT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await watcher.close()
    listening = 1
    assert len(names) + listening == CONFIG.most_connections
    assert {"periplus-jobs-write", "periplus-questions-read"} <= {each["application_name"] for each in names}


async def test_who_waits_too_long_is_told_what_for(database_url: str, clock: FakeClock) -> None:
    config = HubConfig()
    questions = open_databases(database_url, clock, config).questions
    waiting = questions.beside(type(questions.limits)("questions", readers=1, checkout_s=0.01))
    async with waiting.read(NO_TENANT) as c:
        await c.scalar(text("SELECT 1"))
        with pytest.raises(Unavailable, match="connections for questions stayed busy"):
            async with waiting.read(NO_TENANT):
                pass
    await questions.dispose()


async def test_what_one_learns_of_the_server_all_know(databases: Databases) -> None:
    async with databases.jobs.read(NO_TENANT) as c:
        before = await c.scalar(text("SELECT pg_backend_pid()"))
    await databases.questions.dispose()
    async with databases.jobs.read(NO_TENANT) as c:
        assert await c.scalar(text("SELECT pg_backend_pid()")) != before
    assert not databases.doors.ran_out_of_room
    with pytest.raises(Exception, match="disk_full"):
        async with databases.batches.write(NO_TENANT) as c:
            await c.execute(text("DO $$ BEGIN RAISE disk_full; END $$"))
    assert databases.doors.ran_out_of_room
