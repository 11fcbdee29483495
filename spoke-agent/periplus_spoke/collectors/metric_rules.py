"""Which metrics count as flows in a cluster, and what is told of a window of them, wherever they were read."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from periplus_contract.tables import ENDPOINTS, WORKLOADS, Kind
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.hubble_relay import counts_connections, is_read
from periplus_spoke.conversion.flow_sources import Chosen, FlowSource
from periplus_spoke.conversion.flow_sums import WindowSums
from periplus_spoke.conversion.pods_behind import PodPort, pods_behind
from periplus_spoke.conversion.prometheus.choice import readable
from periplus_spoke.conversion.prometheus.ends import Kinds, kinds_of
from periplus_spoke.conversion.prometheus.flows import Known, SourceWindow
from periplus_spoke.conversion.prometheus.rule import Counter, FlowRule
from periplus_spoke.conversion.prometheus.rules import RULES
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.kit.config import SpokeConfig

WINDOW_S: Final = 60
_SHOWN: Final = 3
_AGENTS: Final = "conntrack"
_CONNECTIONS: Final = frozenset(("connections_opened", "connections_closed"))

Tell = Callable[[str, str], None]
"""Raises a condition by its name, or clears it with an empty text."""


class OfCluster(Protocol):
    """What the API server tells."""

    def kinds(self) -> Kinds:
        """Of the workloads."""

    def sources(self) -> Sequence[Chosen]:
        """The sources of flows that there are, and what is done with them."""

    async def is_read(self) -> None:
        """Return once that is known, as far as the API server tells it in time."""


class MetricRules:
    """Of one collector, which asks once for each window."""

    def __init__(self, config: SpokeConfig, cluster: OfCluster, tell: Tell) -> None:
        self._config = config
        self._cluster = cluster
        self._tell = tell
        self.all = rules_in_order(config.flow_sources)
        self._hubble_counted = False
        self._hubble_told = False

    def readable(self) -> tuple[FlowRule, ...]:
        """Those that may be read now, the best first: beside agents of nodes, and beside Hubble."""
        rules, why = readable(self.all, self._cluster.sources(), are_named=bool(self._config.flow_sources))
        self._tell("prometheus_unused", why)
        reads = is_read(self._config, self._cluster.sources())
        # A relay that has just gone told of the window that is asked for now.
        tells, self._hubble_told = reads or self._hubble_told, reads
        return tuple(rule for rule in rules if not (rule.is_hubbles and tells))

    def counted(self, rule: FlowRule) -> list[Counter]:
        """Connections are Hubble's where it counts them: the hub adds up what both tell.

        A relay that has just gone counted them in the window that is asked for now.
        """
        counts = counts_connections(self._config, self._cluster.sources())
        are_hubbles, self._hubble_counted = counts or self._hubble_counted, counts
        return [each for each in rule.counters if not (are_hubbles and each.measure in _CONNECTIONS)]

    def window(self, rule: FlowRule, sampling: int | None) -> SourceWindow:
        """A new one."""
        return SourceWindow(rule, Known(self._cluster.kinds(), self._config.prometheus_cluster, sampling))

    def sealable(self, window: SourceWindow, end_s: int) -> Sealable | None:
        """None where the source has no series any more: that is not the same as a window in which nothing passed."""
        sums = WindowSums(self._config.flow_row_budget)
        mark = window.put(sums)
        if not mark.observed:
            return None
        start_s = end_s - WINDOW_S
        sections = sums.sections(start_s, WINDOW_S)
        return Sealable(kind=Kind.FLOWS, window_start_s=start_s, window_s=WINDOW_S, sections=sections, flows=mark)

    def misnamed(self, window: SourceWindow) -> str:
        """Why there is nothing to tell where the source has flows of clusters of other names."""
        others = ", ".join(window.clusters()[:_SHOWN])
        name = self._config.prometheus_cluster
        return f"no metrics are of prometheus_cluster = {name!r}: give one of the names {others}" if others else ""


def rules_in_order(names: Sequence[str]) -> tuple[FlowRule, ...]:
    """The rules that may be read, the best first. Where agents of nodes are preferred, none after them is needed."""
    by_name = {rule.name: rule for rule in RULES}
    before = names[: names.index(_AGENTS)] if _AGENTS in names else names
    return tuple(by_name[name] for name in before if name in by_name) if names else RULES


class OfReader:
    """Implements `OfCluster`."""

    def __init__(self, cluster: ClusterReader) -> None:
        self._inventory = cluster.inventory
        self._ready = cluster.ready

    def kinds(self) -> Kinds:
        """Of the inventory's workloads."""
        rows = self._inventory.state.rows(WORKLOADS).values()
        return kinds_of((str(namespace), str(name), str(kind)) for namespace, name, kind, *_ in rows)

    def sources(self) -> Sequence[Chosen]:
        """Those of the inventory."""
        return self._inventory.flow_sources()

    async def is_read(self) -> None:
        """Once the cluster was read."""
        await self._ready.wait()

    def pods_behind(self, source: FlowSource) -> list[PodPort]:
        """Those that its Service leads to."""
        return pods_behind(self._inventory.state.rows(ENDPOINTS).values(), source.namespace, source.service)
