"""What the collectors of one cluster look at: its watched kinds, facts and custom kinds, each read once."""

import asyncio
import logging
import random
from collections.abc import Iterable
from typing import Any, Final

from periplus_contract.tables import NODES, PODS, SERVICES
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.custom import CustomKinds
from periplus_spoke.collectors.facts import SERVICE_COVERS, Facts
from periplus_spoke.collectors.identity import identify
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.registry import WANTED_KINDS
from periplus_spoke.collectors.kind_listener import KindListener
from periplus_spoke.collectors.naming.registry import READ_KINDS, called, said
from periplus_spoke.collectors.pools import Pools
from periplus_spoke.collectors.waiting import first_of
from periplus_spoke.collectors.watched_kinds import SERVICE_CIDRS_SOURCE, Watched, catalog, service_catalog
from periplus_spoke.conversion.cluster_identity import ClusterIdentity
from periplus_spoke.conversion.text import LabelFilter
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.reflector import Reflector

_RESTART_S: Final = 60.0

_log: Final = logging.getLogger(__name__)


class ClusterReader:
    """Watches and asks one API server, and keeps what it learns where the collectors look. Built inert."""

    def __init__(self, kube: KubeClient, config: CollectConfig, timer: Timer, rng: random.Random) -> None:
        self._kube = kube
        self._config = config
        self._timer = timer
        self._rng = rng
        self.inventory = Inventory(LabelFilter(config.label_keys))
        self.inventory.facts.distribution = config.distribution
        self.inventory.flow_preference = config.flow_sources
        self.inventory.flow_readers = config.flow_readers
        self.pools = Pools(self.inventory)
        self.changes = ChangeSignal()
        """When something may have changed, or is to be told again."""
        self.ready = asyncio.Event()
        """Set once every kind has been listed or has failed, at the latest after the configured wait."""
        self.snapshots = 0
        """Snapshots of the inventory taken so far; each is followed by complete ipam."""
        self._facts = Facts(kube, self.inventory, timer)
        self._custom = CustomKinds(kube, self.inventory, timer, WANTED_KINDS)
        self._naming = CustomKinds(kube, self.inventory, timer, READ_KINDS)
        self._listeners: dict[str, KindListener[Any]] = {}

    async def identity(self) -> ClusterIdentity:
        """Who this cluster is. Raises KubeProblem."""
        found = await identify(self._kube, self._timer.now())
        self.inventory.cluster_uid = found.uid
        self.inventory.facts.api_ca_sha256 = found.api_ca_sha256
        return found

    async def identity_once(self) -> None:
        """Ask who this cluster is, unless that is known. Raises KubeProblem."""
        if not self.inventory.cluster_uid:
            await self.identity()

    def refresh_ranges(self, at_us: int) -> None:
        """Bring pools and allocations up to date, and what is said of their sources with them."""
        self.pools.refresh(at_us)

    def refresh_bounds(self, at_us: int) -> bool:
        """The same unless only pods came and went; whether the allocations are not those last told."""
        return self.pools.allocations_changed(at_us)

    def snapshot_taken(self) -> None:
        """The inventory is told as a whole now."""
        self.snapshots += 1
        self.changes.notify_all()

    def count_sources(self) -> None:
        """Bring the object counts of all sources up to date."""
        for listener in self._listeners.values():
            listener.count()

    async def run(self) -> None:
        """Read until cancelled."""
        async with asyncio.TaskGroup() as group:
            started_us = self._timer.monotonic_us()
            for watched in catalog(self.inventory):
                self._watch(group, watched)
            known = asyncio.Event()
            group.create_task(self._keep_facts(group, known))
            await self._wait_for_lists(known, started_us)
            self.ready.set()

    def _watch(self, group: asyncio.TaskGroup, watched: Watched[Any]) -> None:
        listener = KindListener(watched, self.inventory, self._timer, self.changes.notify_all)
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
        listed = group.create_task(self._what_is_named())
        while True:
            try:
                await self._facts.refresh()
            except Exception:  # noqa: BLE001 - a fault of ours here must not stop the watches
                _log.exception("reading version, groups and configuration failed")
            self.pools.configs = {name: dict(data) for name, data in self._facts.configs.items()}
            self.pools.flags = dict(self._facts.flags)
            if self._facts.service_version and SERVICE_CIDRS_SOURCE not in self._listeners:
                self.inventory.listed -= SERVICE_COVERS  # served only now, after an upgrade
                for watched in service_catalog(self.inventory, self._facts.service_version):
                    self._watch(group, watched)
            await listed  # before the objects that name them: else what went in between would look forgotten
            try:
                self.pools.custom = await self._custom.read()
                self.pools.has_custom = self._custom.has_all
                self.pools.absent = self._custom.absent
                self.pools.listing = self._custom.listing
            except Exception:  # noqa: BLE001 - objects of strangers must not stop the watches
                _log.exception("reading custom resources failed")
            await self._read_meanings()
            known.set()
            self.changes.notify_all()
            await self._timer.sleep(self._config.facts_interval_s)

    async def _read_meanings(self) -> None:
        """Of a kind that was not read now, what it said stays."""
        try:
            found = await self._naming.read()
            at_us = self._timer.wall_us()
            for source, told in said(found, self._naming.absent, self.inventory.service_addresses()):
                self.inventory.meanings(source, told, at_us)
            self.inventory.facts.called = called(found)
        except Exception:  # noqa: BLE001 - objects of strangers must not stop the watches
            _log.exception("reading what addresses stand for failed")

    async def _what_is_named(self) -> None:
        """Return when all of it has been listed or has failed, at the latest after the configured wait."""
        listeners = [self._listeners[table.name] for table in (NODES, PODS, SERVICES)]
        await first_of(_answered(listeners), self._timer.sleep(self._config.first_snapshot_wait_s))

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
        # A copy: a kind that is served only now may join while this waits.
        await _answered(list(self._listeners.values()))


async def _answered(listeners: Iterable[KindListener[Any]]) -> None:
    for listener in listeners:
        await listener.answered.wait()
