"""Kinds that IPAM adapters ask for beyond the inventory: listed with the facts, not watched."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from periplus_contract.tables import NODES, PODS
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.presence import GRACE_US, Listing
from periplus_spoke.conversion.sources import Source, State
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.discovery import listable
from periplus_spoke.kube.lists import PageDecoder, Resource, pages
from periplus_spoke.kube.problems import KubeProblem

_LAST_WORDS: Final[dict[str, State]] = {"forbidden": "forbidden", "not_found": "absent"}
"""Reasons after which a kind says no more until the reason is gone, with the state they are."""


class _Round(msgspec.Struct):
    """What one reading of all kinds comes to."""

    unread: int = 0
    absent: set[str] = msgspec.field(default_factory=set)
    stale: set[str] = msgspec.field(default_factory=set)
    listable: dict[tuple[str, str], frozenset[str]] = msgspec.field(default_factory=dict)
    """Plurals by group and version, of those that were asked."""


class CustomKinds:
    """Reads what is served; each kind on its own."""

    def __init__(
        self, client: KubeClient, inventory: Inventory, clock: Clock, wanted: Iterable[WantedKind[Any]]
    ) -> None:
        self._client = client
        self._inventory = inventory
        self._clock = clock
        self._wanted = tuple(dict.fromkeys(wanted))
        self._found: dict[str, Sequence[object]] = {}
        self.has_all = False
        """Whether every wanted kind that is served and may be read has been read, now or earlier."""
        self.absent: frozenset[str] = frozenset()
        """Source names of kinds that the API server does not serve, so that there is no object of them."""
        self.listing: Listing | None = None
        """Of the last reading."""
        self._round = _Round()

    async def read(self) -> Mapping[str, Sequence[object]]:
        """Objects by source name; of a kind that fails what it was, and its place in `sources`."""
        is_after = self._inventory.is_current(PODS, NODES)
        began_us = self._clock.wall_us()
        self._round = _Round(stale=set() if is_after else {kind.source for kind in self._wanted})
        for kind in self._wanted:
            served = self._inventory.facts.groups.get(kind.group, ())
            versions = [version for version in kind.versions if version in served]
            name = kind.source
            is_elsewhere = kind.unless in self._inventory.facts.groups
            if not versions or is_elsewhere:
                self._found.pop(name, None)
                if not served and self._inventory.facts.groups:  # without any group, nobody could ask which there are
                    self._round.absent.add(name)
                if served and not is_elsewhere:
                    self._report(name, _newer(kind, served))
                continue
            try:
                self._found[name], misfits = await self._list_any(kind, versions)
            except KubeProblem as problem:
                await self._not_read(kind, served, problem)
            else:
                self._report(name, _odd(name, misfits) if misfits else None, len(self._found[name]))
        self.has_all = not self._round.unread
        self.absent = frozenset(self._round.absent)
        self.listing = Listing(began_us=began_us, stale=frozenset(self._round.stale))
        self._inventory.departures.forget_before(began_us - GRACE_US)
        return dict(self._found)

    async def _not_read(self, kind: WantedKind[Any], served: Sequence[str], problem: KubeProblem) -> None:
        name = kind.source
        self._round.stale.add(name)
        if problem.reason == "not_found":
            self._found.pop(name, None)
            try:
                newer = await self._newer_versions(kind, served)
            except KubeProblem as other:
                problem = other
            else:
                if newer:
                    self._report(name, _newer(kind, newer))
                    return
                self._round.absent.add(name)
        # A kind that was read once and fails now counts as read: what it was is told, and its source says since when.
        self._round.unread += name not in self._found and problem.reason not in _LAST_WORDS
        self._report(name, problem)

    async def _newer_versions(self, kind: WantedKind[Any], served: Sequence[str]) -> list[str]:
        """In which versions that the spoke does not read the kind is there: its group may serve it in those alone."""
        found: list[str] = []
        for version in served:
            if version not in kind.versions:
                key = (kind.group, version)
                if key not in self._round.listable:
                    self._round.listable[key] = await listable(self._client, *key)
                if kind.plural in self._round.listable[key]:
                    found.append(version)
        return found

    async def _list_any(self, kind: WantedKind[Any], versions: Sequence[str]) -> tuple[list[object], list[str]]:
        """In the first version that has the kind: a group may serve some kinds in fewer versions than others."""
        for version in versions[:-1]:
            try:
                return await self._list(kind, version)
            except KubeProblem as problem:
                if problem.reason != "not_found":
                    raise
        return await self._list(kind, versions[-1])

    async def _list(self, kind: WantedKind[Any], version: str) -> tuple[list[object], list[str]]:
        resource: Resource[Any] = Resource(
            source=kind.source, group=kind.group, plural=kind.plural, version=version, type=kind.type
        )
        items: list[object] = []
        misfits: list[str] = []
        async for page in pages(self._client, resource, PageDecoder(resource.type)):
            items.extend(page.items)
            misfits += [message for message, _ in page.misfits]
        return items, misfits

    def _report(self, name: str, problem: KubeProblem | None, objects: int | None = None) -> None:
        at_us = self._clock.wall_us()
        if problem is None:
            source = Source(state="ok", objects=objects, as_of_us=at_us)
        else:
            source = Source(
                state=_LAST_WORDS.get(problem.reason, "failed"),
                reason=problem.reason,
                message=problem.message,
                remedy=problem.remedy,
                objects=objects,
            )
        self._inventory.report(name, source, at_us, quietly=True)


def _newer(kind: WantedKind[Any], served: Sequence[str]) -> KubeProblem:
    return KubeProblem(
        "unknown_version",
        f"{kind.group} is served as {', '.join(served)}, and this spoke reads {' or '.join(kind.versions)}",
        "Upgrade the spoke, or serve a version that it reads as well.",
    )


def _odd(name: str, misfits: list[str]) -> KubeProblem:
    return KubeProblem(
        "odd_objects",
        f"{len(misfits)} of {name} have another shape than their kind and are left out: {misfits[0]}",
        "Correct these objects.",
    )
