import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import pytest

from periplus_hub.embedded_postgres.supervisor import failures_in_a_row, restart_wait_s
from periplus_hub.kit.events import LAGGED, Event, Events
from periplus_hub.kit.jobs import JobRunner
from periplus_hub.kit.metrics import REGISTRY
from periplus_hub.kit.tasks import beside

from tests.support.clock import FakeClock

ACME, GLOBEX = UUID(int=1), UUID(int=2)


async def test_a_listener_hears_its_tenants_topics_and_no_others() -> None:
    events = Events()
    with events.subscribe(ACME, "overlaps") as heard, events.subscribe(None, "overlaps") as everything:
        events.publish(GLOBEX, "overlaps")
        events.publish(ACME, "findings")
        events.publish(ACME, "overlaps", {"id": "1"})
        assert await anext(heard) == Event(ACME, "overlaps", {"id": "1"})
        assert (await anext(everything)).tenant_id == GLOBEX


async def test_a_listener_that_is_too_slow_is_told_to_read_everything_again() -> None:
    events = Events()
    with events.subscribe(ACME, "pods") as heard:
        for number in range(300):
            events.publish(ACME, "pods", {"n": number})
        assert (await anext(heard)).topic == LAGGED
        assert (await anext(heard)).payload["n"] > 256


async def test_a_server_that_dies_after_a_good_life_is_started_again_at_once() -> None:
    assert restart_wait_s(failures_in_a_row(0, lived_s=3_600)) == restart_wait_s(1) < 1
    assert restart_wait_s(failures_in_a_row(9, lived_s=3_600)) == restart_wait_s(1)
    assert restart_wait_s(failures_in_a_row(9, lived_s=1)) == restart_wait_s(99)


async def test_events_go_on_to_other_replicas() -> None:
    forwarded: list[Event] = []
    events = Events(forward=forwarded.append)
    events.publish(ACME, "pods")
    assert [event.topic for event in forwarded] == ["pods"]


@dataclass
class Counting:
    name: str
    fails: bool = False
    interval_s: float = 3_600
    ran: asyncio.Event = field(default_factory=asyncio.Event)
    runs: int = 0

    async def run(self, now: datetime) -> None:
        assert now.tzinfo is not None
        self.runs += 1
        self.ran.set()
        if self.fails:
            raise LookupError(self.name)


async def test_every_job_runs_and_a_nudge_runs_it_again() -> None:
    first, second = Counting("test.first"), Counting("test.second")
    runner = JobRunner([first, second], FakeClock())
    async with beside(runner.run()):
        await asyncio.gather(first.ran.wait(), second.ran.wait())
        first.ran.clear()
        runner.nudge("test.first")
        await first.ran.wait()
    assert (first.runs, second.runs) == (2, 1)


async def test_a_failing_job_is_counted_and_gets_its_next_turn() -> None:
    job = Counting("test.failing", fails=True)
    runner = JobRunner([job], FakeClock())
    async with beside(runner.run()):
        await job.ran.wait()
        job.ran.clear()
        runner.nudge("test.failing")
        await job.ran.wait()
    assert REGISTRY.get_sample_value("periplus_job_runs_total", {"job": "test.failing", "outcome": "failed"}) == 2


async def test_work_beside_a_block_ends_with_it() -> None:
    ended = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with beside(forever()):
        await asyncio.sleep(0)
    assert ended.is_set()


async def test_failing_work_ends_its_block_with_its_own_error() -> None:
    async def fail() -> None:
        raise LookupError("work")

    async def block() -> None:
        async with beside(fail()):
            await asyncio.Event().wait()

    with pytest.raises(LookupError, match="work"):
        await block()


async def test_a_failing_block_raises_its_own_error() -> None:
    async def block() -> None:
        async with beside(asyncio.sleep(3_600)), beside():
            raise LookupError("block")

    with pytest.raises(LookupError, match="block"):
        await block()
