"""Operations take turns: however many dear ones wait, another's is answered, and only their asker is told to wait."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sqlalchemy import text

from periplus_hub.access.scope import Role, Scope
from periplus_hub.api import graphql_turns
from periplus_hub.api.graphql_turns import shares_of
from periplus_hub.kit.db import Database, DatabaseLimits
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support.clock import FakeClock
from tests.support.graphql_hub import Answer, Door, door, token_for

VIEWER = "{viewer{actor tenant}}"
CHEAP = "{clusters(first:5){nodes{name}}}"
DEAR = "{clusters(first:220){nodes{name networkDomain{name}}}}"
HOSTILE = 200


@pytest.fixture
def hub(db: Database, clock: FakeClock) -> Door:
    return door(db.beside(DatabaseLimits(lock_s=60, read_statement_s=60)), clock)


@asynccontextmanager
async def stuck(db: Database) -> AsyncIterator[None]:
    """Whoever asks for clusters waits for the block to end."""
    async with db.write(NO_TENANT) as c:
        await c.execute(text("LOCK TABLE registrations IN ACCESS EXCLUSIVE MODE"))
        yield


async def until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not found():  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0)


def held(hub: Door, *, big: bool) -> int:
    return hub.app.runner.operations.queue.held_by_sort[big]


async def ended(tasks: list["asyncio.Task[Answer]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.promise("nobody-keeps-others-waiting")
async def test_two_hundred_dear_questions_keep_nobody_else_waiting(
    hub: Door, db: Database, tenant: Scope, other_tenant: Scope
) -> None:
    mine, colleague = await token_for(db, tenant, Role.VIEWER), await token_for(db, other_tenant, Role.ANALYST)
    theirs = await token_for(db, other_tenant, Role.VIEWER)
    shares = shares_of(db.limits.readers)
    async with stuck(db):
        hostile = [asyncio.create_task(hub.ask(DEAR, theirs)) for _ in range(HOSTILE)]
        await until(lambda: held(hub, big=True) == shares.big and sum(task.done() for task in hostile) > 0)
        for _ in range(20):
            assert (await hub.ask(VIEWER, mine)).good["viewer"]["tenant"] == "acme"
            assert (await hub.ask(VIEWER, colleague)).good["viewer"]["tenant"] == "globex"
        assert held(hub, big=True) == shares.big
        await until(lambda: sum(task.done() for task in hostile) >= HOSTILE - shares.big - shares.waiting_each_member)
        refused = [task.result() for task in hostile if task.done()]
        assert {(each.status, *each.codes) for each in refused} <= {(429, "busy"), (429, "budget-exhausted")}
        assert {each.headers["retry-after"] for each in refused if each.codes == ["busy"]} == {"2"}
        await ended(hostile)
    assert held(hub, big=True) == held(hub, big=False) == 0
    assert (await hub.ask(DEAR, mine)).good


@pytest.mark.promise("nobody-keeps-others-waiting")
async def test_cheap_questions_of_one_tenant_leave_a_place_for_another(
    hub: Door, db: Database, tenant: Scope, other_tenant: Scope
) -> None:
    mine = await token_for(db, tenant, Role.VIEWER)
    theirs = [await token_for(db, other_tenant, role) for role in Role]
    shares = shares_of(db.limits.readers)
    async with stuck(db):
        hostile = [asyncio.create_task(hub.ask(CHEAP, theirs[number % 4])) for number in range(80)]
        await until(lambda: held(hub, big=False) == shares.each_tenant)
        assert (await hub.ask(VIEWER, mine)).good
        assert held(hub, big=False) == shares.each_tenant
        await ended(hostile)


async def test_who_leaves_gives_its_place_to_the_next(hub: Door, db: Database, tenant: Scope) -> None:
    token = await token_for(db, tenant, Role.VIEWER)
    leave, done = asyncio.Event(), asyncio.Event()
    sent: list[object] = []

    async def receive() -> dict[str, object]:
        if not sent:
            sent.append(None)
            return {"type": "http.request", "body": b'{"query": "%s"}' % CHEAP.encode()}
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        done.set()

    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "query_string": b""}
    async with stuck(db):
        asking = asyncio.create_task(hub.app(scope, receive, send))  # type: ignore[arg-type]  # a plain dictionary
        await until(lambda: held(hub, big=False) == 1)
        leave.set()
        await asking
        assert held(hub, big=False) == 0


async def test_who_waits_too_long_for_its_turn_is_told_so(hub: Door, db: Database, tenant: Scope) -> None:
    token = await token_for(db, tenant, Role.VIEWER)
    assert (await hub.ask(DEAR, token)).good
    hub.app.runner.limits = type(hub.app.limits)(execution_s=0.05)
    async with AsyncExitStack() as others:
        for _ in range(shares_of(db.limits.readers).big):
            await others.enter_async_context(hub.app.runner.operations.turn(tenant, 2 * graphql_turns.DEAR))
        answer = await hub.ask(DEAR, token)
    assert (answer.status, answer.codes, answer.headers["retry-after"]) == (429, ["busy"], "2")
