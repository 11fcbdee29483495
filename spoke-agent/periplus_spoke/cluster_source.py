"""The cluster of an agent, as its API server shows it: who it is, and what its collectors tell."""

import asyncio
import os
import random
from types import TracebackType
from typing import Final, Self

import msgspec

from periplus_spoke.collectors.cluster_collectors import ClusterCollectors
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.flow_registry import Surroundings, flow_collectors
from periplus_spoke.collectors.group import CollectorGroup
from periplus_spoke.conversion.cluster_identity import ClusterIdentity
from periplus_spoke.conversion.flow_sources import BY_AGENTS, BY_PROMETHEUS, EDGES, Kind
from periplus_spoke.conversion.text import DEFAULT_LABEL_KEYS
from periplus_spoke.kit.backoff import Backoff
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.credentials import Credentials, InClusterCredentials
from periplus_spoke.kube.problems import KubeProblem
from periplus_spoke.transport.identity import Registration, check_cluster
from periplus_spoke.transport.report import Report
from periplus_spoke.transport.sink import LateSink

_PASSING: Final = frozenset({"unreachable", "timeout", "server_error", "throttled"})
"""Problems of an API server that a spoke with something left to send waits out."""


class ClusterSource:
    """Use as an async context manager, which ends the connections to the API server."""

    def __init__(self, config: SpokeConfig, timer: Timer, rng: random.Random, report: Report) -> None:
        self._cluster_name = config.cluster_name
        self._vantage = config.vantage
        self._timer = timer
        self._rng = rng
        self._report = report
        self._kube = KubeClient(credentials(config), timer)
        self.collectors = ClusterCollectors(self._kube, _collect_config(config), timer, rng)
        around = Surroundings(config, self.collectors.reader, self._kube, timer, rng, report.condition)
        self._flows = CollectorGroup(flow_collectors(around))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._kube.close()

    async def identify(self, stored: Registration | None, *, waits: bool) -> ClusterIdentity | Registration:
        """Who the cluster is; or, while it cannot be asked and one that `waits` may go on, the stored registration.

        Raises KubeProblem, or SpokeError when it is not the cluster that was registered.
        """
        try:
            found = await self._identity()
        except KubeProblem as error:
            if stored is None or not waits or error.reason not in _PASSING:
                raise
            self._report.trouble(error.reason, error.message, error.remedy)
            return stored
        if stored is not None:
            check_cluster(stored, found.uid)
        return found

    async def collect(self, sink: LateSink, known: ClusterIdentity | Registration, *, with_flows: bool = True) -> None:
        """Tell `sink` what there is, until cancelled; first wait until the cluster can be asked who it is."""
        backoff = Backoff(self._rng)
        while isinstance(known, Registration):
            await self._timer.sleep(backoff.next_s())
            try:
                found = await self._identity()
            except KubeProblem as error:
                self._report.trouble(error.reason, error.message, error.remedy)
            else:
                check_cluster(known, found.uid)
                known = found
        async with asyncio.TaskGroup() as group:
            group.create_task(self.collectors.run(sink))
            if with_flows:
                group.create_task(self._flows.run(sink))

    async def _identity(self) -> ClusterIdentity:
        found = await self.collectors.identity()
        way = await self._kube.way_sha256(self._vantage) if self._vantage else ""
        return msgspec.structs.replace(found, name=self._cluster_name or found.name, way=way)


def credentials(config: SpokeConfig) -> Credentials:
    """Inside a pod its ServiceAccount, unless a kubeconfig or context is named."""
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    if in_pod and config.kubeconfig is None and not config.context:
        return InClusterCredentials()
    from periplus_spoke.kube.kubeconfig import KubeconfigCredentials  # noqa: PLC0415 - a pod needs none of it

    return KubeconfigCredentials(str(config.kubeconfig) if config.kubeconfig else None, config.context or None)


def _collect_config(config: SpokeConfig) -> CollectConfig:
    return CollectConfig(
        delta_interval_s=config.delta_interval_s,
        ipam_interval_s=config.ipam_interval_s,
        label_keys=config.label_keys or DEFAULT_LABEL_KEYS,
        distribution=config.distribution,
        flow_sources=config.flow_sources,
        flow_readers=_flow_readers(config),
    )


def _flow_readers(config: SpokeConfig) -> frozenset[Kind]:
    given = config.prometheus_urls or config.exporter_urls
    found: frozenset[Kind] = frozenset(("prometheus",)) if config.prometheus_by_api_server else frozenset()
    metrics = BY_PROMETHEUS if given else found
    return BY_AGENTS | metrics | (frozenset(EDGES) if config.hubble_relay else frozenset[Kind]())
