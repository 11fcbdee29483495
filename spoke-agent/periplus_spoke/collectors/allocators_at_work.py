"""Which allocators of addresses are at work in a cluster, and which sources of flows, from one look at it."""

from contextlib import suppress
from typing import Final

import msgspec

from periplus_contract import covers
from periplus_contract.tables import NODES, SERVICES
from periplus_spoke.collectors.facts import Facts
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.base import DetectFacts, IpamAdapter
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.collectors.watched_kinds import Watched, catalog
from periplus_spoke.conversion.cni import UNKNOWN
from periplus_spoke.conversion.flow_sources import FlowSource
from periplus_spoke.conversion.objects import Thing
from periplus_spoke.conversion.text import LabelFilter
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.lists import PageDecoder, pages
from periplus_spoke.kube.problems import KubeProblem

_DAEMONSETS: Final = covers.workloads("DaemonSet")


class AtWork(msgspec.Struct, frozen=True):
    """What was found; `plugins` are network plugins with a sign."""

    plugins: tuple[str, ...]
    adapters: tuple[IpamAdapter, ...]
    flow_sources: tuple[FlowSource, ...]

    @property
    def line(self) -> str:
        """One line for people."""
        named = [each for each in self.plugins if each != UNKNOWN]
        plugins = ", ".join(named) or "of an unknown kind"
        return f"network plugin: {plugins}; allocators that are read: {', '.join(each.name for each in self.adapters)}"

    @property
    def flows_line(self) -> str:
        """What flows could be read from, for people; what may be there unseen is never said to be absent."""
        found = [f"{each.kind} ({each.where})" for each in self.flow_sources if each.state == "found"]
        unknown = [each.kind for each in self.flow_sources if each.state == "unknown"]
        unseen = f"; not known of {', '.join(unknown)}" if unknown else ""
        return f"sources of flows: {', '.join(found) or 'none found'}{unseen}"

    def reads(self, source: str) -> bool:
        """Whether one of these allocators reads what goes by this name in the table `sources`."""
        kinds = {kind.source for adapter in self.adapters for kind in adapter.kinds}
        return source in kinds or any(source in adapter.configs for adapter in self.adapters)


async def at_work(client: KubeClient, clock: Clock) -> AtWork:
    """Look at API groups, configuration, DaemonSets and some nodes; what may not be read shows nothing."""
    inventory = Inventory(LabelFilter())
    facts = Facts(client, inventory, clock)
    await facts.refresh()
    for watched in catalog(inventory):
        # What shows a plugin best costs least: pods are many, and say nothing about it. Services show sources of flows.
        if watched.covers in (NODES.name, SERVICES.name, _DAEMONSETS):
            with suppress(KubeProblem):
                await _look(client, watched, inventory)
    found = inventory.cnis()
    shown = DetectFacts(cnis=found, groups=inventory.facts.groups, configs=facts.configs)
    adapters = tuple(adapter for adapter in ADAPTERS if adapter.detect(shown))
    return AtWork(found, adapters, tuple(each.source for each in inventory.flow_sources()))


async def _look(client: KubeClient, watched: Watched[Thing], inventory: Inventory) -> None:
    """All DaemonSets, but only the first page of nodes: a plugin marks every node."""
    async for page in pages(client, watched.resource, PageDecoder(watched.resource.type)):
        for item in page.items:
            watched.upsert(item, 0)
        if watched.covers == NODES.name:
            return
    inventory.listed.add(watched.covers)
