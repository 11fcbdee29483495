"""Pages of metrics in a cluster whose agent is outside of it: its API server passes requests on to each pod."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from periplus_contract import flow_words
from periplus_spoke.collectors.exporter_flows import ExporterFlows
from periplus_spoke.collectors.exporters_by_api_server import ExportersByApiServer
from periplus_spoke.collectors.prometheus_by_api_server import PrometheusByApiServer
from periplus_spoke.conversion.flow_sources import FlowSource
from periplus_spoke.conversion.pods_behind import PodPort

from tests.support.fake_exporter import FakeExporter, page
from tests.support.fake_prometheus import FakePrometheus
from tests.support.kube_api import FakeKube, Trouble
from tests.support.metric_readers import (
    ISTIO,
    Cluster,
    Said,
    of_exporters,
    of_prometheus,
    outside,
    rows,
    windows,
)
from tests.support.vendor_metrics import CILIUM, CILIUM_SERVER

PAGES = FlowSource(
    kind="cilium-mesh", state="found", namespace="kube-system", service="hubble-metrics", port=9965, has_pages=True
)
PROMETHEUS = FlowSource(kind="prometheus", state="found", namespace="monitoring", service="prometheus", port=9090)
BEHIND_PROMETHEUS = "/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy"
PODS = {"kube-system/hubble-metrics:9965": [PodPort("kube-system", f"cilium-{each}", 9965) for each in "ab"]}


def through(pod: PodPort) -> str:
    return f"/api/v1/namespaces/{pod.namespace}/pods/http:{pod.pod}:{pod.port}/proxy"


def counting(labels: Mapping[str, str]) -> Callable[[int], str]:
    """Three connections more each time it is read."""
    return lambda turn: page({"hubble_policy_verdicts_total": [(dict(labels), 50.0 + 3 * turn)]})


def agents(*says: Callable[[int], str | web.Response]) -> FakeKube:
    """An API server that passes on to these."""
    kube, [pods] = FakeKube(), PODS.values()
    for pod, each in zip(pods, says, strict=True):
        kube.passed_on[through(pod)] = FakeExporter(each).answer
    return kube


@asynccontextmanager
async def reading(
    kube: FakeKube,
    folder: Path,
    *found: FlowSource,
    said: Said | None = None,
    pods: Mapping[str, Sequence[PodPort]] = PODS,
) -> AsyncIterator[ExporterFlows]:
    cluster = Cluster(*found, reads=frozenset(("prometheus",)))
    async with outside(kube, folder) as client:
        exporters = ExportersByApiServer(client, cluster.sources, lambda source: pods.get(source.where, ()))
        yield of_exporters(cluster=cluster, said=said, through=exporters, prometheus_by_api_server=True)


async def test_each_agent_of_cilium_is_read_and_with_get_alone(tmp_path: Path) -> None:
    kube, said = agents(counting(CILIUM), counting(CILIUM_SERVER)), Said()
    async with reading(kube, tmp_path, PAGES, said=said) as collector:
        [window, *_] = await windows(collector, 1)
    told = sorted((row["reporter"], row["connections_opened"], row["bytes_tx"]) for row in rows(window))
    assert told == [(flow_words.Reporter.CLIENT, 3, None), (flow_words.Reporter.SERVER, 3, None)]
    assert {(each.method, each.path) for each in kube.requests} == {
        ("GET", f"{through(pod)}/metrics") for pods in PODS.values() for pod in pods
    }
    assert said == {}


async def test_a_right_that_is_lacking_is_named(tmp_path: Path) -> None:
    kube, said = agents(counting(CILIUM), counting(CILIUM_SERVER)), Said()
    for pod in PODS["kube-system/hubble-metrics:9965"]:
        why = f'pods "http:{pod.pod}:9965" is forbidden: User "ann" cannot get resource "pods/proxy"'
        kube.trouble(f"{through(pod)}/metrics", Trouble(status=403, times=10_000, message=why))
    async with reading(kube, tmp_path, PAGES, said=said) as collector:
        assert await windows(collector, 1) == []
    assert 'User "ann" cannot get resource "pods/proxy"' in said["prometheus_unreachable"]
    assert "the right 'get' on pods/proxy in the namespace kube-system" in said["prometheus_unreachable"]


async def test_an_agent_that_cannot_be_read_is_missed(tmp_path: Path) -> None:
    kube = agents(counting(CILIUM), lambda _: web.Response(status=503, text="no agent"))
    async with reading(kube, tmp_path, PAGES) as collector:
        [window, *_] = await windows(collector, 1)
    assert window.flows is not None
    assert (window.flows.lost, window.flows.conditions) == (
        {flow_words.LOST_UNREAD: 1},
        (flow_words.PARTIAL_ANSWERS,),
    )


@pytest.mark.parametrize(
    ("says", "condition", "why"),
    [
        (page({"up": [({}, 1.0)]}), "prometheus_empty", "no exporter that answers has metrics of cilium-mesh"),
        ("<html>welcome</html>", "prometheus_unreachable", "what answers there is no page of metrics"),
    ],
    ids=["others", "html"],
)
async def test_pages_without_its_metrics_are_no_windows_without_flows(
    tmp_path: Path, says: str, condition: str, why: str
) -> None:
    said = Said()
    async with reading(agents(*[lambda _: says] * 2), tmp_path, PAGES, said=said) as collector:
        assert await windows(collector, 1) == []
    assert list(said) == [condition]
    assert why in said[condition]


async def test_a_service_that_leads_to_no_pod_is_said(tmp_path: Path) -> None:
    said = Said()
    async with reading(FakeKube(), tmp_path, PAGES, said=said, pods={}) as collector:
        assert await windows(collector, 1) == []
    assert said["prometheus_unreachable"] == "no pod is behind kube-system/hubble-metrics:9965"


async def test_where_a_prometheus_is_found_nobody_reads_pages_and_nothing_is_said_of_them(tmp_path: Path) -> None:
    kube, said = agents(counting(CILIUM), counting(CILIUM_SERVER)), Said()
    async with reading(kube, tmp_path, PAGES, PROMETHEUS, said=said) as collector:
        assert await windows(collector, 2) == []
    assert (kube.requests, said) == ([], {})


async def test_a_prometheus_that_is_found_later_is_asked_of_windows_that_pages_did_not_tell(tmp_path: Path) -> None:
    kube, said = FakeKube(), Said()
    kube.passed_on[BEHIND_PROMETHEUS] = FakePrometheus(ISTIO).answer
    cluster = Cluster(PAGES, reads=frozenset(("prometheus",)))
    async with outside(kube, tmp_path) as client:
        asked = PrometheusByApiServer(client, cluster.sources, 30.0)
        collector = of_prometheus(cluster=cluster, said=said, through=asked, prometheus_by_api_server=True)
        assert await windows(collector, 2) == []
        assert said == {}
        cluster.found = (PAGES, PROMETHEUS)
        assert await windows(collector, 1) == []
        assert len(await windows(collector, 1)) == 1
