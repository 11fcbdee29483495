"""The ledger over a real PostgreSQL: duplicates, reorders and retries change nothing, and the sums are exact."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from periplus_contract import problems
from periplus_contract.messages import BatchAnswer
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope
from periplus_hub.ingest.config import IngestConfig
from periplus_hub.ingest.model import Committed
from periplus_hub.inventory.model import InventoryFilter
from periplus_hub.inventory.repository import counts_by_registration
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, gone, pod, service
from tests.support.clock import START, FakeClock
from tests.support.completeness import completeness
from tests.support.listed import PodRow, listed_pods
from tests.support.spokes_door import Door, Member, RefusedByHubError, open_door, read

HOUR_S = 3600
WINDOW_H = int(START.timestamp()) // HOUR_S * HOUR_S


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


def sequence(registration: UUID, rng: random.Random) -> list[bytes]:
    """A valid life of a spoke: snapshots, one of them in parts, and deltas, with outcomes on the way."""
    spoke, batches = Spoke(registration), []
    for step in range(9):
        spoke.at = START + timedelta(seconds=10 * step)
        spoke.outcomes = (Outcome(hour_start_s=WINDOW_H, kind=Kind.INVENTORY, collected=rng.randrange(50)),)
        names = rng.sample("abcdefgh", 4)
        rows = [pod(name, f"10.1.0.{ord(name)}", spoke.at, phase=f"{step}", started_at=START) for name in names]
        if step == 0 or rng.random() < 0.2:
            batches.append(spoke.snapshot({"pods": rows, "services": [service("s", f"10.96.0.{step + 1}")]}))
        elif rng.random() < 0.2:
            batches += [spoke.snapshot({"pods": rows[:2]}, part=1, parts=2)]
            batches += [spoke.snapshot({"pods": rows[2:]}, part=2, parts=2)]
        else:
            batches.append(spoke.delta({"pods": [*rows[:2], gone(names[2], spoke.at)]}))
    return batches


async def state(door: Door, scope: Scope, member: Member) -> tuple[object, ...]:
    only = InventoryFilter(registration_ids=(member.registration,))
    ids = [member.registration]
    async with door.db.read(scope) as c:
        live = await listed_pods(c, scope, only)
        counts = (await counts_by_registration(c, scope, ids))[member.registration]
    sums = await completeness(door.db, scope, member.registration)
    assert counts.pods == len(live)
    return [told(each) for each in live], counts.services, [(each.collected, each.settled) for each in sums]


def told(each: PodRow) -> tuple[object, ...]:
    return each.uid, each.ipv4, each.phase, each.valid_from


async def fits(member: Member, batch: bytes) -> bool:
    """Whether the batch was taken; a gap is the only other answer there may be."""
    response = await member.door.http.post("/v1/batches", content=batch, headers=member.headers)
    if response.status_code == problems.INVENTORY_GAP.status:
        assert problems.INVENTORY_GAP.uri in response.text
        return False
    return read(response, BatchAnswer).result == "accepted"


@pytest.mark.promise("inventory-ends-equal")
@pytest.mark.parametrize("seed", range(6))
async def test_any_interleaving_ends_as_in_order_delivery(door: Door, tenant: Scope, seed: int) -> None:
    rng = random.Random(seed)
    tidy, chaotic = await door.member(tenant, "tidy"), await door.member(tenant, "chaotic")
    for batch in sequence(tidy.registration, random.Random(seed)):
        assert (await tidy.send(batch)).result == "accepted"
    waiting, sent = sequence(chaotic.registration, random.Random(seed)), []
    while waiting:
        batch = rng.choice(waiting[:3])
        if not await fits(chaotic, batch):
            continue
        waiting.remove(batch)
        sent.append(batch)
        if rng.random() < 0.5:
            assert (await chaotic.send(rng.choice(sent))).result == "duplicate"
    assert await state(door, tenant, chaotic) == await state(door, tenant, tidy)


@pytest.mark.promise("replays-count-once")
async def test_the_same_batch_twice_at_once_is_taken_once(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    batch = Spoke(member.registration).snapshot({"pods": [pod("a")]})
    answers = await asyncio.gather(member.send(batch), member.send(batch))
    assert sorted(answer.result for answer in answers) == ["accepted", "duplicate"]


@pytest.mark.promise("inventory-ends-equal")
async def test_a_spoke_of_an_earlier_epoch_is_told_that_it_is_not_heard(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    assert (await member.beat()).newest_epoch == ""
    newest = "01960000-0000-7000-8000-000000000000"
    early = Spoke(member.registration)
    late = early.new_epoch(UUID(newest))
    assert (await member.send(late.snapshot({"pods": [pod("a")]}))).newest_epoch == newest
    batch = early.snapshot({"pods": [pod("b")]})
    for result in ("accepted", "duplicate"):
        answer = await member.send(batch)
        assert (answer.result, answer.newest_epoch) == (result, newest)
    assert (await member.beat()).newest_epoch == newest


@pytest.mark.promise("replays-count-once")
async def test_other_bytes_under_a_known_seq_are_a_conflict(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    await member.send(Spoke(member.registration).snapshot({"pods": [pod("a")]}))
    with pytest.raises(RefusedByHubError) as refused:
        await member.send(Spoke(member.registration).snapshot({"pods": [pod("b")]}))
    assert refused.value.slug == "batch-conflict"


@pytest.mark.promise("replays-count-once")
async def test_another_header_over_the_same_body_is_a_conflict_too(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    rows = {"pods": [pod("a")]}
    counted = (Outcome(hour_start_s=WINDOW_H, kind=Kind.INVENTORY, collected=1),)
    first = Spoke(member.registration).snapshot(rows)
    await member.send(first)
    for change in ({"covers": ("pods",)}, {"outcomes": counted}, {"monotonic_us": 5}):
        with pytest.raises(RefusedByHubError) as refused:
            await member.send(Spoke(member.registration).snapshot(rows, **change))
        assert refused.value.slug == "batch-conflict"
    assert (await member.send(first)).result == "duplicate"


async def test_only_the_newest_life_of_a_spoke_is_asked_for_what_the_hub_lost(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    earlier, newer, next_one = (UUID(f"0195000{number}-0000-7000-8000-000000000001") for number in (0, 1, 2))
    for epoch in (earlier, newer):
        await member.send(Spoke(member.registration, epoch).snapshot({"pods": [pod("a")]}))

    async def asked(epoch: UUID, **beat: int) -> bool:
        return (await member.beat(epoch=str(epoch), **beat)).wants_snapshot

    assert not await asked(newer, last_seq=1)
    assert await asked(newer, last_seq=2)
    assert not await asked(newer, last_seq=2, queued_batches=1)
    assert not await asked(earlier, last_seq=2)
    assert await asked(next_one, last_seq=1)
    assert not await asked(next_one, last_seq=0)


@pytest.mark.promise("restores-are-refilled")
async def test_a_lost_batch_is_missed_although_a_later_one_came(door: Door, tenant: Scope) -> None:
    """A failover loses what only the old primary had; what the spoke sends next comes to the new one."""
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a")]}))
    spoke.snapshot({"pods": [pod("b")]})  # accepted, and lost
    await member.send(spoke.snapshot({"pods": [pod("c")]}))
    assert (await member.beat(last_seq=3, oldest_held_seq=2)).wants_snapshot
    assert not (await member.beat(last_seq=3, oldest_held_seq=2, queued_batches=1)).wants_snapshot
    assert not (await member.beat(last_seq=3, oldest_held_seq=1)).wants_snapshot
    assert not (await member.beat(last_seq=3, oldest_held_seq=4)).wants_snapshot


@pytest.mark.promise("settled-then-deleted")
async def test_settled_is_the_unbroken_run_of_old_enough_batches(db: Database, tenant: Scope, clock: FakeClock) -> None:
    door = open_door(db, IngestConfig(settle_after_s=120))
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    batches = [spoke.snapshot({"pods": [pod(f"p{number}")]}) for number in range(4)]
    assert (await member.send(batches[0])).settled_through == 0
    clock.advance(60)
    assert (await member.send(batches[1])).settled_through == 0
    clock.advance(61)
    assert (await member.send(batches[3])).settled_through == 1
    clock.advance(121)
    assert (await member.beat(last_seq=4)).settled_through == 2
    assert (await member.send(batches[2])).settled_through == 2
    clock.advance(121)
    assert (await member.beat(last_seq=4)).settled_through == 4
    assert (await member.beat(last_seq=9, oldest_held_seq=8)).settled_through == 7
    door.intake.close()


@pytest.mark.promise("wrong-clocks-are-shown")
async def test_a_clock_that_is_ahead_has_its_rows_quarantined_and_is_shown(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration, at=START + timedelta(hours=1))
    answer = await member.send(spoke.snapshot({"pods": [pod("a"), pod("b")]}))
    assert (answer.result, answer.rejected) == ("accepted", {"clock_ahead": 2})
    assert (await member.send(spoke.delta({"pods": [pod("c")]}))).rejected == {"clock_ahead": 1}
    spoke.at = clock.now()
    with pytest.raises(RefusedByHubError) as refused:
        await member.send(spoke.delta({"pods": [pod("c")]}))
    assert refused.value.slug == "inventory-gap"


async def test_a_beat_for_an_earlier_life_asks_for_no_snapshot(door: Door, tenant: Scope) -> None:
    """What is held of it waits for its settlement; the inventory is of the present life."""
    member = await door.member(tenant)
    present = Spoke(member.registration).new_epoch(UUID("01960000-0000-7000-8000-000000000000"))
    await member.send(present.snapshot({"pods": [pod("a")]}))
    assert not (await member.beat(last_seq=7, oldest_held_seq=3)).wants_snapshot


@pytest.mark.promise("restores-are-refilled")
async def test_a_hub_that_lost_its_inventory_asks_for_a_snapshot(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    assert not (await member.beat()).wants_snapshot
    assert (await member.beat(last_seq=7, oldest_held_seq=8)).wants_snapshot
    spoke = Spoke(member.registration, seq=7)
    assert not (await member.send(spoke.snapshot({"pods": [pod("a")]}))).wants_snapshot
    assert not (await member.beat(last_seq=8, oldest_held_seq=9)).wants_snapshot


async def test_listeners_hear_of_a_batch_once(db: Database, tenant: Scope) -> None:
    heard: list[Committed] = []

    async def listen(committed: Committed) -> None:
        heard.append(committed)

    door = open_door(db, listeners=(listen,))
    member = await door.member(tenant)
    batch = Spoke(member.registration).snapshot({"pods": [pod("a")]})
    await member.send(batch)
    await member.send(batch)
    assert [(each.registration_id, each.applied) for each in heard] == [(member.registration, True)]
    door.intake.close()


@pytest.mark.promise("tenants-are-apart")
async def test_another_tenant_reads_nothing_of_it(door: Door, tenant: Scope, other_tenant: Scope) -> None:
    member = await door.member(tenant)
    await member.send(Spoke(member.registration).snapshot({"pods": [pod("a")]}))
    async with door.db.read(tenant) as c:
        assert await listed_pods(c, other_tenant, InventoryFilter(include_gone=True)) == []
        assert await counts_by_registration(c, other_tenant, [member.registration]) == {}
