"""The collector of flows from Prometheus, over a real socket: windows, sources, and servers that answer badly."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from periplus_contract import flow_words
from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.metric_rules import WINDOW_S
from periplus_spoke.collectors.prometheus_flows import prometheus_flows
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kube.client import KubeClient

from tests.support.clock import START_S, QuickTimer
from tests.support.collector_contract import CollectorContract, SinkThatCanShut, running
from tests.support.fake_prometheus import FakePrometheus, Misbehaviour, endless, never, saying, serving
from tests.support.metric_readers import (
    FLOW,
    ISTIO,
    NETOBSERV,
    RECEIVED,
    SENT,
    Said,
    of_prometheus,
    rows,
    windows,
)


class TestPrometheusFlows(CollectorContract):
    def collecting(self, folder: Path) -> AbstractAsyncContextManager[Collector]:
        del folder
        return self._new()

    @asynccontextmanager
    async def _new(self) -> AsyncIterator[Collector]:
        async with serving(FakePrometheus(ISTIO)) as fake:
            yield of_prometheus(fake.url)


async def test_windows_are_asked_for_when_they_are_over_and_begin_after_the_agent() -> None:
    async with serving(FakePrometheus(ISTIO), "/select/0/prometheus") as fake:
        first, second = await windows(of_prometheus(fake.url), 2)
    assert (first.window_start_s, second.window_start_s) == (START_S + WINDOW_S, START_S + 2 * WINDOW_S)
    assert {int(each.query["time"]) for each in fake.asked[:7]} == {START_S + 2 * WINDOW_S}
    [row] = rows(first)
    assert (row["bytes_tx"], row["bytes_rx"], row["connections_opened"], row["collector"]) == (
        100,
        900,
        None,
        flow_words.FlowCollector.ISTIO,
    )
    assert first.flows is not None
    assert (first.flows.lost, first.flows.node) == ({}, "")


async def test_a_question_is_of_the_window_alone_and_counts_replicas_once() -> None:
    async with serving(FakePrometheus(ISTIO)) as fake:
        await windows(
            of_prometheus(fake.url, prometheus_selector='cluster="east"', prometheus_replica_labels=("r",)), 1
        )
    asked = [each.query["query"] for each in fake.asked]
    query = next(each for each in asked if each.startswith("sum by") and RECEIVED in each)
    series = f'{{__name__=~"{RECEIVED}",reporter=~"source|destination",cluster="east"}}'
    assert f"(max without (r) ({series}) - max without (r) ({series} offset 60s)) >= 0" in query


async def test_of_two_sources_of_the_same_bytes_the_better_one_is_read() -> None:
    fake = FakePrometheus({**ISTIO, **NETOBSERV}, rates=("50",))
    async with serving(fake):
        [window] = await windows(of_prometheus(fake.url), 1)
        [other] = await windows(of_prometheus(fake.url, flow_sources=("istio", "netobserv")), 1)
    assert [(row["collector"], row["bytes_tx"], row["sampling"]) for row in rows(window)] == [
        (flow_words.FlowCollector.NETOBSERV, 150, 50)
    ]
    assert [row["collector"] for row in rows(other)] == [flow_words.FlowCollector.ISTIO]


async def test_a_clock_that_is_set_back_tells_no_window_twice() -> None:
    async with serving(FakePrometheus(ISTIO)) as fake:
        timer, sink = QuickTimer(), SinkThatCanShut()
        collector = of_prometheus(fake.url, timer=timer)
        async with running(collector, sink):
            for turn in range(20):
                collector.settled.clear()
                await collector.settled.wait()
                if turn == 6:
                    timer.us -= 5 * WINDOW_S * 1_000_000
    starts = [window.window_start_s for window in sink.told]
    assert starts == [START_S + WINDOW_S * (number + 1) for number in range(len(starts))]
    assert len(starts) > 10


async def test_a_name_that_no_metrics_have_is_said_with_those_they_have() -> None:
    said = Said()
    async with serving(FakePrometheus(ISTIO)) as fake:
        assert await windows(of_prometheus(fake.url, said=said, prometheus_cluster="eastern"), 1) == []
        assert said["prometheus_cluster"].endswith("'eastern': give one of the names east")
        assert len(await windows(of_prometheus(fake.url, said=said, prometheus_cluster="east"), 1)) == 1
    assert "prometheus_cluster" not in said


async def test_several_prometheis_are_never_added_up() -> None:
    async with serving(FakePrometheus(ISTIO)) as one, serving(FakePrometheus(ISTIO)) as other:
        [window] = await windows(of_prometheus(one.url, other.url), 1)
    assert [row["bytes_tx"] for row in rows(window)] == [100]


async def test_one_that_does_not_answer_is_made_up_for_by_another_and_named() -> None:
    said = Said()
    async with serving(FakePrometheus(misbehave=saying("no", 503))) as one, serving(FakePrometheus(ISTIO)) as other:
        [window] = await windows(of_prometheus(one.url, other.url, said=said), 1)
    assert [row["bytes_tx"] for row in rows(window)] == [100]
    assert one.url in said["prometheus_unreachable"]


@pytest.mark.parametrize(
    ("misbehave", "reason"),
    [
        (never, "did not answer within"),
        (endless, "exceeds"),
        (saying("<html>welcome</html>"), "not the API of Prometheus"),
        (saying("{}", 302), "status 302"),
        (saying("", 401), "prometheus_token_file"),
        (saying("[" * 100_000), "not the API of Prometheus"),
        (saying(json.dumps({"status": "error", "errorType": "timeout", "error": "query timed out"}), 503), "timed out"),
        (saying(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}})), "something else"),
    ],
    ids=["silent", "endless", "html", "redirect", "unauthorized", "deep", "error", "matrix"],
)
async def test_a_window_of_which_nothing_could_be_read_is_not_told_and_the_reason_is(
    misbehave: Misbehaviour, reason: str
) -> None:
    said, fake = Said(), FakePrometheus(ISTIO, misbehave=misbehave)
    async with serving(fake):
        assert await windows(of_prometheus(fake.url, said=said, answer_s=2.0), 1) == []
    assert reason in said["prometheus_unreachable"]


async def test_windows_that_were_not_read_are_counted_in_the_next_that_is() -> None:
    fake, said = FakePrometheus(ISTIO, misbehave=saying("", 500)), Said()
    async with serving(fake):
        collector, sink = of_prometheus(fake.url, said=said), SinkThatCanShut()
        async with running(collector, sink):
            for _ in range(3):
                await collector.settled.wait()
                collector.settled.clear()
            fake.misbehave = None
            await sink.handed.wait()
    mark = sink.told[0].flows
    assert mark is not None
    assert mark.lost[flow_words.LOST_UNREAD] >= 3
    assert "prometheus_unreachable" not in said


async def test_a_measure_that_could_not_be_read_is_unknown_and_the_others_are_told() -> None:
    said = Said()
    fake = FakePrometheus(ISTIO, misbehave=saying("", 500), misbehaves_for=f'(max without (r) ({{__name__=~"{SENT}"')
    async with serving(fake):
        [window] = await windows(of_prometheus(fake.url, said=said, prometheus_replica_labels=("r",)), 1)
    [row] = rows(window)
    assert (row["bytes_tx"], row["bytes_rx"]) == (100, None)
    assert window.flows is not None
    assert window.flows.lost == {flow_words.LOST_UNREAD: 1}
    assert "500" in said["prometheus"]


async def test_a_partial_answer_is_used_and_named() -> None:
    said, fake = Said(), FakePrometheus(ISTIO, warnings=["store 10.0.0.9: unavailable\x1b[2J"])
    async with serving(fake):
        [window] = await windows(of_prometheus(fake.url, said=said), 1)
    assert window.flows is not None
    assert window.flows.conditions == (flow_words.PARTIAL_ANSWERS,)
    assert window.flows.lost[flow_words.LOST_UNREAD] == 6
    assert "unavailable" in said["prometheus"]
    assert "\x1b" not in said["prometheus"]


async def test_elements_that_are_no_samples_are_counted_and_the_others_used() -> None:
    bad = [(FLOW, float("nan")), (FLOW, float("inf")), (FLOW, -1.0)]
    fake = FakePrometheus({RECEIVED: [*ISTIO[RECEIVED], *bad]})
    async with serving(fake):
        [window] = await windows(of_prometheus(fake.url), 1)
    assert [row["bytes_tx"] for row in rows(window)] == [100]
    assert window.flows is not None
    assert window.flows.lost == {flow_words.LOST_UNREADABLE: 3}


async def test_a_prometheus_without_any_source_is_not_a_window_without_flows() -> None:
    said = Said()
    async with serving(FakePrometheus()) as fake:
        assert await windows(of_prometheus(fake.url, said=said), 2) == []
    assert "obi, netobserv, istio" in said["prometheus_empty"]


async def test_a_source_that_is_gone_is_not_told_as_quiet_and_the_next_one_is_looked_for() -> None:
    fake = FakePrometheus({**NETOBSERV, **ISTIO}, rates=("1",))
    async with serving(fake):
        collector, sink = of_prometheus(fake.url), SinkThatCanShut()
        async with running(collector, sink):
            await collector.settled.wait()
            fake.rises = ISTIO
            while len(sink.told) < 2:
                collector.settled.clear()
                await collector.settled.wait()
    found = [row["collector"] for window in sink.told[:2] for row in rows(window)]
    assert found == [flow_words.FlowCollector.NETOBSERV, flow_words.FlowCollector.ISTIO]


async def test_who_asks_is_proved_by_the_file_as_it_is_now(tmp_path: Path) -> None:
    token, user = tmp_path / "token", tmp_path / "user"
    token.write_text("first\n")
    user.write_text("somebody:secret")
    async with serving(FakePrometheus(ISTIO)) as fake:
        collector, sink = of_prometheus(fake.url, prometheus_token_file=token), SinkThatCanShut()
        async with running(collector, sink):
            await collector.settled.wait()
            token.write_text("second\n")
            while not any(each.headers["Authorization"] == "Bearer second" for each in fake.asked):
                collector.settled.clear()
                await collector.settled.wait()
        assert fake.asked[0].headers["Authorization"] == "Bearer first"
        fake.asked.clear()
        await windows(of_prometheus(fake.url, prometheus_basic_auth_file=user), 1)
        assert fake.asked[0].headers["Authorization"] == "Basic c29tZWJvZHk6c2VjcmV0"


async def test_a_secret_that_cannot_be_read_is_trouble_and_no_end(tmp_path: Path) -> None:
    said = Said()
    async with serving(FakePrometheus(ISTIO)) as fake:
        assert await windows(of_prometheus(fake.url, said=said, prometheus_token_file=tmp_path / "gone"), 1) == []
    assert "gone" in said["prometheus_unreachable"]


async def test_what_is_far_behind_is_given_up_and_counted() -> None:
    async with serving(FakePrometheus(ISTIO)) as fake:
        timer, sink = QuickTimer(), SinkThatCanShut()
        collector = of_prometheus(fake.url, timer=timer)
        sink.open.clear()
        async with running(collector, sink):
            await sink.handed.wait()
            await timer.sleep(20 * WINDOW_S)
            sink.open.set()
            while len(sink.told) < 2:
                collector.settled.clear()
                await collector.settled.wait()
    first, second = sink.told[:2]
    skipped = (second.window_start_s - first.window_start_s) // WINDOW_S - 1
    assert skipped >= 15
    assert second.flows is not None
    assert second.flows.lost[flow_words.LOST_UNREAD] == skipped


def test_there_is_no_collector_where_nothing_is_to_be_read() -> None:
    for config in (
        SpokeConfig(hub=""),
        SpokeConfig(hub="", prometheus_urls=("http://p",), flow_sources=("conntrack", "istio")),
        SpokeConfig(hub="", prometheus_urls=("http://p",), flow_sources=("hubble",)),
    ):
        of = cast(tuple[ClusterReader, KubeClient], (None, None))
        assert prometheus_flows(config, of, QuickTimer(), Said().tell) is None


async def test_a_label_of_10_mb_names_nobody_and_the_others_are_used() -> None:
    fake = FakePrometheus({RECEIVED: [*ISTIO[RECEIVED], (FLOW | {"source_workload": "w" * 10_000_000}, 1.0)]})
    async with serving(fake):
        [window] = await windows(of_prometheus(fake.url), 1)
    assert [row["bytes_tx"] for row in rows(window)] == [100]
    assert window.flows is not None
    assert window.flows.lost == {flow_words.LOST_UNREADABLE: 1}
