"""Four times the rows are four times the work, also on a database that was never analysed."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.addresses.overlaps.service_acceptances import accept_overlap
from periplus_hub.kit.clock import Clock

from tests.support.batches import START, Spoke, gone, node, pod, service, upsert
from tests.support.hub_db import make_tenant
from tests.support.overlap_fleet import Fleet, pool
from tests.support.statement_work import Work, explained

FEW, MANY = 5_000, 20_000
CLUSTERS = 50
Grown = tuple[Fleet, Work]


@pytest.fixture
async def fleet(database_url: str, clock: Clock) -> AsyncIterator[Grown]:
    async with explained(database_url, clock) as (db, work):
        opened = Fleet.open(db, await make_tenant(db, "acme"))
        yield opened, work
        opened.door.intake.close()


def too_much(few: Counter[str], many: Counter[str]) -> dict[str, tuple[int, int]]:
    """Statements that grew faster than the rows; those that do little either way are no matter."""
    allowed = 1.5 * MANY / FEW
    return {each: (few[each], rows) for each, rows in many.items() if rows > max(allowed * few[each], 4 * MANY)}


def cidr(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}/32"


async def test_allocations_that_replace_all_that_was_there(fleet: Grown) -> None:
    found, work = fleet
    done = []
    for name, count in (("few", FEW), ("many", MANY)):
        await found.cluster(name)
        for first in (0, count, count + count // 2):
            await found.report(name, *(("node", cidr(number)) for number in range(first, first + count)))
        done.append(work.take())
    assert too_much(*done) == {}


async def test_groups_that_come_change_and_vanish(fleet: Grown) -> None:
    found, work = fleet
    done = []
    for name, count in (("few", FEW), ("many", MANY)):
        ranges = [("node", cidr(number)) for number in range(count)]
        await found.cluster(f"{name} one", *ranges)
        work.take()
        await found.cluster(f"{name} two", *ranges)
        await found.settle()
        async with found.db.write(found.scope) as c:
            for number in range(count // 20):
                await accept_overlap(c, found.scope, cidr(number), "they are labs", START + timedelta(days=9), START)
        for others in (ranges, ranges[count // 2 :], []):
            for other in ("two", "three"):
                label = f"{name} {other}"
                await (found.report(label, *others) if label in found.members else found.cluster(label, *others))
                await found.settle()
        await found.report(f"{name} one")
        await found.settle()
        done.append(work.take())
    assert too_much(*done) == {}


async def test_a_register_that_is_read_anew_reads_each_allocation_once(fleet: Grown) -> None:
    found, work = fleet
    done = []
    for count in (CLUSTERS, 4 * CLUSTERS):
        for number in range(len(found.members), count):
            first = number * (MANY // CLUSTERS // 4)
            ranges = (("node", cidr(each)) for each in range(first, first + MANY // CLUSTERS // 4))
            await found.cluster(f"c{number}", *ranges)
        work.take()
        await OverlapsJob(found.db).refresh(found.scope.tenant_id, START)
        done.append(work.take())
    assert too_much(*done) == {}


async def test_pools_that_replace_all_that_was_there(fleet: Grown) -> None:
    found, work = fleet
    done = []
    for name, count in (("few", FEW), ("many", MANY)):
        await found.cluster(name)
        for first in (0, count // 2):
            await found.send(name, {"pools": [pool(f"p{number}") for number in range(first, first + count)]})
        done.append(work.take())
    assert too_much(*done) == {}


def objects(section: str, numbers: range, version: str) -> Sequence[Mapping[str, Any]]:
    made = {
        "pods": lambda number: pod(f"u{number}", cidr(number)[:-3], phase=version),
        "nodes": lambda number: node(f"u{number}", f"InternalIP={cidr(number)[:-3]}", instance_type=version),
        "services": lambda number: service(f"u{number}", cidr(number)[:-3], external_name=version),
        "endpoints": lambda number: upsert(f"u{number}", namespace=version, service="s", slice="s", address="a"),
        "workloads": lambda number: upsert(f"u{number}", namespace=version, name=f"w{number}", kind="Deployment"),
        "namespaces": lambda number: upsert(f"u{number}", name=version),
        "ip_addresses": lambda number: upsert(f"u{number}", address=cidr(number)[:-3], parent_name=version),
        "flow_sources": lambda number: upsert(f"u{number}", kind="hubble", state="found", why=version),
        "service_cidrs": lambda number: upsert(f"u{number}", name=version, cidrs=["10.96.0.0/12"]),
    }
    return [made[section](number) for number in numbers]


@pytest.mark.parametrize(
    "section",
    [
        "pods",
        "nodes",
        "services",
        "endpoints",
        "workloads",
        "namespaces",
        "ip_addresses",
        "service_cidrs",
        "flow_sources",
    ],
)
async def test_inventory_that_replaces_half_of_what_was_there(fleet: Grown, section: str) -> None:
    found, work = fleet
    done = []
    for name, count in (("few", FEW), ("many", MANY)):
        await found.cluster(name)
        member, _ = found.members[name]
        spoke = Spoke(member.registration, seq=10)
        await member.send(spoke.snapshot({section: objects(section, range(count), "a")}))
        await member.send(spoke.snapshot({section: objects(section, range(count // 2, count * 3 // 2), "b")}))
        await member.send(spoke.delta({section: [gone(f"u{number}") for number in range(count // 2, count)]}))
        half = count // 2
        for part, numbers in ((1, range(half)), (2, range(half, count))):
            await member.send(spoke.snapshot({section: objects(section, numbers, "c")}, part=part, parts=2))
        done.append(work.take())
    assert too_much(*done) == {}
