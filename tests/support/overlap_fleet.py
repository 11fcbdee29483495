"""A few clusters that report allocations through the spokes' door, and the register kept behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.ipam.service_intake import IpamApplier
from periplus_hub.addresses.overlaps import repository_groups
from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.addresses.overlaps.model import GroupFilter, OverlapGroup
from periplus_hub.addresses.overlaps.rows import group_of
from periplus_hub.addresses.overlaps.service_what_if import JoinAsk, JoinedPage, joined_pages, joinings
from periplus_hub.fleet.repository import registrations_by_ids
from periplus_hub.kit.db import Database, ReadConnection
from periplus_hub.kit.windows import Window

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import Answer, door, token_for
from tests.support.spokes_door import Door, Member, open_door


def allocation(kind: str, cidr: str, **columns: Any) -> dict[str, Any]:
    """A row of an allocations section."""
    base = {"provider": "kubernetes", "source": "nodes.spec.podCIDRs", "name": "", "node": "", "quality": "exact"}
    return {"kind": kind, "cidr": cidr, "observed_at": START, **base, **columns}


def pool(name: str, **columns: Any) -> dict[str, Any]:
    """A row of a pools section."""
    base = {"provider": "kubernetes", "family": 4, "scope": "cluster", "source": "nodes", "quality": "derived"}
    return {"name": name, "observed_at": START, "cidrs": ["10.0.0.0/16"], **base, **columns}


async def joined(c: ReadConnection, scope: Scope, *clusters: UUID, first: int = 1_000) -> JoinedPage:
    """What joining these clusters (none: all) would bring."""
    ask = JoinAsk(clusters or None, START)
    view = await (await joinings(c, scope, [ask]))[ask].view()
    return (await joined_pages(c, scope, [view], Window(first), GroupFilter(), ask))[view]


@dataclass
class Fleet:
    """Everything a test of overlaps does."""

    db: Database
    scope: Scope
    door: Door
    job: OverlapsJob
    members: dict[str, tuple[Member, Spoke]] = field(default_factory=dict)
    published: list[Mapping[str, Any]] = field(default_factory=list)
    token: str | None = None

    @classmethod
    def open(cls, db: Database, scope: Scope, config: IpamConfig | None = None) -> "Fleet":
        published: list[Mapping[str, Any]] = []
        door = open_door(db, appliers=(IpamApplier(config or IpamConfig()),))
        job = OverlapsJob(db, lambda _tenant, _topic, payload: published.append(payload or {}))
        return cls(db, scope, door, job, {}, published)

    async def cluster(self, name: str, *cidrs: tuple[str, str]) -> UUID:
        """Enrol a cluster and report what it uses."""
        member = await self.door.member(self.scope, name)
        self.members[name] = (member, Spoke(member.registration))
        await self.report(name, *cidrs)
        return member.registration

    async def report(self, name: str, *cidrs: tuple[str, str]) -> Any:
        """The cluster's complete set is this now."""
        return await self.send(name, {"allocations": [allocation(kind, cidr) for kind, cidr in cidrs]})

    async def send(self, name: str, content: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
        """An ipam batch; pools are always there."""
        member, spoke = self.members[name]
        return await member.send(spoke.ipam({"pools": [], **content}))

    async def settle(self, seconds: float = 0) -> int:
        """Let the register take in what was reported."""
        return await self.job.refresh(self.scope.tenant_id, START + timedelta(seconds=seconds))

    async def groups(self, seconds: float = 0, **filters: Any) -> list[OverlapGroup]:
        """What people see."""
        async with self.db.read(self.scope) as c:
            asked = repository_groups.GroupAsk(GroupFilter(**filters), START + timedelta(seconds=seconds))
            page = await repository_groups.groups(c, self.scope, [None], Window(1000), asked)
        return [group_of(row) for row in page[None].rows]

    async def ask(self, document: str, /, **variables: object) -> dict[str, Any]:
        """What the GraphQL door answers to this tenant."""
        return (await self.knock(document, **variables)).good

    async def knock(self, document: str, /, **variables: object) -> Answer:
        """The whole answer, errors too."""
        if self.token is None:
            self.token = await token_for(self.db, self.scope, Role.ADMIN)
        return await door(self.db, FakeClock(START)).ask(document, self.token, **variables)

    def id_of(self, name: str) -> str:
        """A cluster's global id."""
        return f"Cluster:{self.registration(name)}"

    def registration(self, name: str) -> UUID:
        return self.members[name][0].registration

    async def domain_of(self, c: ReadConnection, registration: UUID) -> UUID:
        """Where the cluster lives now."""
        return (await registrations_by_ids(c, self.scope, [registration]))[registration].domain_id
