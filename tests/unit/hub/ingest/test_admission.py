import asyncio
from contextlib import ExitStack
from uuid import UUID, uuid4

import pytest

from periplus_contract import limits, problems
from periplus_hub.fleet.model import SpokePrincipal, State
from periplus_hub.ingest import admission as module
from periplus_hub.ingest.admission import Admission
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

from tests.support.clock import FakeClock

ACME, GLOBEX = UUID(int=1), UUID(int=2)
MIB = 1024 * 1024


def spoke(tenant: UUID = ACME) -> SpokePrincipal:
    return SpokePrincipal(tenant_id=tenant, registration_id=uuid4(), name="prod", state=State.ACTIVE)


def opened(max_bytes: int = 64 * MIB, max_per_spoke: int = 2) -> Admission:
    return Admission(FakeClock(), max_bytes=max_bytes, max_per_spoke=max_per_spoke)


@pytest.mark.promise("spokes-get-their-share")
def test_a_spoke_gets_its_share_of_slots_and_no_more() -> None:
    admission, one, two = opened(), spoke(), spoke()
    with admission.slot(one), admission.slot(one), admission.slot(two):
        with pytest.raises(SpokeRequestRefusal) as refused, admission.slot(one):
            pass
        assert refused.value.problem is problems.SLOW_DOWN
        assert refused.value.retry_after_s is not None
    with admission.slot(one):
        assert admission.bytes_in_flight == limits.MAX_COMPRESSED_BYTES


@pytest.mark.promise("spokes-get-their-share")
def test_a_tenant_that_fills_its_part_is_told_and_another_is_not() -> None:
    admission = opened(16 * MIB)
    with ExitStack() as held:
        for _ in range(6):
            held.enter_context(admission.slot(spoke()))
        with pytest.raises(SpokeRequestRefusal) as refused, admission.slot(spoke()):
            pass
        assert (refused.value.problem, refused.value.retry_after_s) == (problems.OVERLOADED, 1)
        with admission.slot(spoke(GLOBEX)):
            pass
    assert admission.bytes_in_flight == 0


@pytest.mark.promise("spokes-get-their-share")
async def test_memory_is_promised_before_it_is_used_and_large_batches_leave_some() -> None:
    admission = opened(64 * MIB)
    order: list[str] = []
    hold = asyncio.Event()

    async def large(name: str) -> None:
        async with admission.room(spoke(), 12 * MIB):
            order.append(name)
            assert admission.bytes_in_flight <= 32 * MIB
            await hold.wait()

    tasks = [asyncio.create_task(large(f"large {number}")) for number in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == ["large 0", "large 1"]
    async with admission.room(spoke(), MIB):
        order.append("small")
    hold.set()
    await asyncio.gather(*tasks)
    assert order[:3] == ["large 0", "large 1", "small"]
    assert len(order) == 11
    assert admission.bytes_in_flight == 0


@pytest.mark.promise("nobody-keeps-others-waiting")
async def test_ten_noisy_clusters_do_not_keep_a_quiet_one_from_memory() -> None:
    admission, noisy, quiet = opened(64 * MIB), [spoke() for _ in range(10)], spoke()
    order: list[object] = []
    hold = asyncio.Event()

    async def one(who: SpokePrincipal, name: object) -> None:
        async with admission.room(who, 16 * MIB):
            order.append(name)
            await hold.wait()

    tasks = [asyncio.create_task(one(who, turn)) for turn in range(2) for who in noisy]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(one(quiet, "quiet")))
    hold.set()
    await asyncio.gather(*tasks)
    assert order.index("quiet") <= len(noisy), "before any noisy one has its second turn"


async def test_who_waits_too_long_for_memory_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.01)
    admission = opened(32 * MIB)
    async with admission.room(spoke(), 14 * MIB):
        with pytest.raises(SpokeRequestRefusal) as refused:
            async with admission.room(spoke(), 14 * MIB):
                pass
    assert (refused.value.problem, refused.value.retry_after_s) == (problems.OVERLOADED, 1)
    with pytest.raises(TimeoutError):
        async with admission.room(spoke(), MIB):
            raise TimeoutError
    assert admission.bytes_in_flight == 0


async def test_a_batch_that_fails_gives_its_room_back() -> None:
    admission, one = opened(max_per_spoke=1), spoke()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.slot(one):
            async with admission.room(one, 30 * MIB):
                raise ZeroDivisionError
    assert admission.bytes_in_flight == 0
