"""The collectors of a node's agent. Adding one is a line here; nothing of it knows an API server."""

from collections.abc import Callable
from functools import partial
from typing import Final

from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.conntrack import ConntrackCollector, ConntrackSettings
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.netlink.sockets import KernelConnections

Tell = Callable[[str, str], None]
"""Raises a condition of the agent by its name, or clears it with an empty text."""
MakeCollector = Callable[[SpokeConfig, Timer, Tell], Collector]


def _conntrack(config: SpokeConfig, timer: Timer, tell: Tell) -> Collector:
    settings = ConntrackSettings(
        node=config.node_name,
        row_budget=config.flow_row_budget,
        most_connections=config.conntrack_max_connections,
        reads_every_s=config.conntrack_interval_s,
    )
    return ConntrackCollector(partial(KernelConnections, config.local_networks), settings, timer, tell)


NODE_COLLECTORS: Final[tuple[MakeCollector, ...]] = (_conntrack,)
