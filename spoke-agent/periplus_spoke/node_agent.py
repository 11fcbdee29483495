"""The agent of a node, composed: its collectors, one delivery to the hub, and what ends the run. Asks no API server."""

import asyncio
import logging
import random
from typing import Final

import msgspec

from periplus_contract.names import is_node_name
from periplus_spoke.collectors.group import CollectorGroup
from periplus_spoke.conversion.node_identity import NodeIdentity
from periplus_spoke.delivery import Delivery
from periplus_spoke.health import serve_health
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kit.errors import ConfigError
from periplus_spoke.kit.setting import PREFIX
from periplus_spoke.kit.settings import NODE_NAMES
from periplus_spoke.lifecycle import run_until_signal
from periplus_spoke.node_registry import NODE_COLLECTORS
from periplus_spoke.progress import Goal, Progress
from periplus_spoke.transport.report import Report

_log: Final = logging.getLogger(__name__)


def named(config: SpokeConfig, machine: str) -> SpokeConfig:
    """The same with the node's name, which is the machine's where none is given. Raises ConfigError."""
    name = config.node_name or machine.lower()
    if not is_node_name(name):
        raise ConfigError(
            "bad_config",
            f"this machine is called {machine!r}, and no node can be",
            f"Give the name of the node in Kubernetes by --node-name or {PREFIX}NODE_NAME: {NODE_NAMES}.",
        )
    return msgspec.structs.replace(config, node_name=name)


class NodeAgent:
    """One node: runs until a signal."""

    def __init__(self, config: SpokeConfig, join_token: str, timer: Timer, rng: random.Random) -> None:
        self._config = config
        self._join_token = join_token
        self._timer = timer
        self._rng = rng
        self.report = Report(config.status_file)

    async def run(self) -> None:
        """Collect and send until SIGTERM or SIGINT. Raises SpokeError."""
        await run_until_signal(self._work(), self.report)
        _log.info("stopped; everything sealed is kept")

    async def _work(self) -> None:
        config, progress = self._config, Progress(Goal(ends=False))
        collectors = CollectorGroup([make(config, self._timer, self.report.condition) for make in NODE_COLLECTORS])
        async with Delivery(config, self._timer, self._rng, self.report) as delivery, asyncio.TaskGroup() as group:
            # First: who probes must not kill what only waits for a hub or a person.
            group.create_task(serve_health(config, self.report, lambda: progress.is_read))
            # The node is watched while the hub is still being asked: what passes now is not told again.
            group.create_task(collectors.run(delivery.sink))
            registration = await delivery.join(NodeIdentity(name=config.node_name), self._join_token)
            context = await delivery.open(registration, collectors)
            group.create_task(delivery.send(context, registration, config.heartbeat_interval_s))
            await progress.follow(context, collectors, lambda: None)
