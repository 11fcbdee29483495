import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs
from structlog.typing import EventDict

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.access.tables import api_tokens
from periplus_hub.kit.commit_probe import commit_something
from periplus_hub.kit.db import Database, WriteConnection, count_statements
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.keyset import Listing
from periplus_hub.kit.tenancy import NO_TENANT
from periplus_hub.kit.windows import Window

from tests.support.clock import FakeClock
from tests.support.hub_db import PostgresForTests


@pytest.fixture
def said() -> Iterator[list[EventDict]]:
    """What the log gets."""
    with capture_logs() as logs:
        yield logs


def token(name: str) -> dict[str, object]:
    identity = new_id()
    return {"id": identity, "name": name, "role": "viewer", "prefix": str(identity), "secret_sha256": "x"}


async def names(db: Database, scope: Scope) -> list[str]:
    async with db.read(scope) as c:
        found = await c.rows(api_tokens.select().where(owned(scope, api_tokens)).order_by(api_tokens.c.name))
    return [row.name for row in found]


async def test_a_unit_of_work_commits_when_its_block_ends_well(db: Database, tenant: Scope) -> None:
    async with db.write(tenant) as c:
        await c.execute(insert_owned(tenant, api_tokens), [token("a"), token("b")])
    assert await names(db, tenant) == ["a", "b"]


async def test_a_unit_of_work_that_raises_leaves_nothing(db: Database, tenant: Scope) -> None:
    async def work(c: WriteConnection) -> None:
        await c.execute(insert_owned(tenant, api_tokens).values(token("a")))
        raise LookupError

    with pytest.raises(LookupError):
        await db.retrying_write(tenant, work)
    assert await names(db, tenant) == []


async def test_a_read_session_cannot_write(db: Database, tenant: Scope) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with db.read(tenant) as c:
            await c.execute(insert_owned(tenant, api_tokens).values(token("a")))


@pytest.mark.promise("tenants-are-apart")
async def test_rows_of_another_tenant_are_not_owned(db: Database, tenant: Scope, other_tenant: Scope) -> None:
    for whose, name in ((tenant, "mine"), (other_tenant, "theirs")):
        async with db.write(whose) as c:
            await c.execute(insert_owned(whose, api_tokens), [token(name)])
    assert await names(db, tenant) == ["mine"]
    assert await names(db, other_tenant) == ["theirs"]


async def test_copy_through_the_raw_connection_is_part_of_the_unit(db: Database, tenant: Scope) -> None:
    async def work(c: WriteConnection) -> None:
        raw = await c.raw()
        record = ("copied", new_id(), db.clock.now())
        columns = ["nonce", "sender_id", "expires_at"]
        await raw.copy_records_to_table("challenges", records=[record], columns=columns)
        raise LookupError

    with pytest.raises(LookupError):
        await db.retrying_write(tenant, work)
    async with db.read(tenant) as c:
        assert await c.scalar(text("SELECT count(*) FROM challenges")) == 0


async def test_statements_are_counted_also_in_tasks(db: Database) -> None:
    async def ask() -> None:
        async with db.read(NO_TENANT) as c:
            await c.scalar(text("SELECT 1"))

    with count_statements() as counter:
        await asyncio.gather(ask(), ask())
    await ask()
    assert counter.total == 2


@pytest.mark.promise("database-restarts-are-survived")
async def test_a_server_that_ended_every_session_is_met_with_new_ones(db: Database, tenant: Scope) -> None:
    await names(db, tenant)
    await end_sessions(db, "periplus-read")
    assert await names(db, tenant) == []


@pytest.mark.promise("database-restarts-are-survived")
async def test_a_unit_whose_session_was_ended_runs_again_whole(db: Database, tenant: Scope) -> None:
    attempts = 0

    async def work(c: WriteConnection) -> int:
        nonlocal attempts
        attempts += 1
        await c.execute(insert_owned(tenant, api_tokens).values(token("once")))
        if attempts == 1:
            await end_sessions(db, "periplus-write")
        await c.scalar(text("SELECT 1"))
        return attempts

    assert await db.retrying_write(tenant, work) == 2
    assert await names(db, tenant) == ["once"]


