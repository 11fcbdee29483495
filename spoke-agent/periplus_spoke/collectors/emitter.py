"""When things are told: one snapshot, then deltas and pools, each gathered for a moment."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.pools import Pools
from periplus_spoke.fold.records import Sealable
from periplus_spoke.kit import memory
from periplus_spoke.kit.clock import Timer

_MICROS: Final = 1_000_000


class Sink(Protocol):
    """Takes what was observed; when `emit` returns it is durable."""

    async def emit(self, sealable: Sealable) -> None:
        """Seal it, in as many parts as it needs."""


class Emitter:
    """Turns the inventory into batches. `wake` may be called at any time from the same loop."""

    def __init__(self, inventory: Inventory, pools: Pools, config: CollectConfig, timer: Timer) -> None:
        self._inventory = inventory
        self._pools = pools
        self._config = config
        self._timer = timer
        self._awake = asyncio.Event()
        self._wants_snapshot = False
        self._covered: tuple[str, ...] = ()
        self._next_snapshot_us = 0
        self.settled = asyncio.Event()
        """Set while everything that was asked for has been emitted: the first snapshot, each later one, its pools."""

    def wake(self) -> None:
        """Something may have changed."""
        self._awake.set()

    def request_snapshot(self) -> None:
        """Tell everything again, soon."""
        self._wants_snapshot = True
        self.settled.clear()
        self._awake.set()

    async def run(self, sink: Sink, count_sources: Callable[[], None]) -> None:
        """Tell everything, then what changes, until cancelled."""
        await self._tell_all(sink)
        memory.settle()
        now_us = self._timer.monotonic_us()
        next_pools_us = now_us + self._config.ipam_interval_s * _MICROS
        next_count_us = now_us + int(self._config.sources_interval_s * _MICROS)
        while True:
            await self._sleep_until(self._sooner(next_pools_us))
            if self._timer.monotonic_us() >= next_count_us:
                next_count_us += int(self._config.sources_interval_s * _MICROS)
                count_sources()
                self._inventory.tell_sources(self._timer.wall_us())
            if self._wants_snapshot or self._can_cover_more():
                await self._tell_all(sink)
                continue
            changed = self._pools.allocations_changed(self._timer.wall_us())
            await self._tell_changes(sink)
            due = self._timer.monotonic_us() >= next_pools_us
            if due:
                next_pools_us += self._config.ipam_interval_s * _MICROS
                memory.trim()
            if due or changed:
                await self._tell_pools(sink)

    def _sooner(self, due_us: int) -> int:
        """`due_us`, or when a kind that could not be listed until now may be told whole."""
        grown = self._inventory.covers() != self._covered
        return min(due_us, self._next_snapshot_us) if grown else due_us

    def _can_cover_more(self) -> bool:
        """Whether a kind has been listed since the last snapshot: what vanished unseen of it ends only with another.

        Not at once, as others may follow and each snapshot is everything.
        """
        return self._timer.monotonic_us() >= self._next_snapshot_us and self._inventory.covers() != self._covered

    async def _sleep_until(self, monotonic_us: int) -> None:
        """Return at `monotonic_us`, or a moment after something changed."""
        left_s = max(monotonic_us - self._timer.monotonic_us(), 0) / _MICROS
        await first_of(self._awake.wait(), self._timer.sleep(left_s))
        if self._awake.is_set() and not self._wants_snapshot:
            await self._timer.sleep(self._config.delta_interval_s)
        self._awake.clear()

    async def _tell_all(self, sink: Sink) -> None:
        self._wants_snapshot = False
        at_us = self._timer.wall_us()
        self._next_snapshot_us = self._timer.monotonic_us() + int(self._config.first_snapshot_wait_s * _MICROS)
        self._covered = self._inventory.covers()
        pools = self._pools.batch(at_us, self._config.ipam_interval_s, complete=True)
        self._inventory.place_cluster(at_us)
        self._inventory.tell_sources(at_us)
        await sink.emit(self._inventory.state.snapshot(at_us, self._covered))
        if pools is not None:
            await sink.emit(pools)
        if not self._wants_snapshot:
            self.settled.set()

    async def _tell_pools(self, sink: Sink) -> None:
        pools = self._pools.batch(self._timer.wall_us(), self._config.ipam_interval_s)
        if pools is not None:
            await sink.emit(pools)

    async def _tell_changes(self, sink: Sink) -> None:
        self._inventory.place_cluster(self._timer.wall_us())
        for delta in self._inventory.state.drain():
            await sink.emit(delta)


async def first_of(*waits: Coroutine[object, object, object]) -> None:
    """Wait until the first of some coroutines ends; cancel the others."""
    tasks = [asyncio.create_task(wait) for wait in waits]  # allowed: ended and awaited right below
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
