"""Complete ipam statements of any size: none left, one batch, several; the register sees all of one or nothing."""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from periplus_contract import batch as contract
from periplus_contract.batch import PartMark
from periplus_contract.covers import EVERY_ALLOCATION, EVERY_POOL
from periplus_contract.limits import MAX_ROWS
from periplus_hub.addresses.ipam import tables as ipam_tables
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.ipam.service_intake import IpamApplier
from periplus_hub.fleet.model import SpokePrincipal, State
from periplus_hub.ingest.decode import as_waiting, decode
from periplus_hub.ingest.kinds import ORDERS, taken_kinds
from periplus_hub.ingest.model import DecodedBatch, SealedBatch
from periplus_hub.ingest.service_commit import Committing
from periplus_hub.ingest.settlement import Settlement
from periplus_hub.ingest.tables import statement_parts
from periplus_hub.kit.db import count_statements
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal
from periplus_spoke.conversion.ipam import Allocation, Statement, ipam_batch
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.outbox.filesystem import FolderFileSystem
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.thread import OutboxThread
from periplus_spoke.transport.sink import OutboxSink

from tests.support.clock import START
from tests.support.overlap_fleet import Fleet, allocation, pool
from tests.support.spokes_door import RefusedByHubError

POD = ("pod", "10.1.0.0/16")
EVERY = (*EVERY_POOL, *EVERY_ALLOCATION)


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


async def stored(fleet: Fleet) -> tuple[list[str], list[str], int]:
    """CIDRs, pools, and parts that wait."""
    async with fleet.db.read(fleet.scope) as c:
        cidrs = [
            str(row.cidr)
            for row in await c.rows(select(ipam_tables.allocations).order_by(ipam_tables.allocations.c.cidr))
        ]
        pools = [row.name for row in await c.rows(select(ipam_tables.pools).order_by(ipam_tables.pools.c.name))]
        return cidrs, pools, await c.scalar(select(func.count()).select_from(statement_parts))


async def part(fleet: Fleet, number: int, of: int, **sections: list[dict[str, Any]]) -> Any:
    member, spoke = fleet.members["a"]
    return await member.send(spoke.ipam(sections, ipam=PartMark(part=number, parts=of), covers=EVERY))


