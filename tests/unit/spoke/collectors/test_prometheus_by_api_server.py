"""Flows of a Prometheus in a cluster whose agent is outside of it: its API server passes the questions on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from periplus_spoke.collectors.prometheus_by_api_server import PrometheusByApiServer
from periplus_spoke.collectors.prometheus_flows import WINDOW_S, PrometheusFlows
from periplus_spoke.conversion.flow_sources import FlowSource, choose
from periplus_spoke.kit.config import load
from periplus_spoke.kit.errors import ConfigError

from tests.support.clock import START_S, QuickTimer
from tests.support.fake_prometheus import FakePrometheus, Misbehaviour, endless, saying
from tests.support.kube_api import FakeKube, Trouble
from tests.support.metric_readers import ISTIO, Cluster, Said, of_prometheus, outside, rows, windows

NEAR = FlowSource(kind="prometheus", state="found", namespace="monitoring", service="prometheus-k8s", port=9090)
FAR = FlowSource(
    kind="prometheus", state="found", namespace="o11y", service="mimir", port=8080, is_tls=True, path="/prometheus"
)
NEAR_PATH = "/api/v1/namespaces/monitoring/services/http:prometheus-k8s:9090/proxy"
FAR_PATH = "/api/v1/namespaces/o11y/services/https:mimir:8080/proxy"
QUERY = "/api/v1/query"


@asynccontextmanager
async def asking(
    kube: FakeKube, folder: Path, *found: FlowSource, said: Said | None = None, **settings: Any
) -> AsyncIterator[PrometheusFlows]:
    """The collector of a cluster in which these were found."""
    cluster = Cluster(*found, reads=frozenset(("prometheus",)))
    async with outside(kube, folder) as client:
        through = PrometheusByApiServer(client, cluster.sources, 30.0)
        yield of_prometheus(cluster=cluster, said=said, through=through, prometheus_by_api_server=True, **settings)


def passing_on(**behind: FakePrometheus) -> FakeKube:
    """With what answers near and far."""
    kube = FakeKube()
    paths = {"near": NEAR_PATH, "far": FAR_PATH}
    kube.passed_on = {paths[name]: prometheus.answer for name, prometheus in behind.items()}
    return kube


async def test_the_one_that_is_found_is_asked_and_with_get_alone(tmp_path: Path) -> None:
    kube = passing_on(near=FakePrometheus(ISTIO))
    async with asking(kube, tmp_path, NEAR) as collector:
        first, second = await windows(collector, 2)
    assert (first.window_start_s, second.window_start_s) == (START_S + WINDOW_S, START_S + 2 * WINDOW_S)
    assert [row["bytes_tx"] for row in rows(first)] == [100]
    assert {(each.method, each.path) for each in kube.requests} == {("GET", NEAR_PATH + QUERY)}


async def test_minutes_before_the_start_are_read_where_it_is_told_to_go_back(tmp_path: Path) -> None:
    kube = passing_on(near=FakePrometheus(ISTIO))
    async with asking(kube, tmp_path, NEAR, prometheus_minutes_back=3) as collector:
        told = await windows(collector, 4)
    starts = [(window.window_start_s - START_S) // WINDOW_S for window in told]
    assert starts == list(range(starts[0], starts[0] + len(told)))
    # The last that was over, with what may still arrive, when it began; two before it; and then each as it comes.
    began_s = QuickTimer().wall_us() // 1_000_000 - START_S
    assert (starts[2] + 1) * WINDOW_S + 30 <= began_s < (starts[2] + 2) * WINDOW_S + 30


async def test_a_further_one_with_tls_and_a_path_makes_up_for_one_that_has_nothing(tmp_path: Path) -> None:
    kube = passing_on(near=FakePrometheus(), far=FakePrometheus(ISTIO))
    async with asking(kube, tmp_path, NEAR, FAR) as collector:
        [window] = await windows(collector, 1)
    assert [row["bytes_tx"] for row in rows(window)] == [100]
    assert f"{FAR_PATH}/prometheus{QUERY}" in {each.path for each in kube.requests}


async def test_a_right_that_is_lacking_is_said_and_used_once_it_is_there(tmp_path: Path) -> None:
    kube, said = passing_on(near=FakePrometheus(ISTIO)), Said()
    why = 'services "http:prometheus-k8s:9090" is forbidden: User "ann" cannot get resource "services/proxy"'
    kube.trouble(NEAR_PATH + QUERY, Trouble(status=403, times=2, message=why))
    async with asking(kube, tmp_path, NEAR, said=said) as collector:
        assert await windows(collector, 1) == []
        assert 'User "ann" cannot get resource "services/proxy"' in said["prometheus_unreachable"]
        assert "of the name http:prometheus-k8s:9090 in the namespace monitoring" in said["prometheus_unreachable"]
        told = await windows(collector, 3)
    assert [row["bytes_tx"] for row in rows(told[0])] == [100]
    assert "prometheus_unreachable" not in said


@pytest.mark.parametrize(
    ("behind", "reason"),
    [
        (saying("", 401), "wants to know who asks"),
        (saying("no endpoints available", 503), "no endpoints available"),
        (saying("<html>welcome</html>"), "not the API of Prometheus"),
        (endless, "more than 16777216 bytes"),
    ],
    ids=["unauthorized", "down", "html", "endless"],
)
async def test_one_that_answers_badly_is_trouble_and_no_window(
    tmp_path: Path, behind: Misbehaviour, reason: str
) -> None:
    said = Said()
    async with asking(passing_on(near=FakePrometheus(misbehave=behind)), tmp_path, NEAR, said=said) as collector:
        assert await windows(collector, 1) == []
    assert reason in said["prometheus_unreachable"]


async def test_where_none_is_found_that_is_said(tmp_path: Path) -> None:
    said = Said()
    async with asking(FakeKube(), tmp_path, said=said) as collector:
        assert await windows(collector, 1) == []
    assert said == {"prometheus_empty": "no Prometheus is found"}


def test_what_is_found_of_metrics_is_chosen_only_beside_a_prometheus() -> None:
    istio = FlowSource(kind="istio", state="found")
    beside, _ = choose((istio, NEAR), (), {"prometheus"})
    alone, _ = choose((istio, FlowSource(kind="prometheus", state="absent")), (), {"prometheus"})
    assert (beside.use, alone.use) == ("chosen", "unreadable")
    assert "no Prometheus was found" in alone.why


@pytest.mark.parametrize("other", ["prometheus_urls", "exporter_urls"])
def test_there_is_one_way_to_ask(other: str) -> None:
    given = {"hub": "https://hub", other: "http://p", "prometheus_by_api_server": "true"}
    with pytest.raises(ConfigError, match=f"{other} and prometheus_by_api_server are both given"):
        load(given, {})
