import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.exc import DataError, DBAPIError

from periplus_contract import batch as contract
from periplus_contract import problems
from periplus_contract.tables import Kind
from periplus_hub.fleet.model import SpokePrincipal, State
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.ingest.service_groups import LANES, MAX_BATCHES, SMALL_ROWS, Groups, Lane
from periplus_hub.ingest.service_order import Applied, Verdict
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

from tests.support.batches import EPOCH, Spoke
from tests.support.clock import START

ACME, GLOBEX = UUID(int=1), UUID(int=2)
SLOW = DBAPIError("UPDATE", None, asyncpg.QueryCanceledError("canceling statement due to statement timeout"))
BAD_ROWS = DataError("INSERT", None, ValueError("22003"))


def batch(registration: UUID | None = None, tenant: UUID = ACME, seq: int = 1, rows: int = 0) -> DecodedBatch:
    registration = registration or uuid4()
    spoke = Spoke(registration, seq=seq - 1)
    header, _ = contract.split(spoke.seal(Kind.INVENTORY, [], rows=rows))
    principal = SpokePrincipal(tenant_id=tenant, registration_id=registration, name="prod", state=State.ACTIVE)
    return DecodedBatch(
        principal=principal,
        header=header,
        epoch=EPOCH,
        sections=frozenset(),
        covers=frozenset(),
        tables={},
        rejected=(),
        sha256="",
        sealed_bytes=1,
        received_at=START,
    )


class Store:
    """A database that takes as long as the test wants, and remembers its groups."""

    def __init__(self, fails: Callable[[Sequence[DecodedBatch]], Exception | None] = lambda _: None) -> None:
        self.groups: list[list[DecodedBatch]] = []
        self.refuse: set[UUID] = set()
        self.open = asyncio.Event()
        self._fails = fails
        self._started = asyncio.Condition()

    async def commit(self, group: Sequence[DecodedBatch]) -> dict[UUID, Verdict]:
        async with self._started:
            self.groups.append(list(group))
            self._started.notify_all()
        await self.open.wait()
        error = self._fails(group)
        if error is not None:
            raise error
        return {each.principal.registration_id: self._verdict(each) for each in group}

    async def started(self, groups: int) -> None:
        async with self._started:
            await self._started.wait_for(lambda: len(self.groups) >= groups)

    def _verdict(self, each: DecodedBatch) -> Verdict:
        if each.principal.registration_id in self.refuse:
            return SpokeRequestRefusal(problems.INVENTORY_GAP, "a gap")
        return Applied(settled_through=each.header.seq)


async def occupied(store: Store, groups: Groups) -> list["asyncio.Task[Applied]"]:
    """Every lane has a batch of its own in the database."""
    tasks = []
    for lane in range(LANES):
        tasks.append(asyncio.create_task(groups.store(batch())))
        await store.started(lane + 1)
    return tasks


async def together(groups: Groups, *batches: DecodedBatch) -> list[Applied | BaseException]:
    return await asyncio.gather(*(groups.store(each) for each in batches), return_exceptions=True)


async def later(store: Store) -> None:
    """Let the batches in once they all wait."""
    await asyncio.sleep(0)
    store.open.set()


async def test_what_arrives_while_the_database_is_busy_goes_in_together() -> None:
    store = Store()
    groups = Groups(store.commit, store.commit)
    first = await occupied(store, groups)
    waiting = [batch() for _ in range(5)]
    answers, _ = await asyncio.gather(together(groups, *waiting), later(store))
    await asyncio.gather(*first)
    assert [len(group) for group in store.groups] == [1] * LANES + [5]
    assert answers == [Applied(settled_through=1)] * 5


async def test_one_cluster_goes_in_order_and_never_twice_at_once() -> None:
    store = Store()
    groups = Groups(store.commit, store.commit)
    first = await occupied(store, groups)
    mine = uuid4()
    waiting = [batch(mine, seq=1), batch(mine, seq=2), batch(), batch(mine, seq=3)]
    await asyncio.gather(together(groups, *waiting), later(store))
    await asyncio.gather(*first)
    assert [sorted(each.header.seq for each in group) for group in store.groups[LANES:]] == [[1, 1], [2], [3]]


async def test_tenants_are_not_mixed_and_a_group_has_an_end() -> None:
    store = Store()
    groups = Groups(store.commit, store.commit)
    first = await occupied(store, groups)
    waiting = [batch(), batch(tenant=GLOBEX), batch(), *(batch(rows=40_000) for _ in range(2))]
    await asyncio.gather(together(groups, *waiting), later(store))
    await asyncio.gather(*first)
    later_groups = store.groups[LANES:]
    assert all(len({each.principal.tenant_id for each in group}) == 1 for group in later_groups)
    assert sorted(len(group) for group in later_groups) == [1, 1, 1, 2], "the large ones have lanes of their own"
    assert all(len(group) <= MAX_BATCHES for group in later_groups)


async def test_a_refused_batch_is_its_own_trouble() -> None:
    store = Store()
    groups = Groups(store.commit, store.commit)
    first = await occupied(store, groups)
    waiting = [batch() for _ in range(3)]
    store.refuse.add(waiting[1].principal.registration_id)
    answers, _ = await asyncio.gather(together(groups, *waiting), later(store))
    await asyncio.gather(*first)
    assert [type(answer) for answer in answers] == [Applied, SpokeRequestRefusal, Applied]


