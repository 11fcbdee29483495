"""Collectors that read metrics, over a cluster that shows what a test wants: made, run for some windows, and read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.exporter_client import ExporterClient
from periplus_spoke.collectors.exporter_flows import ExporterFlows, Exporters
from periplus_spoke.collectors.prometheus_client import PrometheusClient
from periplus_spoke.collectors.prometheus_flows import Prometheis, PrometheusFlows
from periplus_spoke.conversion.flow_sources import Chosen, FlowSource, choose
from periplus_spoke.conversion.flow_sums import MEASURES, rows_of
from periplus_spoke.conversion.prometheus.ends import Kinds, kinds_of
from periplus_spoke.conversion.prometheus.rules import RULES
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.kubeconfig import KubeconfigCredentials

from tests.support.clock import QuickTimer
from tests.support.collector_contract import SinkThatCanShut, running
from tests.support.kube_api import FakeKube, write_kubeconfig

KINDS = kinds_of([("shop", "web", "Deployment"), ("shop", "db", "StatefulSet")])
FLOW = {
    "reporter": "source",
    "source_workload": "web",
    "source_workload_namespace": "shop",
    "source_cluster": "east",
    "destination_workload": "db",
    "destination_workload_namespace": "shop",
    "destination_cluster": "east",
}
RECEIVED, SENT = "istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total"
ISTIO = {RECEIVED: [(FLOW, 100.0)], SENT: [(FLOW, 900.0)]}
NETOBSERV_METRIC = "netobserv_workload_egress_bytes_total"
NETOBSERV_FLOW = {
    "SrcK8S_OwnerName": "web",
    "SrcK8S_Namespace": "shop",
    "SrcK8S_OwnerType": "Deployment",
    "DstK8S_OwnerName": "db",
    "DstK8S_Namespace": "shop",
    "DstK8S_OwnerType": "StatefulSet",
}
NETOBSERV = {NETOBSERV_METRIC: [(NETOBSERV_FLOW, 3.0)]}


class Cluster:
    """What an API server showed."""

    def __init__(self, *sources: FlowSource, reads: frozenset[str] = frozenset()) -> None:
        self.found = sources
        self._reads = reads or frozenset(("conntrack", "hubble", *(rule.name for rule in RULES)))

    def kinds(self) -> Kinds:
        return KINDS

    def sources(self) -> tuple[Chosen, ...]:
        return choose(self.found, (), self._reads)

    async def is_read(self) -> None:
        """It is."""


class Said(dict[str, str]):
    """Conditions that stand."""

    def tell(self, name: str, text: str) -> None:
        self.pop(name, None)
        if text:
            self[name] = text


def of_prometheus(
    *urls: str,
    said: Said | None = None,
    cluster: Cluster | None = None,
    timer: QuickTimer | None = None,
    answer_s: float = 60.0,
    through: Prometheis | None = None,
    **settings: Any,
) -> PrometheusFlows:
    """A collector of what the Prometheis at these URLs have, or of those that are asked through something else."""
    config = SpokeConfig(hub="", prometheus_urls=urls, **settings)
    tell = (Said() if said is None else said).tell
    prometheis = through or PrometheusClient(config, answer_s)
    return PrometheusFlows(config, cluster or Cluster(), timer or QuickTimer(), tell, prometheis=prometheis)


def of_exporters(
    *urls: str,
    said: Said | None = None,
    cluster: Cluster | None = None,
    most_series: int = 200_000,
    through: Exporters | None = None,
    **settings: Any,
) -> ExporterFlows:
    """A collector of what the exporters at these URLs say, or of those that are read through something else."""
    config = SpokeConfig(hub="", exporter_urls=urls, **settings)
    tell = (Said() if said is None else said).tell
    exporters = through or ExporterClient(config, 20.0)
    timer = QuickTimer()
    return ExporterFlows(config, cluster or Cluster(), timer, tell, exporters=exporters, most_series=most_series)


@asynccontextmanager
async def outside(kube: FakeKube, folder: Path) -> AsyncIterator[KubeClient]:
    """A client of this API server, as an agent outside of its cluster has it."""
    async with kube.serving() as url:
        client = KubeClient(KubeconfigCredentials(str(write_kubeconfig(folder / "config", url))), QuickTimer())
        try:
            yield client
        finally:
            await client.close()


async def windows(collector: Collector, turns: int) -> list[Sealable]:
    """What it told in so many turns, told or not. Exporters' first is the one after the reading that begins."""
    sink = SinkThatCanShut()
    async with running(collector, sink):
        for _ in range(turns):
            await collector.settled.wait()
            collector.settled.clear()
    return sink.told


def rows(window: Sealable) -> list[dict[str, Any]]:
    """Each with what it says of the flow, and its measures."""
    return [flow._asdict() | dict(zip(MEASURES, row, strict=True)) for flow, row in rows_of(window.sections)]
