"""What every collector must hold, whatever it reads. Subclass it, and make the collector over a source."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from periplus_contract.tables import FLOWS, Kind
from periplus_spoke.collectors.base import Collector
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.outbox.model import WINDOWED

PATIENCE_S = 60


class SinkThatCanShut:
    """Takes batches while `open` is set, and notes how many it was handed at once."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.handed = asyncio.Event()
        self.told: list[Sealable] = []
        self.most_at_once = 0
        self._at_once = 0

    async def emit(self, sealable: Sealable) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.handed.set()
        try:
            await self.open.wait()
            self.told.append(sealable)
        finally:
            self._at_once -= 1


@asynccontextmanager
async def running(collector: Collector, sink: SinkThatCanShut) -> AsyncIterator[asyncio.Task[None]]:
    """Run it until the block ends; what it raised fails the test."""
    task = asyncio.create_task(collector.run(sink))
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield task
    finally:
        task.cancel()
        [ended] = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended


def mark_faults(batch: Sealable) -> Iterator[str]:
    """Why the hub could not say how much of the batch's window is known."""
    if batch.kind is not Kind.FLOWS:
        return
    if batch.window_start_s % 60 or batch.window_s <= 0:
        yield "begins within a minute, or has no length: minutes that are told count as seen"
    mark = batch.flows
    if mark is None:
        yield "has no FlowsMark"
        return
    if mark.unmeasured > mark.observed:
        yield "has more unmeasured than observed"
    if not mark.observed and any(section.rows for section in batch.sections if section.table.name == FLOWS.name):
        yield "has rows, of nothing that was observed"


class CollectorContract(ABC):
    """Inherit, and say what stands below."""

    @abstractmethod
    def collecting(self, folder: Path) -> AbstractAsyncContextManager[Collector]:
        """A new collector, not yet run, over a source that can be read and has something to tell."""

    async def test_it_is_named_and_inert_until_it_runs(self, tmp_path: Path) -> None:
        async with self.collecting(tmp_path) as collector:
            assert re.fullmatch(r"[a-z][a-z0-9-]*", collector.name)
            assert not collector.settled.is_set()

    async def test_it_tells_its_first_picture_and_settles(self, tmp_path: Path) -> None:
        sink = SinkThatCanShut()
        async with self.collecting(tmp_path) as collector, running(collector, sink):
            await collector.settled.wait()
            assert sink.told
            assert {batch.kind for batch in sink.told} == {collector.kind}

    async def test_what_it_tells_can_be_encoded(self, tmp_path: Path) -> None:
        sink = SinkThatCanShut()
        async with self.collecting(tmp_path) as collector, running(collector, sink):
            await collector.settled.wait()
        for batch in sink.told:
            assert batch.rows == sum(section.rows for section in encode_sections(batch.sections)[2])
            for section in batch.sections:
                assert {len(values) for values in section.columns.values()} <= {section.rows}
                assert section.columns.keys() <= set(section.table.column_names)
                must = {column.name for column in section.table.columns if not column.nullable}
                assert not section.rows or must <= section.columns.keys()

    async def test_every_batch_of_flows_says_what_coverage_is_computed_of(self, tmp_path: Path) -> None:
        sink = SinkThatCanShut()
        async with self.collecting(tmp_path) as collector, running(collector, sink):
            await collector.settled.wait()
        faults = {fault for batch in sink.told for fault in mark_faults(batch)}
        assert not faults, f"a batch {'; '.join(sorted(faults))}"

    async def test_it_settles_again_after_it_is_asked_for_everything(self, tmp_path: Path) -> None:
        sink = SinkThatCanShut()
        async with self.collecting(tmp_path) as collector, running(collector, sink):
            await collector.settled.wait()
            before = len(sink.told)
            collector.request_snapshot()
            stands_alone = collector.kind in WINDOWED
            assert collector.settled.is_set() == stands_alone
            await collector.settled.wait()
            assert len(sink.told) > before or stands_alone

    async def test_it_hands_in_one_batch_at_a_time_and_waits_for_it(self, tmp_path: Path) -> None:
        sink = SinkThatCanShut()
        sink.open.clear()
        async with self.collecting(tmp_path) as collector, running(collector, sink):
            await sink.handed.wait()
            assert not collector.settled.is_set()
            collector.request_snapshot()
            sink.open.set()
            await collector.settled.wait()
        assert sink.most_at_once == 1

    async def test_cancelled_while_it_hands_in_it_ends_and_tells_no_more(self, tmp_path: Path) -> None:
        sink = SinkThatCanShut()
        sink.open.clear()
        async with self.collecting(tmp_path) as collector, running(collector, sink) as task:
            await sink.handed.wait()
            task.cancel()
            await asyncio.wait([task])
            sink.open.set()
        assert sink.told == []
