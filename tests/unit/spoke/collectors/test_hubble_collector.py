"""The collector of Hubble over relays that are made up: windows, losses, conditions, and relays that go away."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from periplus_contract import flow_words
from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.hubble import CONDITION, NODES_CONDITION, HubbleCollector, HubbleSettings, Relay
from periplus_spoke.collectors.hubble_relay import GrpcRelay, counts_connections, hubble_flows, relay_address
from periplus_spoke.conversion.flow_sources import Chosen, FlowSource, State
from periplus_spoke.conversion.hubble.messages import SeenFlow
from periplus_spoke.conversion.protobuf import singles
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.grpc.address import Address, Tls
from periplus_spoke.kit.config import load
from periplus_spoke.kit.errors import ConfigError

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
    async with collecting(FakeRelay(status=hubble.status(2, "here/b", "here/a"))) as it:
        await it.relay.asked.wait()
        first = await it.window()
        assert it.told[NODES_CONDITION].endswith("2 nodes, whose flows are missing: here/a, here/b")
        it.relay.status = hubble.status()
        await it.window()
        third = await it.window()
        assert it.told[NODES_CONDITION] == ""
    assert first.flows is not None
    assert (lost(first)[flow_words.LOST_NODES], first.flows.conditions) == (2, (flow_words.NODES_AWAY,))
    assert lost(third) == {}


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
        it.relay.answers_status = False
        it.relay.abort()
        for _ in range(4):
            it.collector.settled.clear()
            await it.clock.run_until(it.collector.settled)
        assert "Hubble Relay is not heard" in it.told[CONDITION]
        it.relay.answers_status = True
        it.relay.asked.clear()
        await it.clock.run_until(it.relay.asked)
        await it.window()
        starts = [window.window_start_s for window in it.sink.told]
        assert it.told[CONDITION] == ""
    assert starts[0] == first.window_start_s == HOUR_S
    assert len(starts) == len(set(starts))
    # The break falls into the second minute; of those after it nothing is said until the relay is back.
    assert starts[2] - starts[1] >= 180


async def test_a_relay_that_says_nothing_any_more_is_left_and_asked_again() -> None:
    async with collecting(FakeRelay()) as it:
        await it.relay.asked.wait()
        it.relay.answers_status = False
        hung = asyncio.Event()
        it.collector._tell = lambda name, text: hung.set() if name == CONDITION and text else None
        await it.clock.run_until(hung)
        it.relay.answers_status = True
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


HUB: dict[str, object] = {"hub": "https://hub.example"}
RELAY = FlowSource(kind="hubble", state="found", namespace="kube-system", service="hubble-relay", port=80)


class Shown:
    """A cluster of which only its sources of flows are known."""

    def __init__(self, *sources: Chosen) -> None:
        self.sources = sources
        self.inventory = self

    def flow_sources(self) -> tuple[Chosen, ...]:
        return self.sources


def configured(cluster: Any, told: dict[str, str] | None = None, **settings: object) -> HubbleCollector | None:
    said = {} if told is None else told
    return hubble_flows(load(HUB | settings, {}), cluster, FakeClock(), random.Random(1), said.__setitem__)


def test_it_runs_where_a_relay_is_configured_and_hubble_may_be_read() -> None:
    assert configured(Shown()) is None
    assert configured(Shown(), hubble_relay="http://relay", flow_sources="istio,obi") is None
    assert configured(Shown(), hubble_relay="http://relay") is not None
    assert configured(Shown(), hubble_relay="auto", flow_sources="conntrack,hubble") is not None


AGENTS: dict[State, Chosen] = {
    state: Chosen(FlowSource(kind="conntrack", state=state), "") for state in ("found", "unknown", "absent")
}


@pytest.mark.parametrize(
    ("settings", "agents", "counts"),
    [
        ({}, "absent", True),
        ({}, "found", False),
        ({}, "unknown", False),
        ({"flow_sources": "hubble"}, "unknown", True),
        ({"flow_sources": "hubble,obi"}, "absent", True),
        ({"flow_sources": "hubble,conntrack"}, "absent", False),
        ({"flow_sources": "istio,hubble"}, "absent", False),
        ({"prometheus_urls": "http://prometheus:9090"}, "absent", False),
    ],
)
def test_one_source_counts_connections(settings: dict[str, object], agents: State, counts: bool) -> None:
    assert counts_connections(load(HUB | settings, {}), (AGENTS[agents],)) is counts


def test_agents_that_see_nothing_count_nothing() -> None:
    past = Chosen(FlowSource(kind="conntrack", state="found", missing="packets take another way"), "unreadable")
    assert counts_connections(load(HUB, {}), (past,))


async def test_where_none_is_found_or_may_be_read_it_waits_without_trouble() -> None:
    async with fake_relay(FakeRelay()) as relay:
        clock, told, cluster = FakeClock(), {CONDITION: "not said"}, Shown(AGENTS["absent"])
        auto = load(HUB | {"hubble_relay": "auto"}, {})
        anything: Any = cluster
        collector = hubble_flows(auto, anything, clock, random.Random(1), told.__setitem__)
        assert collector is not None
        sink = SinkThatCanShut()
        async with running(collector, sink):
            await clock.run_until(collector.settled)
            assert (told[CONDITION], sink.told, relay.accepted) == ("", [], 0)
            cluster.sources = (Chosen(RELAY, "not-chosen"), AGENTS["absent"])
            collector.settled.clear()
            await clock.run_until(collector.settled)
            assert (told[CONDITION], sink.told, relay.accepted) == ("", [], 0)


def test_the_address_and_how_the_relay_is_known() -> None:
    assert relay_address(load(HUB | {"hubble_relay": "http://relay"}, {})) == Address("relay", 80)
    files = {"hubble_ca": "/ca", "hubble_certificate": "/crt", "hubble_key": "/key"}
    tls = Tls(Path("/ca"), "ui.hubble-relay.cilium.io", Path("/crt"), Path("/key"))
    config = load(HUB | {"hubble_relay": "https://[fd00::1]:4245", **files}, {})
    assert relay_address(config) == Address("fd00::1", 4245, tls)
    assert Address("fd00::1", 4245).authority == "[fd00::1]:4245"
    found = load(HUB | {"hubble_relay": "auto", **files}, {})
    assert relay_address(found) is None
    assert relay_address(found, RELAY) == Address("hubble-relay.kube-system.svc", 80)
    encrypted = FlowSource(
        kind="hubble", state="found", namespace="cilium", service="hubble-relay", port=443, is_tls=True
    )
    assert relay_address(found, encrypted) == Address("hubble-relay.cilium.svc", 443, tls)


@pytest.mark.parametrize(
    "settings",
    [
        {"hubble_relay": "relay:80"},
        {"hubble_relay": "http://relay/path"},
        {"hubble_relay": "https://relay", "hubble_certificate": "/crt"},
        {"hubble_relay": "http://relay", "hubble_ca": "/ca"},
        {"hubble_ca": "/ca"},
    ],
)
def test_what_cannot_be_meant_stops_the_start(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        load(HUB | settings, {})