async def test_a_batch_the_database_cannot_take_keeps_no_other_out() -> None:
    bad = batch()
    store = Store(lambda group: BAD_ROWS if bad in group else None)
    groups = Groups(store.commit, store.commit)
    first = await occupied(store, groups)
    answers, _ = await asyncio.gather(together(groups, batch(), bad, batch()), later(store))
    await asyncio.gather(*first)
    assert [type(answer) for answer in answers] == [Applied, DataError, Applied]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("away"),
        TimeoutError("busy"),
        asyncpg.DiskFullError(""),
        asyncpg.InsufficientPrivilegeError(""),
    ],
)
async def test_a_database_that_is_away_is_not_asked_for_each(error: Exception) -> None:
    store = Store(lambda group: error if len(group) > 1 else None)
    groups = Groups(store.commit, store.commit)
    first = await occupied(store, groups)
    answers, _ = await asyncio.gather(together(groups, batch(), batch()), later(store))
    await asyncio.gather(*first)
    assert (answers, len(store.groups)) == ([error, error], LANES + 1)


@pytest.mark.promise("nobody-keeps-others-waiting")
async def test_a_small_batch_waits_for_no_large_one() -> None:
    store = Store(lambda group: None)
    groups = Groups(store.commit, store.commit)
    noisy = [asyncio.create_task(groups.store(batch(rows=40_000))) for _ in range(10)]
    await store.started(LANES)
    quiet = asyncio.create_task(groups.store(batch(rows=SMALL_ROWS)))
    await store.started(LANES + 1)
    assert [each.header.rows for each in store.groups[LANES]] == [SMALL_ROWS]
    assert len(store.groups) == LANES + 1
    store.open.set()
    await asyncio.gather(*noisy, quiet)


@pytest.mark.promise("nobody-keeps-others-waiting")
async def test_the_tenant_and_the_cluster_that_wrote_least_are_next() -> None:
    store = Store()
    groups = Groups(store.commit, store.commit)
    noisy = [uuid4() for _ in range(10)]
    tasks = [
        asyncio.create_task(groups.store(batch(mine, seq=seq, rows=40_000))) for seq in (1, 2, 3) for mine in noisy
    ]
    await store.started(LANES)
    tasks.append(asyncio.create_task(groups.store(batch(tenant=GLOBEX, rows=40_000))))
    quiet = batch(rows=40_000)
    tasks.append(asyncio.create_task(groups.store(quiet)))
    await later(store)
    await asyncio.gather(*tasks)
    order = [group[0] for group in store.groups]
    assert [each.principal.tenant_id for each in order].index(GLOBEX) == LANES, "next"
    assert order.index(quiet) <= len(noisy) + 1, "before a noisy cluster has its second turn"


@pytest.mark.promise("nobody-keeps-others-waiting")
async def test_what_is_slow_goes_alone_in_the_patient_lane_and_others_go_on() -> None:
    slow = batch()
    shared, patient = Store(lambda group: SLOW if slow in group else None), Store()
    shared.open.set()
    groups = Groups(shared.commit, patient.commit)
    asked = asyncio.create_task(groups.store(slow))
    good = [batch() for _ in range(3)]
    answers = await together(groups, *good)
    await patient.started(1)
    assert answers == [Applied(settled_through=1)] * 3, "while the slow one is still in the database"
    assert patient.groups == [[slow]]
    assert await together(groups, batch()) == [Applied(settled_through=1)]
    patient.open.set()
    assert await asked == Applied(settled_through=1)
    assert all(len(group) == 1 for group in shared.groups if slow in group[1:]), "at most once beside others"


async def test_a_cluster_that_was_slow_goes_apart_until_it_is_quick_again() -> None:
    mine = uuid4()
    first, second, third = (batch(mine, seq=seq) for seq in (1, 2, 3))
    shared, patient = Store(lambda group: SLOW if first in group else None), Store()
    shared.open.set()
    groups = Groups(shared.commit, patient.commit)
    tasks = [asyncio.create_task(groups.store(each)) for each in (first, second)]
    await patient.started(1)
    assert second not in [each for group in shared.groups for each in group], "after the first, never beside it"
    patient.open.set()
    await asyncio.gather(*tasks)
    await groups.store(third)
    assert [each for group in patient.groups for each in group] == [first]
    assert [second] in shared.groups
    assert [third] in shared.groups


async def test_what_is_too_slow_for_the_patient_lane_too_is_told_so() -> None:
    store = Store(lambda _: SLOW)
    store.open.set()
    assert await together(Groups(store.commit, store.commit), batch()) == [SLOW]


async def test_who_has_gone_takes_no_turn() -> None:
    store = Store()
    groups = Groups(store.commit, store.commit)
    first = await occupied(store, groups)
    gone = asyncio.create_task(groups.store(batch()))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    store.open.set()
    await asyncio.gather(*first)
    assert await groups.store(batch()) == Applied(settled_through=1)
    assert [len(group) for group in store.groups] == [1] * (LANES + 1)


def test_large_groups_leave_half_of_the_time_to_small_ones_while_there_are_any() -> None:
    store = Store()
    groups = Groups(store.commit, store.commit)
    assert groups.rested_s(Lane.LARGE, 10.0, 10.2) == 10.2, "nobody else is there"
    assert groups.rested_s(Lane.SMALL, 10.0, 10.1) == 10.1
    assert groups.rested_s(Lane.LARGE, 10.0, 10.2) == pytest.approx(10.4)
    assert groups.rested_s(Lane.LARGE, 7.0, 11.0) == pytest.approx(11.25), "but not for long"
    assert groups.rested_s(Lane.LARGE, 11.0, 11.2) == 11.2, "the small ones have gone"
