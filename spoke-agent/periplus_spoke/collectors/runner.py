"""All collectors of one cluster, as the rest of the spoke sees them."""

import asyncio
import logging
import random
from typing import Any, Final

from periplus_spoke.collectors.catalog import SERVICE_CIDRS_SOURCE, Watched, catalog, service_catalog
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.custom import CustomKinds
from periplus_spoke.collectors.emitter import Emitter, Sink, first_of
from periplus_spoke.collectors.facts import SERVICE_COVERS, Facts
from periplus_spoke.collectors.identity import identify
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.collectors.listener import KindListener
from periplus_spoke.collectors.pools import Pools
from periplus_spoke.fold.cluster_identity import ClusterIdentity
from periplus_spoke.fold.text import LabelFilter
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.reflector import Reflector

_RESTART_S: Final = 60.0

_log: Final = logging.getLogger(__name__)


class Collectors:
    """Built inert. `identity` first, then `run` once; the client stays the caller's to close."""

    def __init__(self, kube: KubeClient, config: CollectConfig, timer: Timer, rng: random.Random) -> None:
        self._kube = kube
        self._config = config
        self._timer = timer
        self._rng = rng
        self._inventory = Inventory(LabelFilter(config.label_keys))
        self._inventory.facts.distribution = config.distribution
        self._pools = Pools(self._inventory)
        self._emitter = Emitter(self._inventory, self._pools, config, timer)
        self._facts = Facts(kube, self._inventory, timer)
        wanted = [kind for adapter in ADAPTERS for kind in adapter.kinds]
        self._custom = CustomKinds(kube, self._inventory, timer, wanted)
        self._listeners: dict[str, KindListener[Any]] = {}

    @property
    def settled(self) -> asyncio.Event:
        """Set while everything that was asked for has been emitted: the first snapshot, each later one, its pools."""
        return self._emitter.settled

    @property
    def objects(self) -> int:
        """Rows held now, over all tables."""
        return self._inventory.state.total

    async def identity(self) -> ClusterIdentity:
        """Who this cluster is. Raises KubeProblem."""
        found = await identify(self._kube)
        self._inventory.cluster_uid = found.uid
        self._inventory.facts.api_ca_sha256 = found.api_ca_sha256
        return found

    def request_snapshot(self) -> None:
        """Tell everything again, soon; may be called at any time."""
        self._emitter.request_snapshot()

    async def run(self, sink: Sink) -> None:
        """Tell `sink` everything, then every change, until cancelled. Raises KubeProblem only before it has begun."""
        if not self._inventory.cluster_uid:
            await self.identity()
        async with asyncio.TaskGroup() as group:
            started_us = self._timer.monotonic_us()
            for watched in catalog(self._inventory):
                self._watch(group, watched)
            known = asyncio.Event()
            group.create_task(self._keep_facts(group, known))
            await self._wait_for_lists(known, started_us)
            await self._emitter.run(sink, self._count_sources)

    def _watch(self, group: asyncio.TaskGroup, watched: Watched[Any]) -> None:
        listener = KindListener(watched, self._inventory, self._timer, self._emitter.wake)
        self._listeners[listener.name] = listener
        reflector = Reflector(self._kube, watched.resource, listener, self._timer, self._rng)
        group.create_task(self._guarded(listener, reflector))

    async def _guarded(self, listener: KindListener[Any], reflector: Reflector[Any]) -> None:
        while True:
            try:
                await reflector.run()
            except Exception:  # noqa: BLE001 - a fault of ours in one kind must not stop the other kinds
                _log.exception("collector of %s failed", listener.name)
                listener.broke()
                await self._timer.sleep(_RESTART_S)

    async def _keep_facts(self, group: asyncio.TaskGroup, known: asyncio.Event) -> None:
        while True:
            try:
                await self._facts.refresh()
            except Exception:  # noqa: BLE001 - a fault of ours here must not stop the watches
                _log.exception("reading version, groups and configuration failed")
            self._pools.configs = {name: dict(data) for name, data in self._facts.configs.items()}
            if self._facts.service_version and SERVICE_CIDRS_SOURCE not in self._listeners:
                self._inventory.listed -= SERVICE_COVERS  # served only now, after an upgrade
                for watched in service_catalog(self._inventory, self._facts.service_version):
                    self._watch(group, watched)
            try:
                self._pools.custom = await self._custom.read()
                self._pools.has_custom = self._custom.has_all
            except Exception:  # noqa: BLE001 - objects of strangers must not stop the watches
                _log.exception("reading custom resources failed")
            known.set()
            self._emitter.wake()
            await self._timer.sleep(self._config.facts_interval_s)

    async def _wait_for_lists(self, known: asyncio.Event, started_us: int) -> None:
        """Return when every kind has been listed or has failed, at the latest after the configured wait."""
        limit_s = self._config.first_snapshot_wait_s
        await first_of(self._all_answered(known), self._timer.sleep(limit_s))
        waited_s = (self._timer.monotonic_us() - started_us) / 1_000_000
        for listener in self._listeners.values():
            if not listener.answered.is_set():
                listener.slow(waited_s)

    async def _all_answered(self, known: asyncio.Event) -> None:
        await known.wait()
        for listener in list(self._listeners.values()):
            await listener.answered.wait()

    def _count_sources(self) -> None:
        for listener in self._listeners.values():
            listener.count()
