"""Batches that are wrong: each ends in its documented problem, leaves nothing behind, and harms no other."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select

from periplus_hub.access.scope import Scope
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.ingest.tables import batches
from periplus_hub.inventory.service import InventoryApplier
from periplus_hub.inventory.tables import pods
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, pod
from tests.support.malformed import corpus, with_odd_item_names, with_stream
from tests.support.spokes_door import Door, RefusedByHubError, open_door


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


async def stored(door: Door, tenant: Scope) -> tuple[int, int]:
    async with door.db.read(tenant) as c:
        return await c.scalar(select(func.count()).select_from(batches)), await c.scalar(
            select(func.count()).select_from(pods)
        )


@pytest.mark.promise("the-rest-goes-on")
async def test_every_malformed_batch_ends_in_its_problem_and_the_next_good_one_is_taken(
    door: Door, tenant: Scope
) -> None:
    cases = corpus()
    assert len(cases) >= 60
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("kept")]}))
    before, wrong = await stored(door, tenant), []
    for name, slug, make in cases:
        spoke.seq += 1
        try:
            await member.send(make(spoke))
            wrong.append(f"{name}: accepted, not {slug}")
        except RefusedByHubError as refused:
            if refused.slug not in slug_choices(slug):
                wrong.append(f"{name}: {refused} instead of {slug}")
        if await stored(door, tenant) != before:
            wrong.append(f"{name}: left something behind")
    assert wrong == []
    assert door.intake.admission.bytes_in_flight == 0
    assert (await member.send(spoke.snapshot({"pods": [pod("kept"), pod("next")]}))).result == "accepted"
    assert (await stored(door, tenant))[0] == before[0] + 1


@pytest.mark.promise("the-rest-goes-on")
async def test_names_that_are_no_text_reach_no_library_and_the_rows_are_taken(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    answer = await member.send(with_stream(with_odd_item_names())(spoke))
    assert (answer.result, answer.rejected) == ("accepted", {})
    assert (await stored(door, tenant))[1] == 2
    spoke.last_inventory = spoke.seq
    assert (await member.send(spoke.delta({"pods": [pod("next")]}))).result == "accepted"


@pytest.mark.promise("the-rest-goes-on")
@pytest.mark.parametrize(
    ("panic", "slug"), [(BaseException, "invalid-batch"), (ValueError, "invalid-batch"), (MemoryError, "overloaded")]
)
async def test_however_a_library_ends_it_is_a_verdict_on_this_batch(
    door: Door, tenant: Scope, monkeypatch: pytest.MonkeyPatch, panic: type[BaseException], slug: str
) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    with monkeypatch.context() as patched:

        def end(self: InventoryApplier, batch: DecodedBatch) -> None:
            raise panic("what the library said")

        patched.setattr(InventoryApplier, "prepare", end)
        with pytest.raises(RefusedByHubError) as refused:
            await member.send(spoke.snapshot({"pods": [pod("a")]}))
    assert refused.value.slug == slug
    assert "library" not in refused.value.problem.detail
    assert door.intake.admission.bytes_in_flight == 0
    assert (await member.send(spoke.snapshot({"pods": [pod("a")]}))).result == "accepted"


def slug_choices(slug: str) -> tuple[str, ...]:
    if "-or-" in slug:
        return ("malformed-batch", "invalid-batch")
    return (slug,)


async def test_a_body_larger_than_the_wire_allows_is_split(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    with pytest.raises(RefusedByHubError) as refused:
        await member.send(b"x" * (1024 * 1024 + 1))
    assert refused.value.slug == "too-large"


async def test_a_streamed_body_is_counted_too(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(3_000):
            yield b"x" * 1_000

    response = await door.http.post("/v1/batches", content=endless(), headers=member.headers)
    assert response.status_code == 413


async def test_other_content_types_are_no_batches(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    headers = {**member.headers, "Content-Type": "application/json"}
    assert (await door.http.post("/v1/batches", content=b"{}", headers=headers)).status_code == 400


async def test_content_encodings_are_refused(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    headers = {**member.headers, "Content-Encoding": "gzip"}
    assert (await door.http.post("/v1/batches", content=b"x", headers=headers)).status_code == 400
