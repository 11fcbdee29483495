"""Every collector in the registry holds what every collector must, over a small cluster."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from periplus_spoke.collectors.base import Collector
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.registry import CLUSTER_COLLECTORS, MakeCollector
from periplus_spoke.kit.clock import SystemClock

from tests.support.collector_contract import CollectorContract
from tests.support.kube_api import FakeKube
from tests.support.kube_objects import node, pod
from tests.support.kube_session import session

QUICK = CollectConfig(delta_interval_s=0.02, first_snapshot_wait_s=20)


@asynccontextmanager
async def over_a_cluster(make: MakeCollector, folder: Path) -> AsyncIterator[Collector]:
    fake, timer = FakeKube(), SystemClock()
    fake.put("/api/v1/nodes", node("n1", podCIDRs=["10.244.0.0/24"]))
    fake.put("/api/v1/pods", pod("web", ("10.244.0.5",)))
    async with session(fake, folder) as client:
        reader = ClusterReader(client, QUICK, timer, random.Random(3))
        await reader.identity()
        reading = asyncio.create_task(reader.run())
        try:
            yield make(reader, QUICK, timer)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


class TestClusterCollectors(CollectorContract):
    @pytest.fixture(autouse=True, params=CLUSTER_COLLECTORS, ids=lambda make: make.__name__)
    def _each(self, request: pytest.FixtureRequest) -> None:
        self._make: MakeCollector = request.param

    def collecting(self, folder: Path) -> AbstractAsyncContextManager[Collector]:
        return over_a_cluster(self._make, folder)
