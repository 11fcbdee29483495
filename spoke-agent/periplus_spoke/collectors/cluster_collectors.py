"""All collectors of one cluster over one reader: each object is read once, whoever tells of it."""

import asyncio
import random

from periplus_spoke.collectors.base import Sink
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.group import CollectorGroup
from periplus_spoke.collectors.registry import CLUSTER_COLLECTORS
from periplus_spoke.conversion.cluster_identity import ClusterIdentity
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kube.client import KubeClient


class ClusterCollectors(CollectorGroup):
    """Built inert. `identity` first, then `run` once; the client stays the caller's to close."""

    def __init__(self, kube: KubeClient, config: CollectConfig, timer: Timer, rng: random.Random) -> None:
        self.reader = ClusterReader(kube, config, timer, rng)
        super().__init__([make(self.reader, config, timer) for make in CLUSTER_COLLECTORS])

    @property
    def objects(self) -> int:
        """Rows held now, over all tables."""
        return self.reader.inventory.state.total

    async def identity(self) -> ClusterIdentity:
        """Who this cluster is. Raises KubeProblem."""
        return await self.reader.identity()

    async def run(self, sink: Sink) -> None:
        """Tell `sink` everything, then every change, until cancelled. Raises KubeProblem only before it has begun."""
        await self.reader.identity_once()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.reader.run())
            group.create_task(super().run(sink))
