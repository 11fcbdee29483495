"""What is old enough is forgotten, what lives stays, and every job of a slice really runs."""

import importlib
import inspect
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy import Column, DateTime, MetaData, Table, select, text

from periplus_hub.access.scope import Role, Scope
from periplus_hub.api.app import make_jobs
from periplus_hub.api.config import HubConfig
from periplus_hub.fleet.jobs import ClusterRule, RetentionJob
from periplus_hub.fleet.repository import registrations_by_ids
from periplus_hub.fleet.service import create_domain, move_clusters, revoke
from periplus_hub.ingest.repository_retention import records_before
from periplus_hub.inventory.config import InventoryConfig
from periplus_hub.inventory.model import InventoryFilter
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.purge import Stale

from tests.meta.gates.source import ROOT
from tests.support.batches import Spoke, pod
from tests.support.clock import START, FakeClock
from tests.support.completeness import completeness
from tests.support.graphql_hub import door as people_door
from tests.support.graphql_hub import token_for
from tests.support.hub_db import all_tables
from tests.support.listed import listed_pods
from tests.support.spokes_door import Door, open_door

DAY_S = 86_400


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


def jobs(db: Database | None = None, **settings: Any) -> dict[str, Any]:
    events = SimpleNamespace(publish=lambda *_: None)
    config = HubConfig(**settings)
    columns = ColumnStore(config.flow_store, memory_bytes=config.flow_store_memory_bytes)
    databases, urls = SimpleNamespace(jobs=db), SimpleNamespace(owner="")
    resources = SimpleNamespace(databases=databases, urls=urls, config=config, events=events, columns=columns)
    return {job.name: job for job in make_jobs(cast("Any", resources))}


async def everything(door: Door, scope: Scope) -> tuple[set[str], int]:
    """Uids of all pods, gone ones too, and hours of accounting."""
    async with door.db.read(scope) as c:
        pods = await listed_pods(c, scope, InventoryFilter(include_gone=True))
    hours = await completeness(door.db, scope, pods[0].registration_id)
    return {each.uid for each in pods}, len(hours)


async def test_what_is_old_is_forgotten_and_what_lives_stays(door: Door, tenant: Scope, clock: FakeClock) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1"), pod("b", "10.1.0.2")]}))
    spoke.at = START + timedelta(minutes=5)
    await member.send(spoke.snapshot({"pods": [pod("b", "10.1.0.2")]}))
    before = await everything(door, tenant)
    for job in jobs(door.db).values():
        await job.run(clock.now())
    assert await everything(door, tenant) == before == ({"a", "b"}, 1)
    clock.advance(36 * DAY_S)
    for job in jobs(door.db).values():
        await job.run(clock.now())
    assert await everything(door, tenant) == ({"b"}, 0)
    await member.renew()
    answer = await member.send(spoke.delta({"pods": [pod("c", "10.1.0.3")]}))
    assert answer.result == "accepted"


