"""What a scrape says of batches after some were taken, refused and sent twice."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.fleet.model import SpokePrincipal, State
from periplus_hub.kit.db import Database
from periplus_hub.kit.metrics import REGISTRY

from tests.support.batches import Spoke, pod
from tests.support.spokes_door import Door, RefusedByHubError, open_door


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


def figures(prefix: str) -> dict[str, float]:
    """Samples by their labels' values, of every series that starts so; one registry serves all tests."""
    return {
        "/".join((sample.name.removeprefix(prefix), *sample.labels.values())): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name.startswith(prefix) and "le" not in sample.labels
    }


def grown(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


async def test_batches_are_counted_by_kind_and_answer_and_rows_by_reason(door: Door, tenant: Scope) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    before = figures("periplus_ingest_")
    batch = spoke.snapshot({"pods": [pod("a"), pod("b", "10.0.0.300"), pod("c", "host")]})
    await member.send(batch)
    await member.send(batch)
    for wrong in (b"no batch at all", Spoke(member.registration).snapshot({"pods": []}), gap(spoke)):
        with pytest.raises(RefusedByHubError):
            await member.send(wrong)
    after = grown(before, figures("periplus_ingest_"))
    assert after == {
        "batches_total/inventory/accepted": 1,
        "batches_total/inventory/duplicate": 1,
        "batches_total/unread/malformed-batch": 1,
        "batches_total/inventory/batch-conflict": 1,
        "batches_total/inventory/inventory-gap": 1,
        "rows_total/inventory": 3,
        "rejected_rows_total/inventory/bad_address": 2,
        "quarantined_total": 1,
        "store_duration_seconds_count": 4,
        "group_batches_count": 4,
        "group_batches_sum": 4,
    }


def gap(spoke: Spoke) -> bytes:
    """A delta after one that never came."""
    spoke.delta({"pods": [pod("lost")]})
    return spoke.delta({"pods": [pod("d")]})


async def test_who_is_turned_away_is_counted_and_memory_in_flight_is_given_back(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("periplus_hub.ingest.admission._PATIENCE_S", 0.01)
    admission = door.intake.admission
    who = SpokePrincipal(tenant_id=UUID(int=1), registration_id=UUID(int=2), name="prod", state=State.ACTIVE)
    before = figures("periplus_ingest_")
    async with AsyncExitStack() as held:
        for _ in range(7):
            other = replace(who, registration_id=uuid4())
            await held.enter_async_context(admission.room(other, 16 * 1024 * 1024))
        assert grown(before, figures("periplus_ingest_")) == {"in_flight_bytes": 7 * 16 * 1024 * 1024}
        with pytest.raises(Exception, match="overloaded"):
            await held.enter_async_context(admission.room(who, 16 * 1024 * 1024))
    assert grown(before, figures("periplus_ingest_")) == {"turned_away_total/memory": 1}
