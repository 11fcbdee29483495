"""Exporters that are read directly: windows, resets, other processes behind an address, and pages that say nothing."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web

from periplus_contract import flow_words
from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.exporter_client import Exporter, ExporterClient
from periplus_spoke.collectors.exporter_flows import exporter_flows
from periplus_spoke.collectors.metric_rules import WINDOW_S
from periplus_spoke.conversion.flow_sources import FlowSource
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kube.client import KubeClient

from tests.support.clock import START_S, QuickTimer
from tests.support.collector_contract import CollectorContract
from tests.support.fake_exporter import exposing, page
from tests.support.metric_readers import (
    FLOW,
    NETOBSERV_FLOW,
    NETOBSERV_METRIC,
    RECEIVED,
    SENT,
    Cluster,
    Said,
    of_exporters,
    rows,
    windows,
)


def pod(name: str) -> dict[str, str]:
    return FLOW | {"pod": name}


def rising(turn: int) -> str:
    """100 bytes there and 900 back between two readings."""
    return page({RECEIVED: [(FLOW, 5_000.0 + 100 * turn)], SENT: [(FLOW, 900.0 * turn)]})


def bytes_of(told: list[Sealable]) -> list[list[int | None]]:
    """Those that went out, of each window."""
    return [[row["bytes_tx"] for row in rows(window)] for window in told]


def lost(window: Sealable) -> dict[str, int]:
    assert window.flows is not None
    return dict(window.flows.lost)


class TestExporterFlows(CollectorContract):
    def collecting(self, folder: Path) -> AbstractAsyncContextManager[Collector]:
        del folder
        return self._new()

    @asynccontextmanager
    async def _new(self) -> AsyncIterator[Collector]:
        async with exposing(rising) as exporter:
            yield of_exporters(exporter.url)


async def test_a_window_is_what_rose_between_two_readings_at_its_ends() -> None:
    said = Said()
    async with exposing(rising) as exporter:
        first, second = (await windows(of_exporters(exporter.url, said=said), 2))[:2]
    assert (first.window_start_s, second.window_start_s) == (START_S + WINDOW_S, START_S + 2 * WINDOW_S)
    assert bytes_of([first, second]) == [[100], [100]]
    assert [row["bytes_rx"] for row in rows(first)] == [900]
    assert {row["collector"] for row in rows(first)} == {flow_words.FlowCollector.ISTIO}
    assert (lost(first), said) == ({}, {})


async def test_what_several_exporters_count_adds_up() -> None:
    async with exposing(rising) as one, exposing(rising) as other:
        told = await windows(of_exporters(one.url, other.url), 1)
    assert bytes_of(told[:1]) == [[200]]


async def test_a_series_that_is_reset_gives_nothing_and_takes_nothing_from_others() -> None:
    def says(turn: int) -> str:
        return page({RECEIVED: [(pod("a"), (9_000.0, 50.0, 80.0)[min(turn, 2)]), (pod("b"), 10.0 * turn)]})

    async with exposing(says) as exporter:
        told = await windows(of_exporters(exporter.url), 2)
    assert bytes_of(told[:2]) == [[10], [40]]
    assert [lost(each) for each in told[:2]] == [{flow_words.LOST_RESET: 1}, {}]


async def test_a_series_that_is_new_to_a_process_began_there() -> None:
    def says(turn: int) -> str:
        return page({RECEIVED: [(pod("a"), 10.0), *([(pod("b"), 300.0)] if turn else [])]})

    async with exposing(says) as exporter:
        told = await windows(of_exporters(exporter.url), 2)
    assert bytes_of(told[:2]) == [[300], []]


async def test_where_processes_do_not_say_when_they_began_a_new_series_gives_nothing_yet() -> None:
    def says(turn: int) -> str:
        series = [(pod("a"), 10.0 * turn), *([(pod("b"), 300.0 + turn)] if turn else [])]
        return page({RECEIVED: series}, started=None)

    async with exposing(says) as exporter:
        told = await windows(of_exporters(exporter.url), 2)
    assert bytes_of(told[:2]) == [[10], [11]]


async def test_another_process_behind_the_address_is_not_taken_for_the_one_before() -> None:
    """As behind a Service with an address, which leads to one pod now and to another then."""

    def says(turn: int) -> str:
        which = turn % 2
        return page({RECEIVED: [(FLOW, 1_000_000.0 * which + turn)]}, started=1_000.0 + which)

    async with exposing(says) as exporter:
        told = await windows(of_exporters(exporter.url), 2)
    assert bytes_of(told) == [[] for _ in told]
    assert all(lost(each) == {flow_words.LOST_RESET: 1} for each in told)


async def test_a_page_that_cannot_be_read_is_made_up_for_by_the_next() -> None:
    said = Said()

    def says(turn: int) -> str | web.Response:
        return web.Response(status=503) if turn == 1 else page({RECEIVED: [(FLOW, 100.0 * turn)]})

    async with exposing(says) as exporter, exposing(lambda turn: page({RECEIVED: [(FLOW, 1.0 * turn)]})) as other:
        told = await windows(of_exporters(exporter.url, other.url, said=said), 3)
    assert bytes_of(told[:3]) == [[1], [201], [101]]
    assert [lost(each) for each in told[:3]] == [{flow_words.LOST_UNREAD: 1}, {}, {}]
    assert told[0].flows is not None
    assert told[0].flows.conditions == (flow_words.PARTIAL_ANSWERS,)


async def test_windows_of_which_nothing_was_read_are_counted_in_the_next() -> None:
    def says(turn: int) -> str | web.Response:
        return web.Response(status=500) if turn in {1, 2} else page({RECEIVED: [(FLOW, 100.0 * turn)]})

    async with exposing(says) as exporter:
        told = await windows(of_exporters(exporter.url), 3)
    assert bytes_of(told[:1]) == [[300]]
    assert lost(told[0]) == {flow_words.LOST_UNREAD: 2}


async def test_what_was_read_too_long_ago_is_compared_with_nothing() -> None:
    def says(turn: int) -> str | web.Response:
        return web.Response(status=500) if 0 < turn < 7 else page({RECEIVED: [(FLOW, 100.0 * turn)]})

    async with exposing(says) as exporter:
        told = await windows(of_exporters(exporter.url), 8)
    assert bytes_of(told[:1]) == [[100]]
    assert told[0].window_start_s == START_S + 8 * WINDOW_S


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (lambda _: web.Response(status=401), "prometheus_token_file"),
        (lambda _: web.Response(status=404), "exporter_urls"),
        (lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "status 302"),
        (lambda _: "<html>welcome</html>", "no page of metrics"),
        (lambda _: web.Response(body=b"\xff\xfe{} 1\n"), "no page of metrics"),
        (lambda _: "a" * (17 * 1024 * 1024), "exceeds"),
    ],
    ids=["unauthorized", "nothing", "redirect", "html", "binary", "huge"],
)
async def test_what_is_no_page_is_said(says: Callable[[int], str | web.Response], reason: str) -> None:
    said = Said()
    async with exposing(says) as exporter:
        assert await windows(of_exporters(exporter.url, said=said), 1) == []
    assert reason in said["prometheus_unreachable"]


async def test_pages_without_any_source_are_no_windows_without_flows() -> None:
    said = Said()
    async with exposing(lambda _: page({"up": [({}, 1.0)]})) as exporter:
        assert await windows(of_exporters(exporter.url, said=said), 2) == []
    assert "obi, netobserv, istio" in said["prometheus_empty"]


async def test_a_host_that_nobody_knows_is_named() -> None:
    said = Said()
    assert await windows(of_exporters("http://nobody.invalid/metrics", said=said), 1) == []
    assert "nobody.invalid" in said["prometheus_unreachable"]


async def test_exporters_beyond_what_can_be_remembered_are_not_read_and_said() -> None:
    said = Said()
    async with exposing(rising) as one, exposing(rising) as other:
        told = await windows(of_exporters(one.url, other.url, said=said, most_series=3), 1)
    assert bytes_of(told[:1]) == [[100]]
    assert lost(told[0]) == {flow_words.LOST_UNREAD: 1}
    assert "more than 3 series" in said["prometheus_unreachable"]


async def test_sampled_bytes_are_scaled_once() -> None:
    def says(turn: int) -> str:
        return page({"netobserv_agent_sampling_rate": [({}, 50.0)], NETOBSERV_METRIC: [(NETOBSERV_FLOW, 3.0 * turn)]})

    async with exposing(says) as one, exposing(says) as other:
        told = await windows(of_exporters(one.url, other.url), 1)
    assert bytes_of(told[:1]) == [[300]]
    assert [row["sampling"] for row in rows(told[0])] == [50]


async def test_who_asks_is_proved_and_the_host_is_the_one_that_was_given(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    async with exposing(rising) as exporter:
        named = exporter.url.replace("127.0.0.1", "localhost")
        [first, *_] = await windows(of_exporters(named, prometheus_token_file=token), 1)
        asked = exporter.asked[0]
    assert bytes_of([first]) == [[100]]
    assert asked.headers["Authorization"] == "Bearer secret"
    assert asked.headers["Host"].startswith("localhost:")


async def test_one_exporter_with_addresses_of_both_families_is_one() -> None:
    async with ExporterClient(SpokeConfig(hub=""), 5.0) as client:
        assert await client.behind("http://localhost:9/metrics") == [
            Exporter("http://localhost:9/metrics", "127.0.0.1")
        ]
        [alone] = await client.behind("http://[::1]:9/metrics")
    assert (alone.address, str(alone)) == ("[::1]", "http://[::1]:9/metrics")


async def test_agents_of_nodes_that_count_the_same_bytes_leave_exporters_unread() -> None:
    cluster, said = Cluster(FlowSource(kind="conntrack", state="found")), Said()
    async with exposing(rising) as exporter:
        assert await windows(of_exporters(exporter.url, cluster=cluster, said=said), 2) == []
        assert exporter.asked == []
    assert "count the same bytes" in said["prometheus_unused"]


def test_there_is_no_collector_where_nothing_is_to_be_read() -> None:
    nobody = cast(ClusterReader, None), cast(KubeClient, None)
    for config in (
        SpokeConfig(hub=""),
        SpokeConfig(hub="", exporter_urls=("http://e/metrics",), flow_sources=("hubble",)),
    ):
        assert exporter_flows(config, nobody, QuickTimer(), Said().tell) is None
