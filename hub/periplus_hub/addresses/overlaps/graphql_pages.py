"""Where the connections of this slice get their pages from."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.overlaps import service_members, service_what_if
from periplus_hub.addresses.overlaps.model import SEVERITIES, ClusterShare, GroupFilter, JoinedGroup, Severity
from periplus_hub.addresses.overlaps.service_members import GroupRange, MembersAsk, MembersPage
from periplus_hub.addresses.overlaps.service_what_if import JoinAsk, JoinedPage, Joining
from periplus_hub.kit.graphql import Batch, Context
from periplus_hub.kit.keyset import Slice, sliced
from periplus_hub.kit.windows import Window


@dataclass(frozen=True, slots=True)
class ReadPages:
    """Pages that a loader reads together with those of all siblings; `asked` goes to both of its functions."""

    context: Context[Scope]
    read: Batch[Scope, Any, Slice]
    count: Batch[Scope, Any, int]
    parent: UUID | None
    window: Window
    asked: Any

    async def page(self) -> Slice:
        """The rows."""
        return await self.context.load(self.read, self.parent, self.window, self.asked) or Slice()

    async def total(self) -> int:
        """A count of its own."""
        return await self.context.load(self.count, self.parent, self.asked) or 0


@dataclass(frozen=True, slots=True)
class MemberPages:
    """What lies inside a group, stored or joined."""

    context: Context[Scope]
    group: GroupRange
    window: Window
    asked: MembersAsk

    async def _found(self) -> MembersPage:
        found = await self.context.load(service_members.members, self.group, self.window, self.asked)
        return found or MembersPage(Slice(), 0)

    async def page(self) -> Slice:
        """The rows, each with its severity."""
        return (await self._found()).page

    async def total(self) -> int:
        """Known with the page."""
        return (await self._found()).total


def _place(share: ClusterShare) -> tuple[int, str, UUID]:
    return SEVERITIES.index(share.severity), share.cluster_name, share.registration_id


@dataclass(frozen=True, slots=True)
class JoinedClusters:
    """The clusters of a group that would be, worst first, then by name."""

    group: JoinedGroup
    severities: tuple[Severity, ...]
    window: Window

    def _wanted(self) -> list[ClusterShare]:
        wanted = [share for share in self.group.shares if not self.severities or share.severity in self.severities]
        return sorted(wanted, key=_place)

    async def page(self) -> Slice:
        """All are known."""
        return sliced(self._wanted(), _place, "joined_clusters", self.window)

    async def total(self) -> int:
        """All are known."""
        return len(self._wanted())


@dataclass(frozen=True, slots=True)
class JoinedPages:
    """The groups that joining clusters would bring."""

    context: Context[Scope]
    ask: JoinAsk
    only: GroupFilter
    window: Window

    async def _found(self) -> JoinedPage:
        joining = cast("Joining", await self.context.load(service_what_if.joinings, self.ask))
        view = await joining.view()
        asked = (self.window, self.only, self.ask)
        return await self.context.load(service_what_if.joined_pages, view, *asked) or JoinedPage()

    async def groups(self) -> Slice:
        """A page of them."""
        found = await self._found()
        return Slice(
            found.groups, found.has_next, found.has_previous, service_what_if.ORDER, key=service_what_if.list_position
        )

    async def total(self) -> int:
        """Known with the page."""
        return (await self._found()).total