async def test_a_cluster_whose_last_range_is_gone_says_so(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    await fleet.cluster("b", POD)
    await fleet.send("a", {"pools": [pool("p")]})
    await fleet.settle()
    assert len(await fleet.groups()) == 1
    await fleet.send("a", {"pools": [], "allocations": []})
    await fleet.settle()
    assert await fleet.groups() == []
    assert (await stored(fleet))[:2] == (["10.1.0.0/16"], [])


async def test_nothing_of_a_statement_holds_before_its_last_part(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    before = await stored(fleet)
    await part(fleet, 1, 3, pools=[pool("p1")], allocations=[allocation("pod", "10.2.0.0/16")])
    answer = await part(fleet, 2, 3, allocations=[allocation("pod", "10.3.0.0/16"), allocation("pod", "nonsense")])
    assert answer.result == "accepted"
    assert (await stored(fleet))[:2] == before[:2]
    member, spoke = fleet.members["a"]
    last = spoke.ipam({"allocations": [allocation("pod", "10.4.0.0/16")]}, ipam=PartMark(part=3, parts=3), covers=EVERY)
    assert (await member.send(last)).rejected == {"bad_cidr": 1}, "counted with the statement"
    assert await stored(fleet) == (["10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"], ["p1"], 0)
    assert (await member.send(last)).result == "duplicate"


async def test_a_part_without_those_before_it_is_refused_and_changes_nothing(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    before = await stored(fleet)
    for number in (2, 3):
        with pytest.raises(RefusedByHubError, match="ipam-gap"):
            await part(fleet, number, 3, allocations=[])
    assert await stored(fleet) == before


async def test_the_next_statement_takes_the_place_of_half_a_one(fleet: Fleet) -> None:
    await fleet.cluster("a", POD)
    await part(fleet, 1, 2, allocations=[allocation("pod", "10.2.0.0/16")])
    await part(fleet, 1, 2, allocations=[allocation("pod", "10.3.0.0/16")])
    assert (await stored(fleet))[2] == 1
    await part(fleet, 2, 2, allocations=[allocation("pod", "10.4.0.0/16")])
    assert await stored(fleet) == (["10.3.0.0/16", "10.4.0.0/16"], [], 0)


def decoded(fleet: Fleet, name: str, number: int) -> DecodedBatch:
    """One of three parts, as it comes out of the worker thread."""
    member, spoke = fleet.members[name]
    sealed = spoke.ipam({"pools": [pool("p")]}, ipam=PartMark(part=number, parts=3), covers=EVERY)
    header, body = contract.split(sealed)
    tenant_id = fleet.scope.tenant_id
    unread = SealedBatch(
        principal=SpokePrincipal(
            tenant_id=tenant_id, registration_id=member.registration, name=name, state=State.ACTIVE
        ),
        header=header,
        epoch=spoke.epoch,
        body=body,
        sha256=contract.identity_sha256(sealed),
        sealed_bytes=len(sealed),
        received_at=START,
    )
    return as_waiting(decode(unread), body)


async def test_the_parts_before_those_of_a_group_are_counted_in_one_query(fleet: Fleet) -> None:
    names = [f"cluster-{number}" for number in range(5)]
    for name in names:
        await fleet.cluster(name, POD)
    committing = Committing(taken_kinds([IpamApplier(IpamConfig())], ORDERS), Settlement(fleet.db.clock, 0), keep=1)
    await committing.commit(fleet.db, [decoded(fleet, name, 1) for name in names[1:]])
    with count_statements() as counter:
        verdicts = await committing.commit(fleet.db, [decoded(fleet, name, 2) for name in names])
    counting = [each for each in counter.statements if "count(*)" in each and statement_parts.name in each]
    assert len(counting) == 1
    told = [verdict.detail if isinstance(verdict, SpokeRequestRefusal) else "taken" for verdict in verdicts.values()]
    assert sorted(told) == ["part 2 of 3 is seq 2; of those before it 0 are here", *["taken"] * 4]
    assert (await stored(fleet))[2] == 2 * len(names[1:])


@pytest.mark.parametrize("mark", [(0, 2), (3, 2), (1, 1), (2, 17), (9, 10)])
async def test_impossible_parts_are_refused(fleet: Fleet, mark: tuple[int, int]) -> None:
    await fleet.cluster("a", POD)
    with pytest.raises(RefusedByHubError, match="invalid-batch"):
        await part(fleet, *mark, allocations=[])


async def test_more_ranges_than_one_batch_takes_arrive_as_the_spoke_sends_them(fleet: Fleet, tmp_path: Path) -> None:
    rows = MAX_ROWS + 5
    ranges = [
        Allocation(kind="node", cidr=f"10.{row >> 16}.{row >> 8 & 255}.{row & 255}/32", provider="p", source="nodes")
        for row in range(rows)
    ]
    member = await fleet.door.member(fleet.scope, "a")
    thread = OutboxThread()
    files = FolderFileSystem(tmp_path)
    outbox = Outbox(files, SystemClock(), random.Random(1), str(member.registration))
    at_s = int(START.timestamp())
    stated = Statement(allocations=ranges, covers=("allocations/node",))
    await OutboxSink(thread, outbox, ChangeSignal(), SystemClock()).emit(
        ipam_batch(stated, window_start_s=at_s, window_s=60, observed_at_us=at_s * 1_000_000)
    )
    thread.close()
    batches = [opened.sealed for identity in outbox.held() if (opened := outbox.read(identity)) is not None]
    assert len(batches) > 1
    for sealed in batches:
        assert await stored(fleet) == ([], [], batches.index(sealed))
        await member.send(sealed)
    async with fleet.db.read(fleet.scope) as c:
        assert await c.scalar(select(func.count()).select_from(ipam_tables.allocations)) == rows
