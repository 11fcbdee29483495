"""Kinds that IPAM adapters ask for beyond the inventory: listed with the facts, not watched."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.base import WantedKind
from periplus_spoke.fold.sources import Source
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.lists import PageDecoder, Resource, pages
from periplus_spoke.kube.problems import KubeProblem


class CustomKinds:
    """Reads what is served; each kind on its own."""

    def __init__(self, client: KubeClient, inventory: Inventory, clock: Clock, wanted: Iterable[WantedKind]) -> None:
        self._client = client
        self._inventory = inventory
        self._clock = clock
        self._wanted = tuple(wanted)
        self._found: dict[str, Sequence[object]] = {}
        self.has_all = False
        """Whether every wanted kind that is served has been read, now or earlier."""

    async def read(self) -> Mapping[str, Sequence[object]]:
        """Objects by source name, as plain dicts; of a kind that fails what it was, and its place in `sources`."""
        unread = 0
        for kind in self._wanted:
            served = self._inventory.facts.groups.get(kind.group, ())
            version = next((version for version in kind.versions if version in served), None)
            name = f"{kind.group}/{kind.plural}"
            if version is None:
                self._found.pop(name, None)
                continue
            resource: Resource[dict[str, Any]] = Resource(
                source=name, group=kind.group, plural=kind.plural, version=version, type=dict[str, Any]
            )
            try:
                self._found[name] = await self._list(resource)
            except KubeProblem as problem:
                unread += name not in self._found
                self._report(name, problem)
            else:
                self._report(name, None, len(self._found[name]))
        self.has_all = not unread
        return dict(self._found)

    async def _list(self, resource: Resource[dict[str, Any]]) -> list[object]:
        items: list[object] = []
        async for page in pages(self._client, resource, PageDecoder(resource.type)):
            items.extend(page.items)
        return items

    def _report(self, name: str, problem: KubeProblem | None, objects: int | None = None) -> None:
        at_us = self._clock.wall_us()
        if problem is None:
            source = Source(state="ok", objects=objects, as_of_us=at_us)
        else:
            source = Source(
                state="forbidden" if problem.reason == "forbidden" else "failed",
                reason=problem.reason,
                message=problem.message,
                remedy=problem.remedy,
            )
        self._inventory.report(name, source, at_us, quietly=True)