async def test_a_revoked_cluster_leaves_nothing_behind(
    door: Door, tenant: Scope, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("periplus_hub.kit.purge.AT_ONCE", 2)
    stays, left = await door.member(tenant, "stays"), await door.member(tenant, "left")
    for member in (stays, left):
        await member.send(Spoke(member.registration).snapshot({"pods": [pod(uid, "10.1.0.1") for uid in "abcde"]}))
    async with door.db.write(tenant) as c:
        await revoke(c, tenant, clock, left.registration)
    clock.advance(34 * DAY_S)
    assert left.registration in await named(door, tenant)
    await every_job(door, clock)
    assert left.registration in await named(door, tenant)
    clock.advance(2 * DAY_S)
    await every_job(door, clock)
    assert await named(door, tenant) == {stays.registration}
    async with door.db.read(tenant) as c:
        assert [row.name for row in await c.rows(text("SELECT name FROM network_domains"))] == ["stays"]
        assert await c.scalar(text("SELECT count(*) FROM join_tokens")) == 0


@pytest.mark.parametrize(("identity_days", "kept"), [(3, False), (90, True)])
async def test_whose_an_address_was_is_kept_as_long_as_is_set(
    door: Door, tenant: Scope, clock: FakeClock, identity_days: int, *, kept: bool
) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1"), pod("b", "10.1.0.2")]}))
    spoke.at = START + timedelta(minutes=5)
    await member.send(spoke.snapshot({"pods": [pod("b", "10.1.0.2")]}))
    async with door.db.read(tenant) as c:
        before = (await registrations_by_ids(c, tenant, [member.registration]))[member.registration].domain_id
    clock.advance(600)
    async with door.db.write(tenant) as c:
        vpc = (await create_domain(c, tenant, "vpc")).id
        await move_clusters(c, tenant, vpc, [member.registration], now=clock.now())
    clock.advance(40 * DAY_S)
    await every_job(door, clock, identity_days=identity_days)
    at, days = START + timedelta(minutes=1), InventoryConfig(identity_days=identity_days)
    people = people_door(door.db, clock, settings=days)
    query = "query($ip: IpAddress!, $at: DateTime) { addressOwner(ip: $ip, at: $at) { __typename ... on AddressOwned {"
    query += " owner { uid networkDomain { id } } } ... on AddressUnknown { reason } } }"
    token = await token_for(door.db, tenant, Role.VIEWER)
    answer = (await people.ask(query, token, ip="10.1.0.1", at=at.isoformat())).good["addressOwner"]
    if kept:
        assert answer["owner"] == {"uid": "a", "networkDomain": {"id": f"NetworkDomain:{before}"}}
    else:
        assert f"only the last {identity_days} days are kept" in answer["reason"]


async def test_a_rule_that_fails_keeps_no_other_from_what_it_may_forget(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    member = await door.member(tenant)
    await member.send(Spoke(member.registration).snapshot({"pods": [pod("a", "10.1.0.1")]}))
    unknown = Table("not_there", MetaData(), Column("at", DateTime(timezone=True)))

    def broken(_: Scope, registration_id: UUID, before: datetime) -> list[Stale]:
        assert registration_id == member.registration
        return [(unknown, unknown.c.at < before)]

    rules = [ClusterRule(1, broken), ClusterRule(1, records_before)]
    with pytest.raises(ExceptionGroup, match="1 parts of the job failed"):
        await RetentionJob(door.db, rules, []).run(clock.now() + timedelta(days=2))
    async with door.db.read(tenant) as c:
        assert await c.scalar(text("SELECT count(*) FROM batches")) == 0


async def every_job(door: Door, clock: FakeClock, **settings: Any) -> None:
    for job in jobs(door.db, **settings).values():
        await job.run(clock.now())


async def named(door: Door, tenant: Scope) -> set[UUID]:
    """Registrations any row of any table speaks of."""
    found: set[UUID] = set()
    async with door.db.read(tenant) as c:
        found |= {row.id for row in await c.rows(text("SELECT id FROM registrations"))}
        for table in all_tables().metadata.sorted_tables:
            if "registration_id" in table.c:
                column = table.c.registration_id
                found |= {row.registration_id for row in await c.rows(select(column).where(column.is_not(None)))}
    return found


def test_every_job_of_a_slice_runs_in_the_leader(tmp_path: Path) -> None:
    written = set()
    for path in (ROOT / "hub/periplus_hub").rglob("jobs*.py"):
        module = importlib.import_module(".".join(path.relative_to(ROOT / "hub").with_suffix("").parts))
        classes = (found for _, found in inspect.getmembers(module, inspect.isclass))
        written |= {
            found.name
            for found in classes
            if found.__module__ == module.__name__ and isinstance(getattr(found, "name", None), str)
        }
    assert set(jobs(backup_folder=tmp_path)) == written
