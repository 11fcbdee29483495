"""A kind made up for this test, from the spokes' door to its applier: what extending.md promises of a batch kind."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest

from periplus_contract import tables
from periplus_contract.column_types import UTF8
from periplus_contract.tables import Column, Kind, Table
from periplus_hub.access.scope import Scope
from periplus_hub.ingest.appliers import Applier
from periplus_hub.ingest.config import IngestConfig
from periplus_hub.ingest.kinds import ORDERS
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.ingest.service import Intake
from periplus_hub.ingest.service_order import Order
from periplus_hub.inventory.service import InventoryApplier
from periplus_hub.kit.db import Database, WriteConnection

from tests.support.batches import EPOCH, Spoke, pod, section
from tests.support.clock import START
from tests.support.completeness import completeness
from tests.support.spokes_door import Door, open_door

ALARMS = Table("alarms", (Column("message", UTF8, nullable=False),))


@dataclass
class Alarms:
    """The applier of the made-up kind."""

    kind: Kind = Kind.EVENTS
    messages: list[str] = field(default_factory=list)

    async def apply(self, c: WriteConnection, group: Sequence[DecodedBatch]) -> None:
        del c
        self.messages += [row["message"] for batch in group for row in batch.tables["alarms"].to_pylist()]


@pytest.fixture(autouse=True)
def known_to_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.TABLES, Kind.EVENTS, (ALARMS,))


@pytest.fixture
def alarms() -> Alarms:
    return Alarms()


@pytest.fixture
async def door(db: Database, alarms: Alarms) -> AsyncIterator[Door]:
    opened = open_door(db, appliers=(alarms,))
    yield opened
    opened.intake.close()


def alarm(spoke: Spoke, *messages: str | None) -> bytes:
    return spoke.seal(Kind.EVENTS, [section(Kind.EVENTS, "alarms", [{"message": each} for each in messages])])


async def test_what_is_answered_accepted_was_given_to_its_applier(door: Door, tenant: Scope, alarms: Alarms) -> None:
    member = await door.member(tenant)
    answer = await member.send(alarm(Spoke(member.registration), "fire", "flood"))
    assert (answer.result, answer.settled_through, alarms.messages) == ("accepted", 1, ["fire", "flood"])


async def test_an_unordered_kind_is_applied_once_each_in_whatever_order_it_comes(
    door: Door, tenant: Scope, alarms: Alarms
) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    batches = [alarm(spoke, f"alarm {number}") for number in range(4)]
    later = alarm(spoke.new_epoch(UUID(int=EPOCH.int + 1)), "of the next life")
    answers = [await member.send(each) for each in (later, batches[2], batches[0], batches[2], batches[3], batches[1])]
    assert [each.result for each in answers] == [*["accepted"] * 3, "duplicate", *["accepted"] * 2]
    assert alarms.messages == ["of the next life", "alarm 2", "alarm 0", "alarm 3", "alarm 1"]


async def test_rows_that_break_the_contract_are_set_aside_and_all_is_counted(
    door: Door, tenant: Scope, alarms: Alarms
) -> None:
    member = await door.member(tenant)
    answer = await member.send(alarm(Spoke(member.registration), "fire", None))
    assert (answer.rejected, alarms.messages) == ({"missing_value": 1}, ["fire"])
    hours = await completeness(door.db, tenant, member.registration)
    assert [(each.kind, each.settled, each.rejected) for each in hours] == [("events", 2, 1)]


async def test_a_batch_of_the_future_is_set_aside_whole(door: Door, tenant: Scope, alarms: Alarms) -> None:
    member = await door.member(tenant)
    answer = await member.send(alarm(Spoke(member.registration, at=START + timedelta(days=1)), "fire", "flood"))
    assert (answer.result, answer.rejected, alarms.messages) == ("accepted", {"clock_ahead": 2}, [])


async def test_kinds_of_several_clusters_go_together_without_noticing_each_other(
    door: Door, tenant: Scope, alarms: Alarms
) -> None:
    members = [await door.member(tenant, f"prod-{number}") for number in range(6)]
    spokes = [Spoke(member.registration) for member in members]
    batches = [
        spoke.snapshot({"pods": [pod("a")]}) if number % 2 else alarm(spoke, f"alarm {number}")
        for number, spoke in enumerate(spokes)
    ]
    answers = await asyncio.gather(*(each.send(batch) for each, batch in zip(members, batches, strict=True)))
    assert {answer.result for answer in answers} == {"accepted"}
    assert sorted(alarms.messages) == ["alarm 0", "alarm 2", "alarm 4"]


@pytest.mark.parametrize(
    ("appliers", "orders", "why"),
    [
        ([Alarms()], {}, "kind 'events' has an applier and no order"),
        ([Alarms(), Alarms()], ORDERS, "kind 'events' has two appliers"),
        (
            [InventoryApplier(), Alarms()],
            {**ORDERS, Kind.EVENTS: ORDERS[Kind.INVENTORY]},
            "two kinds have one order whose tables tell no kinds apart",
        ),
    ],
)
async def test_a_hub_that_would_take_batches_wrongly_does_not_start(
    db: Database, appliers: Sequence[Applier], orders: Mapping[Kind, Order], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Intake(db, IngestConfig(), appliers, orders=orders)
