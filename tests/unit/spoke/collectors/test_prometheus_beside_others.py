"""Beside agents of nodes and Hubble: what they count, and what a cluster shows, decides what Prometheus is asked."""

from typing import Any

import pytest

from periplus_contract import flow_words
from periplus_spoke.conversion.flow_sources import FlowSource, State

from tests.support.collector_contract import SinkThatCanShut, running
from tests.support.fake_prometheus import FakePrometheus, serving
from tests.support.metric_readers import FLOW, ISTIO, NETOBSERV, Cluster, Said, of_prometheus, rows, windows


async def test_connections_are_hubbles_to_count_where_it_is_read() -> None:
    async with serving(FakePrometheus({**ISTIO, "istio_tcp_connections_opened_total": [(FLOW, 3.0)]})) as fake:
        [alone] = await windows(of_prometheus(fake.url), 1)
        [beside] = await windows(of_prometheus(fake.url, hubble_relay="http://relay"), 1)
    assert [row["connections_opened"] for window in (alone, beside) for row in rows(window)] == [3, None]
    assert [row["bytes_tx"] for row in rows(beside)] == [100]


async def test_a_relay_that_is_not_there_leaves_connections_to_others() -> None:
    cluster = Cluster()
    async with serving(FakePrometheus({**ISTIO, "istio_tcp_connections_opened_total": [(FLOW, 3.0)]})) as fake:
        collector, sink = of_prometheus(fake.url, cluster=cluster, hubble_relay="auto"), SinkThatCanShut()

        async def next_window() -> list[Any]:
            collector.settled.clear()
            await collector.settled.wait()
            return [row["connections_opened"] for row in rows(sink.told[-1])]

        async with running(collector, sink):
            await collector.settled.wait()
            found = [await next_window()]
            cluster.found = (FlowSource(kind="hubble", state="found", service="hubble-relay"),)
            found.append(await next_window())
            cluster.found = ()
            # The relay counted in the window that was asked for just after it had gone.
            found += [await next_window(), await next_window()]
    assert found == [[3], [None], [None], [3]]


@pytest.mark.parametrize(("state", "said_so"), [("found", "count the same bytes"), ("unknown", "name a source")])
async def test_bytes_that_agents_of_nodes_may_count_are_not_read(state: State, said_so: str) -> None:
    said, cluster = Said(), Cluster(FlowSource(kind="conntrack", state=state))
    async with serving(FakePrometheus(ISTIO)) as fake:
        assert await windows(of_prometheus(fake.url, cluster=cluster, said=said), 1) == []
        assert fake.asked == []
        [window] = await windows(of_prometheus(fake.url, cluster=cluster, flow_sources=("istio",)), 1)
    assert said_so in said["prometheus_unused"]
    assert [row["bytes_tx"] for row in rows(window)] == [100]


async def test_agents_that_see_no_pods_leave_the_bytes_to_what_does() -> None:
    blind = FlowSource(kind="conntrack", state="found", missing="Cilium moves packets past conntrack")
    async with serving(FakePrometheus(ISTIO)) as fake:
        [window] = await windows(of_prometheus(fake.url, cluster=Cluster(blind)), 1)
    assert [row["bytes_tx"] for row in rows(window)] == [100]


async def test_agents_that_come_end_the_reading() -> None:
    cluster, sink = Cluster(), SinkThatCanShut()
    async with serving(FakePrometheus(ISTIO)) as fake:
        collector = of_prometheus(fake.url, cluster=cluster)
        async with running(collector, sink):
            await collector.settled.wait()
            cluster.found = (FlowSource(kind="conntrack", state="found"),)
            for _ in range(3):
                collector.settled.clear()
                await collector.settled.wait()
            told = len(sink.told)
            collector.settled.clear()
            await collector.settled.wait()
            assert len(sink.told) == told
            cluster.found = ()
            while len(sink.told) == told:
                collector.settled.clear()
                await collector.settled.wait()
    assert sink.told[told].flows is not None
    assert sink.told[told].flows.lost == {}  # what agents told meanwhile is not lost


async def test_what_the_api_server_shows_is_read_before_what_only_prometheus_has() -> None:
    shown = (FlowSource(kind="istio", state="found"), FlowSource(kind="prometheus", state="found"))
    fake = FakePrometheus({**ISTIO, **NETOBSERV}, rates=("50",))
    async with serving(fake):
        [window] = await windows(of_prometheus(fake.url, cluster=Cluster(*shown)), 1)
    assert [row["collector"] for row in rows(window)] == [flow_words.FlowCollector.ISTIO]


VERDICTS = {
    "hubble_policy_verdicts_total": [
        ({"direction": "ingress", "source_ip": "10.1.0.7", "destination_workload": "db"}, 3.0),
    ]
}


async def test_ciliums_metrics_are_read_where_hubble_is_not_and_nothing_has_bytes() -> None:
    relay, mesh = (FlowSource(kind=kind, state="found", service=kind) for kind in ("hubble", "cilium-mesh"))
    cluster, said = Cluster(mesh), Said()
    async with serving(FakePrometheus(VERDICTS)) as fake, serving(FakePrometheus({**VERDICTS, **ISTIO})) as both:
        [window] = await windows(of_prometheus(fake.url, cluster=cluster), 1)
        [of_bytes] = await windows(of_prometheus(both.url, cluster=cluster), 1)
        assert await windows(of_prometheus(fake.url, hubble_relay="http://relay", said=said), 1) == []
        cluster.found = (relay, mesh)
        assert await windows(of_prometheus(fake.url, cluster=cluster, hubble_relay="auto"), 1) == []
    assert {row["collector"] for row in rows(window)} == {flow_words.FlowCollector.CILIUM_MESH}
    assert {row["collector"] for row in rows(of_bytes)} == {flow_words.FlowCollector.ISTIO}
    assert "cilium-mesh" not in said["prometheus_empty"]
