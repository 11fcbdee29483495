"""Batches of many spokes in one transaction, over a real PostgreSQL: each ends as it would have alone."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
import structlog
from sqlalchemy import func, select
from structlog.testing import capture_logs

from periplus_hub.access.scope import Scope
from periplus_hub.fleet.service import revoke
from periplus_hub.ingest.tables import batches
from periplus_hub.inventory.model import InventoryFilter
from periplus_hub.inventory.repository import counts_by_registration
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, gone, node, pod, service
from tests.support.hub_db import as_owner
from tests.support.listed import listed_pods
from tests.support.spokes_door import Door, Member, RefusedByHubError, open_door


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


async def live(door: Door, scope: Scope, member: Member) -> list[str]:
    only = InventoryFilter(registration_ids=(member.registration,))
    async with door.db.read(scope) as c:
        return [each.uid for each in await listed_pods(c, scope, only)]


async def test_first_snapshots_new_snapshots_and_deltas_of_many_clusters_keep_apart(door: Door, tenant: Scope) -> None:
    members = [await door.member(tenant, f"prod-{number}") for number in range(9)]
    spokes = [Spoke(member.registration) for member in members]

    def content(number: int, *uids: str) -> dict[str, list[dict[str, object]]]:
        return {
            "pods": [pod(uid, f"10.{number}.0.{place + 1}") for place, uid in enumerate(uids)],
            "nodes": [node("n", f"InternalIP=172.16.{number}.1")],
            "services": [service("s", f"10.96.0.{number + 1}")],
        }

    first = [spoke.snapshot(content(number, "a", "b")) for number, spoke in enumerate(spokes[:6])]
    await asyncio.gather(*(member.send(batch) for member, batch in zip(members, first, strict=False)))
    then = [
        *(spoke.snapshot(content(number, "b", "c", "d")) for number, spoke in enumerate(spokes[:3])),
        *(spoke.delta({"pods": [gone("a"), pod("z")]}) for spoke in spokes[3:6]),
        *(spoke.snapshot(content(number, "e"), part=1, parts=1) for number, spoke in enumerate(spokes[6:], 6)),
    ]
    answers = await asyncio.gather(*(member.send(batch) for member, batch in zip(members, then, strict=True)))
    assert {answer.result for answer in answers} == {"accepted"}
    found = [await live(door, tenant, member) for member in members]
    assert found == [["b", "c", "d"]] * 3 + [["b", "z"]] * 3 + [["e"]] * 3
    async with door.db.read(tenant) as c:
        counts = await counts_by_registration(c, tenant, [member.registration for member in members])
    assert [(counts[each.registration].pods, counts[each.registration].services) for each in members] == [
        (len(uids), 1) for uids in found
    ]


async def test_every_batch_of_a_group_has_its_own_verdict(door: Door, tenant: Scope) -> None:
    names = ("good", "again", "conflict", "gap", "revoked")
    members = {name: await door.member(tenant, name) for name in names}
    spokes = {name: Spoke(member.registration) for name, member in members.items()}
    first = {name: spoke.snapshot({"pods": [pod("a")]}) for name, spoke in spokes.items()}
    await asyncio.gather(*(members[name].send(first[name]) for name in names))
    spokes["gap"].delta({"pods": [pod("lost")]})
    async with door.db.write(tenant) as c:
        await revoke(c, tenant, door.db.clock, members["revoked"].registration)
    batches_of = {
        "good": spokes["good"].delta({"pods": [pod("b")]}),
        "again": first["again"],
        "conflict": Spoke(members["conflict"].registration).snapshot({"pods": [pod("other")]}),
        "gap": spokes["gap"].delta({"pods": [pod("b")]}),
        "revoked": spokes["revoked"].delta({"pods": [pod("b")]}),
    }
    answers = await asyncio.gather(*(members[name].send(batches_of[name]) for name in names), return_exceptions=True)
    told = [answer.slug if isinstance(answer, RefusedByHubError) else answer.result for answer in answers]
    assert told == ["accepted", "duplicate", "batch-conflict", "inventory-gap", "revoked"]
    assert [await live(door, tenant, members[name]) for name in names] == [["a", "b"], ["a"], ["a"], ["a"], ["a"]]
    async with door.db.read(tenant) as c:
        assert await c.scalar(select(func.count()).select_from(batches)) == len(names) + 1


async def test_a_role_without_rights_is_the_hubs_trouble_and_not_the_spokes(
    door: Door, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever set logging up before.
    monkeypatch.setattr("periplus_hub.ingest.service_verdicts._log", structlog.get_logger())
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a")]}))
    owner = await asyncpg.connect(as_owner(door.db.dsn))
    await owner.execute("REVOKE INSERT ON batches, heartbeats FROM periplus_hub")
    await owner.close()
    with capture_logs() as logs:
        for asked in (member.send(spoke.delta({"pods": [pod("b")]})), member.beat()):
            with pytest.raises(RefusedByHubError) as refused:
                await asked
            assert (refused.value.slug, refused.value.retry_after) == ("overloaded", "5")
    assert ["PERIPLUS_DATABASE_URL" in entry["remedy"] for entry in logs if entry["log_level"] == "error"] == [True] * 2


_WAITING = (
    "SELECT count(*) FROM pg_sleep(0.01), pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


async def waiting_for_locks(dsn: str, sessions: int) -> None:
    connection = await asyncpg.connect(as_owner(dsn))
    try:
        async with asyncio.timeout(30):
            while sessions != await connection.fetchval(_WAITING):
                pass
    finally:
        await connection.close()


@pytest.mark.promise("inventory-ends-equal")
async def test_a_batch_that_waited_for_another_replica_sees_what_that_one_did(
    database_url: str, door: Door, tenant: Scope
) -> None:
    member = await door.member(tenant)
    other_db = Database(database_url, door.db.clock)
    other = open_door(other_db)
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a")]}))
    deltas = [spoke.delta({"pods": [pod("b")]}), spoke.delta({"pods": [pod("c")]})]
    holder = await asyncpg.connect(as_owner(door.db.dsn))
    try:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("SELECT 1 FROM registrations WHERE id = $1 FOR UPDATE", UUID(str(member.registration)))
        first = asyncio.create_task(member.send(deltas[0]))
        await waiting_for_locks(door.db.dsn, 1)
        member.door = other
        second = asyncio.create_task(member.send(deltas[1]))
        await waiting_for_locks(door.db.dsn, 2)
        await transaction.rollback()
        assert [(await each).result for each in (first, second)] == ["accepted", "accepted"]
    finally:
        await holder.close()
        other.intake.close()
        await other_db.dispose()
    assert await live(door, tenant, member) == ["a", "b", "c"]
