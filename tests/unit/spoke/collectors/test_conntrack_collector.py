"""The collector of connections over a kernel that is made up: windows, conditions, and what it says when it cannot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from periplus_contract import flow_words
from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.conntrack import ConntrackCollector, ConntrackSettings
from periplus_spoke.conversion.conntrack.local_networks import LocalNetworks
from periplus_spoke.conversion.conntrack.messages import Ending, Entries
from periplus_spoke.conversion.records import Sealable

from tests.support.clock import START_S, QuickTimer
from tests.support.collector_contract import CollectorContract, SinkThatCanShut, running
from tests.support.conntrack_bytes import Connection, entries
from tests.support.flow_rows import as_read

POD = (0xFFFF0A010002, 128)
SERVER_POD = (0xFFFF0A010003, 128)


@dataclass
class Kernel:
    """One connection that sends 100 bytes between two readings, and what else a test wants."""

    refusal: OSError | None = None
    accounting: bool | None = True
    overruns: int = 0
    here: tuple[tuple[int, int], ...] = (POD,)
    readings: int = 0
    ended: list[Connection] = field(default_factory=list)
    connection: Connection = field(default_factory=lambda: Connection(status=0x18E))
    closed: int = 0

    def open(self) -> "Kernel":
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal
        return self

    def dump(self, take: Callable[[Entries], None]) -> Ending:
        self.readings += 1
        now = self.connection
        if now.counters:
            now = replace(now, counters=(self.readings, 100 * self.readings, 1, 40))
        take(entries(now))
        return Ending(is_done=True)

    def read_events(self, take: Callable[[Entries], None]) -> tuple[bool, int]:
        take(entries(*self.ended, is_destroyed=True))
        self.ended.clear()
        lost, self.overruns = self.overruns > 0, max(self.overruns - 1, 0)
        return lost, 0

    def networks(self) -> LocalNetworks:
        return LocalNetworks(self.here)

    def is_accounting(self) -> bool | None:
        return self.accounting

    def close(self) -> None:
        self.closed += 1


def collector_of(kernel: Kernel, told: dict[str, str] | None = None) -> ConntrackCollector:
    settings = ConntrackSettings(node="node-1")
    said = {} if told is None else told
    return ConntrackCollector(kernel.open, settings, QuickTimer(), said.__setitem__)


async def windows(kernel: Kernel, count: int, told: dict[str, str] | None = None) -> list[Sealable]:
    sink, collector = SinkThatCanShut(), collector_of(kernel, told)
    async with running(collector, sink):
        for number in range(1, count + 1):
            await collector.settled.wait()
            collector.settled.clear()
            assert len(sink.told) == number
    return sink.told


class TestConntrack(CollectorContract):
    def collecting(self, folder: Path) -> AbstractAsyncContextManager[Collector]:
        del folder
        return self._new()

    @asynccontextmanager
    async def _new(self) -> AsyncIterator[Collector]:
        yield collector_of(Kernel())


async def test_windows_are_aligned_and_hold_what_passed_between_readings() -> None:
    first, second = await windows(Kernel(), 2)
    assert (first.window_start_s, first.window_s, second.window_start_s) == (START_S, 60, START_S + 60)
    rows = [as_read(window.sections) for window in (first,)]
    assert [(row["bytes_tx"], row["dst_port"], row["reporter"]) for [row] in rows] == [
        (200, 8080, flow_words.Reporter.CLIENT)
    ]
    assert second.flows is not None
    assert (second.flows.node, second.flows.observed, second.flows.conditions) == ("node-1", 1, ())


async def test_who_reports_follows_from_which_end_is_here() -> None:
    for here, reporter in (((SERVER_POD,), flow_words.Reporter.SERVER), ((POD, SERVER_POD), flow_words.Reporter.BOTH)):
        [window] = await windows(Kernel(here=here), 1)
        assert [row["reporter"] for row in as_read(window.sections)] == [reporter]


async def test_what_only_passes_through_is_another_nodes_to_tell() -> None:
    [window] = await windows(Kernel(here=()), 1)
    assert window.rows == 0


async def test_without_accounting_bytes_are_unknown_and_the_sysctl_is_named() -> None:
    told: dict[str, str] = {}
    kernel = Kernel(accounting=False, connection=Connection(counters=None))
    [window] = await windows(kernel, 1, told)
    [row] = as_read(window.sections)
    assert (row["bytes_tx"], row["bytes_rx"], row["connections_opened"]) == (None, None, 0)
    assert window.flows is not None
    assert (window.flows.observed, window.flows.unmeasured) == (1, 1)
    assert window.flows.conditions == (flow_words.ACCOUNTING_OFF,)
    assert "nf_conntrack_acct=1" in told["conntrack_accounting"]


async def test_events_that_the_kernel_lost_are_counted() -> None:
    [window] = await windows(Kernel(overruns=3), 1)
    assert window.flows is not None
    assert window.flows.lost == {flow_words.LOST_OVERRUN: 3}


async def test_without_the_right_to_read_it_says_which_and_goes_on_trying() -> None:
    told: list[tuple[str, str]] = []
    kernel = Kernel(refusal=PermissionError(1, "Operation not permitted"))
    collector = ConntrackCollector(
        kernel.open, ConntrackSettings(node="n"), QuickTimer(), lambda name, text: told.append((name, text))
    )
    sink = SinkThatCanShut()
    async with running(collector, sink):
        await collector.settled.wait()
    [(_, said)] = [(name, text) for name, text in told if name == "conntrack" and text]
    assert "NET_ADMIN" in said
    assert told[-1] == ("conntrack_accounting", "") or ("conntrack", "") in told
    [window] = sink.told
    assert window.flows is not None
    assert window.flows.lost == {flow_words.LOST_UNREAD: 1}


async def test_what_was_opened_as_the_agent_stopped_is_closed() -> None:
    kernel, loop = Kernel(), asyncio.get_running_loop()

    def opened_too_late() -> Kernel:
        loop.call_soon_threadsafe(reading.cancel)
        return kernel

    collector = ConntrackCollector(opened_too_late, ConntrackSettings(node="node-1"), QuickTimer(), {}.__setitem__)
    reading = asyncio.create_task(collector.run(SinkThatCanShut()))
    await asyncio.gather(reading, return_exceptions=True)
    assert kernel.closed == 1
