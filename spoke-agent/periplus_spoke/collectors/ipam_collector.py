"""Pools and allocations told: complete with each snapshot, then pools by windows and allocations when they change."""

import asyncio
from typing import Final

from periplus_contract.tables import Kind
from periplus_spoke.collectors.base import Sink
from periplus_spoke.collectors.cluster_reader import ClusterReader
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.waiting import changed_or_due
from periplus_spoke.kit import memory
from periplus_spoke.kit.clock import Timer

_MICROS: Final = 1_000_000


class IpamCollector:
    """Implements `Collector`."""

    name = "ipam"
    kind = Kind.IPAM

    def __init__(self, cluster: ClusterReader, config: CollectConfig, timer: Timer) -> None:
        self._cluster = cluster
        self._pools = cluster.pools
        self._config = config
        self._timer = timer
        self._wants_all = False
        self._snapshots_seen = 0
        self.settled = asyncio.Event()

    def request_snapshot(self) -> None:
        """Tell everything again, soon."""
        self._wants_all = True
        self.settled.clear()
        self._cluster.changes.notify_all()

    async def run(self, sink: Sink) -> None:
        """Tell everything, then what is due or has changed, until cancelled."""
        await self._cluster.ready.wait()
        changed = self._cluster.changes.next_change()
        await self._tell_all(sink)
        window_us = self._config.ipam_interval_s * _MICROS
        due_us = self._timer.monotonic_us() + window_us
        while True:
            await self._wait(changed, due_us)
            changed = self._cluster.changes.next_change()
            if self._wants_all or self._cluster.snapshots != self._snapshots_seen:
                await self._tell_all(sink)
                continue
            tell = self._cluster.refresh_bounds(self._timer.wall_us())
            if self._timer.monotonic_us() >= due_us:
                due_us += window_us
                memory.trim()
                self._cluster.changes.notify_all()  # sources that turned out otherwise are told by the inventory
                tell = True
            if tell:
                await self._tell(sink, complete=False)

    async def _wait(self, changed: asyncio.Event, due_us: int) -> None:
        await changed_or_due(changed, self._timer, due_us)
        if changed.is_set() and not self._wants_all:
            await self._timer.sleep(self._config.delta_interval_s)

    async def _tell_all(self, sink: Sink) -> None:
        self._wants_all = False
        self._snapshots_seen = self._cluster.snapshots
        await self._tell(sink, complete=True)
        if not self._wants_all:
            self.settled.set()

    async def _tell(self, sink: Sink, *, complete: bool) -> None:
        batch = self._pools.batch(self._timer.wall_us(), self._config.ipam_interval_s, complete=complete)
        if batch is not None:
            await sink.emit(batch)
