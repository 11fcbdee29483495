"""The inventory told: one snapshot, then what changes, gathered for a moment."""

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


class InventoryCollector:
    """Implements `Collector`."""

    name = "inventory"
    kind = Kind.INVENTORY

    def __init__(self, cluster: ClusterReader, config: CollectConfig, timer: Timer) -> None:
        self._cluster = cluster
        self._inventory = cluster.inventory
        self._config = config
        self._timer = timer
        self._wants_snapshot = False
        self._covered: tuple[str, ...] = ()
        self._next_snapshot_us = 0
        self._next_count_us = 0
        self.settled = asyncio.Event()

    def request_snapshot(self) -> None:
        """Tell everything again, soon."""
        self._wants_snapshot = True
        self.settled.clear()
        self._cluster.changes.notify_all()

    async def run(self, sink: Sink) -> None:
        """Tell everything, then what changes, until cancelled."""
        await self._cluster.ready.wait()
        changed = self._cluster.changes.next_change()
        await self._tell_all(sink)
        memory.settle()
        self._next_count_us = self._timer.monotonic_us() + self._count_every_us
        while True:
            await self._wait(changed)
            changed = self._cluster.changes.next_change()  # before anything is told: what comes meanwhile counts
            self._count_sources()
            if self._wants_snapshot or self._can_cover_more():
                await self._tell_all(sink)
            else:
                await self._tell_changes(sink)

    @property
    def _count_every_us(self) -> int:
        return int(self._config.sources_interval_s * _MICROS)

    async def _wait(self, changed: asyncio.Event) -> None:
        """Until something is due, or a moment after something changed, so that one delta holds what goes together."""
        grown = self._inventory.covers() != self._covered
        due_us = min(self._next_count_us, self._next_snapshot_us) if grown else self._next_count_us
        await changed_or_due(changed, self._timer, due_us)
        if changed.is_set() and not self._wants_snapshot:
            await self._timer.sleep(self._config.delta_interval_s)

    def _count_sources(self) -> None:
        if self._timer.monotonic_us() >= self._next_count_us:
            self._next_count_us += self._count_every_us
            self._cluster.count_sources()
            self._inventory.tell_sources(self._timer.wall_us())

    def _can_cover_more(self) -> bool:
        """Whether a kind has been listed since the last snapshot: what vanished unseen of it ends only with another.

        Not at once, as others may follow and each snapshot is everything.
        """
        return self._timer.monotonic_us() >= self._next_snapshot_us and self._inventory.covers() != self._covered

    async def _tell_all(self, sink: Sink) -> None:
        self._wants_snapshot = False
        at_us = self._timer.wall_us()
        self._next_snapshot_us = self._timer.monotonic_us() + int(self._config.first_snapshot_wait_s * _MICROS)
        self._covered = self._inventory.covers()
        self._cluster.refresh_ranges(at_us)
        self._inventory.tell_cluster(at_us)
        self._inventory.tell_flow_sources(at_us)
        self._inventory.tell_sources(at_us)
        snapshot = self._inventory.state.snapshot(at_us, self._covered)
        # Before it is emitted: what changes while it is on its way belongs to the first delta behind it.
        self._cluster.snapshot_taken()
        await sink.emit(snapshot)
        # Asked for again meanwhile: what was emitted is not what was wanted.
        if not self._wants_snapshot:
            self.settled.set()

    async def _tell_changes(self, sink: Sink) -> None:
        at_us = self._timer.wall_us()
        self._cluster.refresh_bounds(at_us)
        self._inventory.tell_cluster(at_us)
        self._inventory.tell_flow_sources(at_us)
        for delta in self._inventory.state.drain():
            await sink.emit(delta)
