"""The flow store lost what it had: a damaged disk, a new folder, an old backup. Nobody is told that nothing passed."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.flows.repository_blocks import touch
from periplus_hub.flows.service_losses import LOOK_EVERY_S
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import door, token_for

AT = seconds(START)
HOUR_S = 3_600
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
ASK = "query($since: DateTime) { flowSeries(since: $since) { values coverage { waitingSince } } }"


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


@pytest.fixture
async def told(hub: FlowHub, clock: FakeClock, tenant: Scope) -> FlowHub:
    await tell(hub, clock, tenant)
    return hub


async def tell(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    """Two hours of which all is in the store and nowhere else, and a third that is not over."""
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    for hour, tx in ((0, 5), (1, 7)):
        at = AT + hour * HOUR_S
        minutes = [Flow(WEB, API, at + 60 * minute, BOTH, measures=bytes_of(tx)) for minute in range(60)]
        clock.advance(HOUR_S)
        await member.send(seal_flows(spoke, minutes))
    clock.advance(600)
    await hub.settle()
    for _ in range(4):
        assert await hub.turn()
    await hub.roll_up()


async def look(hub: FlowHub) -> None:
    """What the leader does when it begins."""
    await hub.roll_up()


async def change(hub: FlowHub, scope: Scope, *statements: str) -> None:
    for statement in statements:
        await hub.store.command(scope, statement, lane="test")


async def answer(hub: FlowHub, scope: Scope) -> tuple[list[Any], str | None]:
    """Bytes of both hours, and since when some are not in the answer."""
    token = await token_for(hub.db, scope, Role.VIEWER)
    api = door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store)
    found = (await api.ask(ASK, token, since=START.isoformat())).good["flowSeries"]
    return found["values"][:2], found["coverage"]["waitingSince"]


WHOLE = (["300", "420"], None)
FIRST, SECOND = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"


async def test_of_a_store_that_has_all_nothing_is_said(told: FlowHub, tenant: Scope) -> None:
    await look(told)
    assert await answer(told, tenant) == WHOLE


@pytest.mark.promise("no-false-all-clear")
async def test_where_rows_and_edges_are_gone_nobody_knows(told: FlowHub, tenant: Scope) -> None:
    await change(told, tenant, "TRUNCATE TABLE flows", f"ALTER TABLE edges_hourly DROP PARTITION {AT}")
    await look(told)
    assert await answer(told, tenant) == ([None, "420"], FIRST)
    await look(told)
    assert await answer(told, tenant) == ([None, "420"], FIRST)


@pytest.mark.promise("no-false-all-clear")
async def test_a_store_that_is_new_knows_nothing_of_before(told: FlowHub, tenant: Scope) -> None:
    await change(told, tenant, "TRUNCATE TABLE flows", "TRUNCATE TABLE edges_hourly")
    await look(told)
    assert await answer(told, tenant) == ([None, None], FIRST)


async def test_edges_that_are_gone_are_made_again(told: FlowHub, tenant: Scope) -> None:
    await change(told, tenant, f"ALTER TABLE edges_hourly DROP PARTITION {AT + HOUR_S}")
    await look(told)
    assert await answer(told, tenant) == WHOLE


async def test_edges_of_rows_that_are_gone_stay_as_they_are(told: FlowHub, tenant: Scope) -> None:
    await change(told, tenant, f"DELETE FROM flows WHERE window_start < {AT + HOUR_S} + 1800")
    await change(told, tenant, "OPTIMIZE TABLE flows FINAL")
    await look(told)
    async with told.db.write(tenant) as c:
        await touch(c, tenant, [AT, AT + HOUR_S], raw=False)
    await told.roll_up()
    assert await answer(told, tenant) == WHOLE


async def test_what_was_given_back_is_answered_again(told: FlowHub, tenant: Scope, clock: FakeClock) -> None:
    await change(told, tenant, "ALTER TABLE flows DETACH PARTITION 20260101", "TRUNCATE TABLE edges_hourly")
    await look(told)
    assert await answer(told, tenant) == ([None, None], FIRST)
    await change(told, tenant, "ALTER TABLE flows ATTACH PARTITION 20260101")
    clock.advance(LOOK_EVERY_S)
    await look(told)
    values, _ = await answer(told, tenant)
    assert values == WHOLE[0]


@pytest.mark.promise("no-false-all-clear")
async def test_of_a_folder_that_is_damaged_nobody_says_that_nothing_passed(
    db: Database, clock: FakeClock, tenant: Scope, tmp_path: Path
) -> None:
    """The engine sets damaged parts aside, and answers without them."""
    async with flow_hub(db, tmp_path / "flows") as hub:
        await tell(hub, clock, tenant)
    parts = list((tmp_path / "flows").rglob("data.bin"))
    assert parts
    for part in parts:
        os.truncate(part, 10)
    async with flow_hub(db, tmp_path / "flows") as hub:
        with contextlib.suppress(ExceptionGroup):  # of what it reads itself, it says that
            await look(hub)
        token = await token_for(hub.db, tenant, Role.VIEWER)
        found = await door(hub.db, clock, columns=hub.store).ask(ASK, token, since=START.isoformat())
        if found.errors:  # a part of which only the beginning was read at the start
            assert [each["message"] for each in found.errors] == [
                "the flow store cannot be used: a part of its data is damaged"
            ]
        else:
            assert await answer(hub, tenant) == ([None, None], FIRST)
