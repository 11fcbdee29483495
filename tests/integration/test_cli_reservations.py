"""`periplus plan --reserve|reserved|release` and `overlaps accepted` against a real hub."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, text, update

from periplus_hub.access.scope import system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.addresses.free.tables import range_reservations
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.db import Database

from tests.support.batches import upsert
from tests.support.overlap_fleet import Fleet
from tests.support.terminal import Terminal, asking

PLAN = ("plan", "--cluster", "shop", "--nodes", "3", "--services", "20")


@pytest.fixture
async def terminal(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Terminal]:
    """Two clusters of which everything is known."""
    fleet = Fleet.open(db, system_scope(await ensure_default_tenant(db), "test"))
    for name, cidr in {"shop": "10.1.0.0/24", "crm": "10.2.0.0/24"}.items():
        await fleet.cluster(name, ("pod", cidr))
        member, spoke = fleet.members[name]
        await member.send(spoke.snapshot({"sources": [upsert(each, state="ok", objects=1) for each in FEEDING]}))
    await fleet.settle()
    await heard(db, fleet, "1 second")
    fleet.door.intake.close()
    async with asking(database_url, tmp_path) as env:
        yield Terminal(env)


async def heard(db: Database, fleet: Fleet, ago: str) -> None:
    async with db.write(fleet.scope) as c:
        await c.execute(update(registrations).values(last_seen_at=func.now() - text(f"interval '{ago}'")))


async def reserved(terminal: Terminal, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await terminal.documents("plan", "reserved", *arguments)
    return found


def lasts(reservation: dict[str, Any], days: int) -> bool:
    end = SystemClock().now() + timedelta(days=days)
    return reservation["expiresAt"][:10] in {end.date().isoformat(), (end - timedelta(minutes=5)).date().isoformat()}


async def test_what_is_reserved_already_stays_as_it_is_and_is_said(terminal: Terminal) -> None:
    first = await terminal.type(*PLAN, "--reserve", "--expires", "9d", "--reason", "moves in March")
    assert first.stderr == ""
    again = await terminal.type(*PLAN, "--reserve")
    assert again.stdout == first.stdout
    assert again.stderr.count("was reserved already, until ") == 3
    assert again.stderr.count("because: moves in March; --expires and --reason change that") == 3
    found = await reserved(terminal)
    assert {each["reason"] for each in found} == {"moves in March"}
    assert all(lasts(each, 9) for each in found)


async def test_what_is_reserved_already_gets_the_reason_and_the_end_that_are_said_now(terminal: Terminal) -> None:
    await terminal.type(*PLAN, "--reserve", "--expires", "9d", "--reason", "moves in March")
    told = await terminal.type(*PLAN, "--reserve", "--reason", "moves in May")
    assert told.stderr.count("was reserved already, and is now until ") == 3
    found = await reserved(terminal)
    assert {each["reason"] for each in found} == {"moves in May"}
    assert all(lasts(each, 9) for each in found), "nobody said another end"
    await terminal.type(*PLAN, "--reserve", "--expires", "90d")
    found = await reserved(terminal)
    assert {each["reason"] for each in found} == {"moves in May"}
    assert all(lasts(each, 90) for each in found)
    assert len(found) == 3


@pytest.mark.parametrize("option", [("--expires", "9d"), ("--reason", "moves in March")])
async def test_what_is_said_of_a_reservation_without_one_is_refused(
    terminal: Terminal, option: tuple[str, str]
) -> None:
    assert "Say --reserve too" in (await terminal.type(*PLAN, *option, code=64)).stderr


@pytest.mark.promise("no-false-all-clear")
async def test_it_reserves_where_not_all_is_known_and_says_both(terminal: Terminal, db: Database) -> None:
    fleet = Fleet.open(db, system_scope(await ensure_default_tenant(db), "test"))
    await fleet.cluster("hr", ("pod", "10.3.0.0/24"))
    fleet.door.intake.close()
    told = await terminal.type(*PLAN, "--reserve", code=1)
    assert "these ranges are reserved, and free of what is known; not known of: hr" in told.stderr
    assert len(await reserved(terminal)) == 3


async def test_what_ended_is_listed_only_when_asked_for(terminal: Terminal, db: Database) -> None:
    await terminal.type(*PLAN, "--reserve")
    released, expired, kept = await reserved(terminal)
    await terminal.type("plan", "release", released["cidr"])
    scope = system_scope(await ensure_default_tenant(db), "test")
    async with db.write(scope) as c:
        past = func.now() - text("interval '1 day'")
        await c.execute(
            update(range_reservations)
            .where(func.text(range_reservations.c.cidr) == expired["cidr"])
            .values(expires_at=past)
        )
    assert [each["id"] for each in await reserved(terminal)] == [kept["id"]]
    assert len(await reserved(terminal, "--ended")) == 3
    listed = (await terminal.type("plan", "reserved", "--ended")).stdout
    assert (listed.count("released 2"), listed.count("expired 2")) == (1, 1)
    again = await terminal.type("plan", "release", released["id"], code=1)
    assert "is not reserved any more" in again.stderr


async def test_reservations_are_those_of_the_clusters_named(terminal: Terminal) -> None:
    await terminal.type(*PLAN, "--reserve")
    await terminal.type("plan", "--cluster", "crm,new", "--nodes", "1", "--services", "1", "--reserve")
    assert {each["clusterName"] for each in await reserved(terminal, "--cluster", "crm,new")} == {"crm", "new"}
    assert await reserved(terminal, "--cluster", "hr") == []
    (crm,) = [each["id"] for each in await terminal.documents("clusters", "list") if each["name"] == "crm"]
    assert {each["clusterName"] for each in await reserved(terminal, "--cluster", f"new,{crm}")} == {"crm", "new"}
    before = await terminal.type("plan", "--cluster", "crm", "reserved", code=64)
    assert "--cluster before 'reserved' says nothing" in before.stderr
    assert "behind it" in before.stderr
    both = await terminal.type("overlaps", "--cluster", "crm", "accepted", code=64)
    assert "--cluster before 'accepted' says nothing" in both.stderr


async def test_an_address_that_nobody_has_says_for_whom_it_is_reserved(terminal: Terminal) -> None:
    await terminal.type(*PLAN, "--reserve", "--reason", "moves in March")
    pods = next(each for each in await reserved(terminal) if each["allocationKind"] == "pod")
    inside = pods["cidr"].partition("/")[0]
    told = (await terminal.type("address", inside, code=1)).stdout
    assert told.startswith(f"{inside} lies in {pods['cidr']}, reserved for the pods of shop until ")
    assert told.endswith(", because: moves in March\n")
    assert (await terminal.type("address", inside, "--at", "2026-01-01", code=1)).stdout == ""


async def test_one_document_is_printed_whatever_was_reserved(terminal: Terminal) -> None:
    await terminal.type(*PLAN, "--reserve", "--reason", "one")
    told = await terminal.type(*PLAN, "--reserve", "--json")
    assert {each["reservation"]["reason"] for each in json.loads(told.stdout)["proposals"]} == {"one"}
