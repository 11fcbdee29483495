"""The collector of Hubble over relays that are made up: windows, losses, conditions, and relays that go away."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from periplus_contract import flow_words
from periplus_contract.limits import MAX_ROWS_PER_OUTCOME
from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.hubble import CONDITION, NODES_CONDITION, HubbleCollector, HubbleSettings, Relay
from periplus_spoke.collectors.hubble_relay import GrpcRelay
from periplus_spoke.conversion.cutting import within_limits
from periplus_spoke.conversion.hubble.messages import SeenFlow
from periplus_spoke.conversion.protobuf import singles
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.grpc.address import Address

from tests.support import hubble_bytes as hubble
from tests.support.clock import FakeClock
from tests.support.collector_contract import CollectorContract, SinkThatCanShut, running
from tests.support.fake_relay import FakeRelay, fake_relay, frame
from tests.support.flow_rows import as_read
from tests.support.hubble_bytes import Endpoint, Event

HOUR_S = 1_767_225_600


def collector_over(
    open_relay: Callable[[], Awaitable[Relay]], clock: FakeClock, told: dict[str, str] | None = None
) -> HubbleCollector:
    said = {} if told is None else told
    settings = HubbleSettings(row_budget=1_000)
    return HubbleCollector(open_relay, settings, clock, rng=random.Random(1), tell=said.__setitem__)


class Collecting:
    """A collector over a real connection to a relay, by a clock of its own."""

    def __init__(self, relay: FakeRelay) -> None:
        self.relay = relay
        self.clock = FakeClock(datetime.fromtimestamp(HOUR_S + 10, UTC))
        self.told: dict[str, str] = {}
        self.sink = SinkThatCanShut()
        self.collector = collector_over(lambda: GrpcRelay.open(Address("127.0.0.1", relay.port)), self.clock, self.told)
        self._taken = 0
        self._changed = asyncio.Event()
        self._take = self.collector._flows.take
        self.collector._flows.take = self._noted

    def _noted(self, seen: SeenFlow, now_s: int) -> None:
        self._take(seen, now_s)
        self._taken += 1
        self._changed.set()

    async def heard(self, events: int) -> None:
        """Until so many events have come; no time passes."""
        while self._taken < events:
            self._changed.clear()
            await self._changed.wait()

    async def window(self) -> Sealable:
        """The next one that is told."""
        before = len(self.sink.told)
        while len(self.sink.told) == before:
            self.collector.settled.clear()
            await self.clock.run_until(self.collector.settled)
        return self.sink.told[before]

    def at(self, seconds: float, port: int = 41_000) -> Event:
        """A connection so many seconds after the hour."""
        return Event(time_s=HOUR_S + seconds, source=Endpoint("10.0.1.2", port, 77, "shop", "web-1", "web"))


@asynccontextmanager
async def collecting(relay: FakeRelay) -> AsyncIterator[Collecting]:
    async with fake_relay(relay):
        it = Collecting(relay)
        async with running(it.collector, it.sink):
            yield it


def lost(window: Sealable) -> dict[str, int]:
    assert window.flows is not None
    return window.flows.lost


class TestHubble(CollectorContract):
    def collecting(self, folder: Path) -> AbstractAsyncContextManager[Collector]:
        del folder
        return self._new()

    @asynccontextmanager
    async def _new(self) -> AsyncIterator[Collector]:
        clock = FakeClock(datetime.fromtimestamp(HOUR_S + 10, UTC))
        async with fake_relay(FakeRelay(flows=[frame(Event().response())])) as relay:
            collector = collector_over(lambda: GrpcRelay.open(Address("127.0.0.1", relay.port)), clock)
            moving = asyncio.create_task(clock.run_until(asyncio.Event()))
            try:
                yield collector
            finally:
                moving.cancel()
                await asyncio.gather(moving, return_exceptions=True)


async def test_a_window_has_what_the_relay_told_and_no_bytes() -> None:
    async with collecting(FakeRelay(flows=[frame(Event().response())])) as it:
        await it.heard(1)
        window = await it.window()
    assert (window.window_start_s, window.window_s) == (HOUR_S, 60)
    [row] = as_read(window.sections)
    assert (row["src"].workload, row["connections_opened"], row["bytes_tx"]) == ("web", 1, None)
    assert window.flows is not None
    assert (window.flows.node, window.flows.observed, window.flows.unmeasured) == ("", 1, 1)


async def test_a_quiet_minute_is_told_without_rows() -> None:
    async with collecting(FakeRelay()) as it:
        await it.relay.asked.wait()
        first, second, third = [await it.window() for _ in range(3)]
    assert [each.window_start_s for each in (first, second, third)] == [HOUR_S, HOUR_S + 60, HOUR_S + 120]
    assert (second.rows, lost(second), lost(third)) == (0, {}, {})
    # The stream began in the first, so that not all of it was heard.
    assert lost(first) == {flow_words.LOST_UNREAD: 1}


async def test_lost_events_and_unreadable_answers_are_counted() -> None:
    flows = [
        frame(hubble.lost(300)),
        frame(b"\x0a\x05abc"),
        frame(hubble.put(9, "something new")),
        frame(b"x" * 2_000_000),
        frame(Event().response()),
    ]
    async with collecting(FakeRelay(flows=flows)) as it:
        await it.heard(1)
        window = await it.window()
    assert Counter(lost(window)) == {
        flow_words.LOST_EVENTS: 300,
        flow_words.LOST_UNREADABLE: 2,
        flow_words.LOST_UNREAD: 1,
    }


async def test_nodes_that_the_relay_cannot_reach_are_told_as_long_as_they_are_away() -> None:
    async with collecting(
        FakeRelay(nodes=hubble.node_list(b=hubble.UNAVAILABLE, a=hubble.NODE_ERROR, c=hubble.CONNECTED))
    ) as it:
        await it.relay.asked.wait()
        first = await it.window()
        assert it.told[NODES_CONDITION].endswith("2 nodes, whose flows are missing: here/a, here/b")
        it.relay.nodes = hubble.node_list(b=1, a=1, c=1)
        await it.window()
        third = await it.window()
        assert it.told[NODES_CONDITION] == ""
    assert first.flows is not None
    assert (lost(first)[flow_words.LOST_NODES], first.flows.conditions) == (2, (flow_words.NODES_AWAY,))
    assert lost(third) == {}


async def test_a_node_that_hangs_keeps_nobody_from_listening_to_the_others() -> None:
    async with collecting(FakeRelay(answers_nodes=False)) as it:
        await it.clock.run_until(it.relay.asked)
        await it.relay.say(it.at(20).response())
        await it.heard(1)
        first, second = await it.window(), await it.window()
        assert it.told[NODES_CONDITION].startswith("Hubble Relay waits for a node that does not answer")
        assert it.told[CONDITION] == ""
        it.relay.answers_nodes = True
        await it.window()
        fourth = await it.window()
        assert it.told[NODES_CONDITION] == ""
    assert [row["connections_opened"] for row in as_read(first.sections)] == [1]
    assert (lost(second), lost(fourth)) == ({flow_words.LOST_NODES: 1}, {})


@pytest.mark.parametrize("is_taken_out", [False, True])
async def test_a_node_that_moves_is_asked_for_anew(is_taken_out: bool) -> None:
    """A relay reads a node where it first was, or not at all once it was taken out and put in again."""
    here, elsewhere = (hubble.node("here/a", f"192.0.2.{host}:4244", hubble.CONNECTED) for host in (1, 2))
    async with collecting(FakeRelay(nodes=here)) as it:
        await it.relay.asked.wait()
        await it.relay.say(it.at(30).response())
        await it.heard(1)
        it.relay.asked.clear()
        it.relay.nodes = b"" if is_taken_out else elsewhere
        await it.window()
        assert len(it.relay.requests) == 2 - is_taken_out
        it.relay.nodes = here if is_taken_out else elsewhere
        await it.clock.run_until(it.relay.asked)
        await it.window()
        assert it.told[CONDITION] == ""
    [first, second] = [singles(memoryview(request)) for request in it.relay.requests]
    # From when it was last known to be there, and as much earlier as streams overlap.
    assert (7 in first, singles(second[7])[1] - HOUR_S) == (False, 8)


async def test_a_node_that_breaks_off_leaves_a_gap() -> None:
    flows = [
        frame(hubble.nodes(hubble.NODE_ERROR, "here/a", "here/b")),
        frame(hubble.nodes(hubble.CONNECTED, "here/c")),
    ]
    async with collecting(FakeRelay(flows=[*flows, frame(Event().response())])) as it:
        await it.heard(1)
        assert lost(await it.window()) == {flow_words.LOST_UNREAD: 3}


async def test_after_a_break_it_asks_from_where_it_was_and_counts_nothing_twice() -> None:
    async with collecting(FakeRelay()) as it:
        await it.relay.asked.wait()
        await it.relay.say(it.at(10).response(), it.at(20, port=41_001).response())
        await it.heard(2)
        it.clock.step(15)
        it.relay.asked.clear()
        # The relay tells again what it told within the overlap, and what came meanwhile.
        it.relay.flows = [frame(it.at(20, port=41_001).response()), frame(it.at(22, port=41_002).response())]
        it.relay.abort()
        await it.clock.run_until(it.relay.asked)
        first = await it.window()
    assert [7 in singles(memoryview(request)) for request in it.relay.requests] == [False, True]
    since = singles(singles(memoryview(it.relay.requests[1]))[7])
    assert since == {1: HOUR_S + 18, 2: 0}
    [row] = as_read(first.sections)
    assert row["connections_opened"] == 3
    # Begun, ended, and begun again.
    assert lost(first) == {flow_words.LOST_UNREAD: 3}


async def test_a_minute_in_which_nobody_listened_is_not_told() -> None:
    async with collecting(FakeRelay()) as it:
        await it.relay.asked.wait()
        first = await it.window()
        it.relay.answers = False
        it.relay.abort()
        for _ in range(4):
            it.collector.settled.clear()
            await it.clock.run_until(it.collector.settled)
        assert "Hubble Relay is not heard" in it.told[CONDITION]
        it.relay.answers = True
        it.relay.asked.clear()
        await it.clock.run_until(it.relay.asked)
        await it.window()
        starts = [window.window_start_s for window in it.sink.told]
        assert it.told[CONDITION] == ""
    assert starts[0] == first.window_start_s == HOUR_S
    assert len(starts) == len(set(starts))
    # The break falls into the second minute; of those after it nothing is said until the relay is back.
    assert starts[2] - starts[1] >= 180


async def test_an_agent_that_stood_still_heard_nothing_meanwhile() -> None:
    async with collecting(FakeRelay()) as it:
        await it.relay.asked.wait()
        first = await it.window()
        it.clock.step(3_600)
        second = await it.window()
        third = await it.window()
    # Of the minutes in between nothing is told: what passed in them is unknown.
    starts = [each.window_start_s - HOUR_S for each in (first, second, third)]
    assert starts == [0, 60, 3_660]
    assert [lost(each) for each in (second, third)] == [{flow_words.LOST_UNREAD: 1}] * 2


async def test_a_node_of_the_future_hides_no_others_after_a_break() -> None:
    async with collecting(FakeRelay()) as it:
        await it.relay.asked.wait()
        await it.relay.say(it.at(110).response())
        await it.heard(1)
        it.relay.asked.clear()
        it.relay.abort()
        await it.clock.run_until(it.relay.asked)
        now_s = it.clock.wall_us() // 1_000_000
    since = singles(singles(memoryview(it.relay.requests[1]))[7])
    assert since[1] == now_s - 2


async def test_numbers_that_nobody_can_have_counted_end_nothing() -> None:
    relay = FakeRelay(flows=[frame(hubble.lost((1 << 64) - 1)) * 3, frame(Event().response())])
    async with collecting(relay) as it:
        await it.heard(1)
        [part] = within_limits(await it.window())
    assert part.flows is not None
    assert part.flows.lost[flow_words.LOST_EVENTS] == MAX_ROWS_PER_OUTCOME


async def test_a_relay_that_says_nothing_any_more_is_left_and_asked_again() -> None:
    async with collecting(FakeRelay()) as it:
        await it.relay.asked.wait()
        it.relay.answers = False
        hung = asyncio.Event()
        it.collector._tell = lambda name, text: hung.set() if name == CONDITION and text else None
        await it.clock.run_until(hung)
        it.relay.answers = True
        it.relay.asked.clear()
        await it.clock.run_until(it.relay.asked)
    assert len(it.relay.requests) == 2


async def test_without_a_relay_it_says_so_tells_nothing_and_settles() -> None:
    clock, told, sink = FakeClock(), dict[str, str](), SinkThatCanShut()

    async def refused() -> Relay:
        raise ConnectionRefusedError(111, "Connection refused")

    collector = collector_over(refused, clock, told)
    async with running(collector, sink):
        await clock.run_until(collector.settled)
    assert sink.told == []
    assert told[CONDITION].endswith("flows of this time are missing: Connection refused")


async def test_what_the_relay_answers_instead_is_said() -> None:
    async with collecting(FakeRelay(grpc_status=("12", "unknown service observer.Observer"))) as it:
        await it.relay.asked.wait()
        failed = asyncio.Event()

        def tell(name: str, text: str) -> None:
            it.told[name] = text
            failed.set() if text else None

        it.collector._tell = tell
        await it.clock.run_until(failed)
        assert it.told[CONDITION].endswith("unimplemented: unknown service observer.Observer")
