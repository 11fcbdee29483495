"""The collectors of flows of a cluster's agent. A new one is one line here; its settings are in `SpokeConfig`."""

import random
from collections.abc import Callable
from typing import Final, NamedTuple

from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.exporter_flows import exporter_flows
from periplus_spoke.collectors.hubble_relay import hubble_flows
from periplus_spoke.collectors.prometheus_flows import prometheus_flows
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kube.client import KubeClient

Tell = Callable[[str, str], None]
"""Raises a condition of the agent by its name, or clears it with an empty text."""


class Surroundings(NamedTuple):
    """What a collector of flows may use."""

    config: SpokeConfig
    cluster: ClusterReader
    """What the API server tells: names and kinds of workloads, Services. Empty until it has been read."""
    kube: KubeClient
    timer: Timer
    rng: random.Random
    tell: Tell


MakeFlowCollector = Callable[[Surroundings], Collector | None]
"""Inert until it is run; None where nothing is configured that it could read.

It runs beside the other collectors and nobody waits until it has settled; `once` does not run it. What it raises ends
the agent, so it raises nothing. A window of which it could read nothing it does not tell: told windows count as seen.
"""

FLOW_COLLECTORS: Final[tuple[MakeFlowCollector, ...]] = (
    lambda around: prometheus_flows(around.config, (around.cluster, around.kube), around.timer, around.tell),
    lambda around: exporter_flows(around.config, (around.cluster, around.kube), around.timer, around.tell),
    lambda around: hubble_flows(around.config, around.cluster, around.timer, around.rng, around.tell),
)


def flow_collectors(around: Surroundings) -> list[Collector]:
    """Those that have something to read."""
    made = (make(around) for make in FLOW_COLLECTORS)
    return [each for each in made if each is not None]
