"""The collectors of each agent. A new one is one line here."""

from typing import Final, Protocol

from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.inventory_collector import InventoryCollector
from periplus_spoke.collectors.ipam_collector import IpamCollector
from periplus_spoke.kit.clock import Timer


class MakeCollector(Protocol):
    """A collector of what one cluster's API server tells."""

    def __call__(self, cluster: ClusterReader, config: CollectConfig, timer: Timer) -> Collector:
        """Inert until it is run."""


CLUSTER_COLLECTORS: Final[tuple[MakeCollector, ...]] = (InventoryCollector, IpamCollector)
"""In the order they are started: what is told first, when all could tell at once."""