@pytest.mark.parametrize("state", ["40P01", "40001"])
async def test_a_unit_that_lost_a_deadlock_in_the_drivers_own_statement_runs_again(db: Database, state: str) -> None:
    attempts = 0

    async def work(c: WriteConnection) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await (await c.raw()).execute(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")

    await db.retrying_write(NO_TENANT, work)
    assert attempts == 2


async def test_a_unit_that_breaks_a_constraint_is_not_tried_again(db: Database, tenant: Scope) -> None:
    attempts = 0

    async def work(c: WriteConnection) -> None:
        nonlocal attempts
        attempts += 1
        await c.execute(insert_owned(tenant, api_tokens).values(token("a") | {"role": "king"}))

    with pytest.raises(DBAPIError, match="ck_api_tokens_role"):
        await db.retrying_write(tenant, work)
    assert attempts == 1


@pytest.mark.parametrize("descending", [False, True])
async def test_pages_show_every_row_once_also_when_rows_come_and_go(
    db: Database, tenant: Scope, *, descending: bool
) -> None:
    async with db.write(tenant) as c:
        await c.execute(insert_owned(tenant, api_tokens), [token(name) for name in "bbaacdd"])
    columns = [api_tokens.c.name, api_tokens.c.id]
    listing = Listing[Scope](
        name="tokens",
        source=api_tokens,
        columns=columns,
        order=columns,
        where=lambda scope, _: [owned(scope, api_tokens)],
        descending=descending,
    )
    found: list[str] = []
    after, more = None, True
    while more:
        async with db.write(tenant) as c:
            total = (await listing.counts(c, tenant, [None], None))[None]
            page = (await listing.slices(c, tenant, [None], Window(2, after), None))[None]
            await c.execute(api_tokens.delete().where(api_tokens.c.id.in_([row.id for row in page.rows])))
        assert total == 7 - len(found)
        found += [row.name for row in page.rows]
        after, more = page.end_cursor, page.has_next
    assert found == sorted("bbaacdd", reverse=descending)


async def test_an_advisory_lock_has_one_holder_at_a_time(db: Database) -> None:
    async with db.advisory_lock("leader") as held, db.advisory_lock("leader") as second, db.advisory_lock("x") as other:
        assert held is not None
        assert second is None
        assert other is not None
        assert await held.still_held()
    async with db.advisory_lock("leader") as again:
        assert again is not None


async def test_a_lock_whose_session_was_ended_knows_it(db: Database) -> None:
    async with db.advisory_lock("leader") as held:
        assert held is not None
        await end_sessions(db, "periplus-write")
        assert not await held.still_held()


async def end_sessions(db: Database, application: str) -> None:
    connection = await asyncpg.connect(db.dsn)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = $1 AND datname = current_database()",
            application,
        )
    finally:
        await connection.close()


@pytest.mark.promise("database-restarts-are-survived")
async def test_the_url_may_ask_for_a_server_that_takes_writes(database_url: str, clock: FakeClock) -> None:
    db = Database(f"{database_url}&target_session_attrs=read-write", clock)
    async with db.write(NO_TENANT) as c:
        assert await c.scalar(text("SHOW transaction_read_only")) == "off"
    async with db.read(NO_TENANT) as c:
        assert await c.scalar(text("SHOW transaction_read_only")) == "on"
    await db.dispose()


async def test_a_server_that_takes_no_writes_is_not_talked_into_it(
    db: Database, postgres: PostgresForTests, database_url: str, said: list[EventDict]
) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    await postgres.admin(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(DBAPIError, match="transactions are read-only"):
        await commit_something(db)
    no_such = Database(f"{database_url}&target_session_attrs=read-write", db.clock)
    no_such._server.was_reached = True  # before it took no writes
    with pytest.raises(Unavailable, match="cannot be reached") as refused:
        await commit_something(no_such)
    await no_such.dispose()
    assert "None of the hosts" in str(refused.value.__cause__)
    assert ["None of the hosts" in entry["error"] for entry in said if "error" in entry] == [True]


async def test_where_the_database_is_stays_in_the_log_and_is_said_there_now_and_then(
    clock: FakeClock, said: list[EventDict]
) -> None:
    away = Database("postgresql://someone@127.0.0.1:1/fleet", clock)
    with pytest.raises(Unavailable):
        await commit_something(away)
    assert said == [], "whoever starts a hub is told by what starts it"
    away._server.was_reached = True
    for after_s, times in ((0, 1), (9, 1), (1, 2)):
        clock.advance(after_s)
        for _ in range(3):
            with pytest.raises(Unavailable) as refused:
                await commit_something(away)
        assert ["127.0.0.1" in entry["error"] for entry in said] == [True] * times
    await away.dispose()
    told = f"{refused.value.message} {refused.value.remedy}"
    assert not any(word in told for word in ("127.0.0.1", "someone", "fleet", "Errno"))


async def test_an_error_names_no_parameters(db: Database) -> None:
    with pytest.raises(DBAPIError) as refused:
        async with db.read(NO_TENANT) as c:
            await c.scalar(text("SELECT 1 / 0, CAST(:secret AS text)"), {"secret": "hunter2"})
    assert "division by zero" in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_units_that_are_cancelled_leave_the_pool_as_it_was(db: Database, tenant: Scope) -> None:
    async def interrupted(name: str) -> None:
        async with asyncio.timeout(0.01), db.write(tenant) as c:
            await c.execute(insert_owned(tenant, api_tokens).values(token(name)))
            await c.scalar(text("SELECT pg_sleep(600)"))

    many = 3 * db.limits.writers
    ended = await asyncio.gather(*(interrupted(str(each)) for each in range(many)), return_exceptions=True)
    assert {type(each) for each in ended} == {TimeoutError}

    async def number(wanted: int) -> int:
        async with db.write(tenant) as c:
            return int(await c.scalar(text("SELECT CAST(:wanted AS integer)"), {"wanted": wanted}))

    assert await asyncio.gather(*(number(each) for each in range(many))) == list(range(many))
    assert await names(db, tenant) == []
