"""collected = settled + queued + folded + dropped, per registration, kind and hour, exact."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, pod
from tests.support.clock import START
from tests.support.completeness import Hour, by_hour, completeness
from tests.support.spokes_door import Door, Member, open_door

HOUR_S = int(START.timestamp()) // 3600 * 3600


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


async def read(door: Door, scope: Scope, member: Member) -> dict[str, Hour]:
    return {each.kind: each for each in await completeness(door.db, scope, member.registration)}


def moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def outcome(kind: Kind = Kind.INVENTORY, **counts: object) -> Outcome:
    return Outcome(hour_start_s=HOUR_S, kind=kind, **counts)  # type: ignore[arg-type]  # counts are the test's


@pytest.mark.promise("nothing-disappears")
async def test_every_collected_row_ends_in_one_place(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    spoke.outcomes = (outcome(collected=5, dropped={"outbox_full": 1}), outcome(Kind.FLOWS, collected=100, folded=80))
    batch = spoke.snapshot({"pods": [pod("a"), pod("b"), pod("bad", "10.1.0.300")]})
    for _ in range(3):
        await member.send(batch)
    found = await read(door, tenant, member)
    inventory = found["inventory"]
    assert (inventory.collected, inventory.settled, inventory.rejected, inventory.queued) == (5, 3, 1, 1)
    assert inventory.dropped == {"outbox_full": 1}
    assert (found["flows"].folded, found["flows"].queued) == (80, 20)


@pytest.mark.promise("nothing-disappears")
async def test_reasons_add_up_over_batches_and_heartbeats_and_retries_do_not(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    spoke.outcomes = (outcome(collected=1, dropped={"too_large": 2}),)
    await member.send(spoke.snapshot({"pods": [pod("a")]}))
    beat = {"outcomes": (outcome(collected=10, dropped={"too_large": 3, "damaged_file": 1}),), "monotonic_us": 77}
    await member.beat(**beat)
    await member.beat(**beat)
    inventory = (await read(door, tenant, member))["inventory"]
    assert (inventory.collected, inventory.dropped) == (11, {"too_large": 5, "damaged_file": 1})
    await member.beat(**{**beat, "monotonic_us": 78})
    assert (await read(door, tenant, member))["inventory"].collected == 21


@pytest.mark.promise("nothing-disappears")
async def test_an_hour_that_does_not_add_up_says_by_how_much(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    spoke.outcomes = (outcome(collected=1, dropped={"too_large": 2}),)
    await member.send(spoke.snapshot({"pods": [pod("a"), pod("b")]}))
    short = (await read(door, tenant, member))["inventory"]
    assert (short.collected, short.settled, short.excess, short.queued) == (1, 2, 3, None)
    await member.beat(outcomes=(outcome(collected=5),))
    whole = (await read(door, tenant, member))["inventory"]
    assert (whole.excess, whole.queued) == (0, 2)


async def test_an_hour_of_which_nothing_was_told_is_not_known_and_not_empty(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    last = HOUR_S - 3600
    told = {kind: Outcome(hour_start_s=last, kind=kind, collected=7) for kind in (Kind.FLOWS, Kind.INVENTORY)}
    await member.beat(outcomes=tuple(told.values()))
    asked = {"since": moment(last - 3600), "until": moment(HOUR_S)}
    found = (await by_hour(door.db, tenant, member.registration, **asked)).good["cluster"]["completenessByHour"]
    assert found == [
        {"hourStart": moment(last - 3600), "completeness": None},
        {"hourStart": moment(last), "completeness": {"collected": "7", "settled": "0", "excess": "0"}},
    ]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"since": "2020-01-01T00:00:00Z"}, "Ask for 168 at most"),
        ({"since": "2040-01-01T00:00:00Z"}, "the asked time is empty"),
        ({"until": "0001-01-01T00:00:00Z"}, "the asked time is empty"),
        ({"kind": "prayers"}, "'prayers'"),
    ],
)
async def test_hours_that_cannot_be_told_are_refused(
    door: Door, tenant: Scope, asked: dict[str, str], why: str
) -> None:
    member = await door.member(tenant)
    answer = await by_hour(door.db, tenant, member.registration, **asked)
    assert why in str(answer.errors)


async def test_a_refused_batch_books_nothing(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    spoke.outcomes = (outcome(collected=1),)
    response = await door.http.post(
        "/v1/batches", content=spoke.snapshot({"pods": [pod("a")]}, rows=9), headers=member.headers
    )
    assert response.status_code == 422
    assert await read(door, tenant, member) == {}
