"""A hub that is there while a case passes, hears its clusters, and lets its detectors look at the end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from periplus_hub.access.scope import Role, Scope, system_scope
from periplus_hub.findings.facts import LISTENING
from periplus_hub.findings.flow_looks import FlowLooks
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.findings.jobs_flows import FlowLookJob
from periplus_hub.findings.model import Undecided
from periplus_hub.findings.service_detect import drafts_by_detector
from periplus_hub.findings.service_facts import FactLoader

from tests.cases.flow_case import FlowCase, moment
from tests.cases.judging_findings import OF_FLOWS, Found, found_of
from tests.support.clock import FakeClock
from tests.support.flow_hub import FlowHub
from tests.support.graphql_hub import door, token_for
from tests.support.spokes_door import Member
from tests.support.unhurried import UNHURRIED

_FINDINGS: Final = """{
  findings(first: 200, states: [OPEN]) {
    nodes { detector severity title evidence clusters(first: 50) { nodes { name } } }
  }
}"""
_LISTENS: Final = timedelta(minutes=32)
"""Longer than any detector waits before it takes silence for one."""
_ROUND: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Watch:
    """The leader's jobs of findings, as one process has them."""

    hub: FlowHub
    scope: Scope
    case: FlowCase
    clock: FakeClock
    looks: FlowLooks
    loader: FactLoader

    @classmethod
    def of(cls, hub: FlowHub, scope: Scope, case: FlowCase, clock: FakeClock) -> "Watch":
        """One that has not looked yet."""
        looks = FlowLooks()
        return cls(hub, scope, case, clock, looks, FactLoader(looks))

    @property
    def is_asked(self) -> bool:
        """Whether the case expects anything of detectors."""
        return self.case.expect.findings is not None or self.case.expect.undecided is not None

    async def until(self, at: datetime, heard: list[Member]) -> None:
        """Let time pass. From when the hub is there, it hears one of these clusters and listens, every minute."""
        since = moment(self.case.hub_since) if self.case.hub_since else moment(self.case.now) - _LISTENS
        if self.is_asked and since <= at:
            self._come_to(max(since, self.clock.now()))
            for each in heard[:1]:
                await each.renew()
            while self.clock.now() < at:
                for each in heard[:1]:
                    await each.beat()
                await self._listen()
                self._come_to(min(self.clock.now() + _ROUND, at))
        self._come_to(at)

    def _come_to(self, at: datetime) -> None:
        self.clock.advance((at - self.clock.now()).total_seconds())

    async def _listen(self) -> None:
        scope = system_scope(self.scope.tenant_id, "job:findings")
        async with self.hub.db.read(scope) as c:
            await self.loader.load(c, scope, self.clock.now(), [LISTENING])

    async def found(self) -> tuple[list[Found], list[str]]:
        """What the detectors of flows find, as a person lists it; and which of them cannot tell of something."""
        if not self.is_asked:
            return [], []
        now, scope = self.clock.now(), system_scope(self.scope.tenant_id, "job:findings")
        await FlowLookJob(self.hub.db, self.hub.store, self.looks).look(self.scope.tenant_id, now)
        await FindingsJob(self.hub.db, None, self.loader).detect(self.scope.tenant_id, now)
        async with self.hub.db.read(scope) as c:
            seen = await drafts_by_detector(c, scope, now, self.loader)
        undecided = [
            name
            for name, drafts in seen.items()
            if name in OF_FLOWS and (drafts is None or any(isinstance(each, Undecided) for each in drafts))
        ]
        token = await token_for(self.hub.db, self.scope, Role.VIEWER)
        answer = await door(self.hub.db, self.clock, limits=UNHURRIED).ask(_FINDINGS, token)
        return found_of(answer.good["findings"]["nodes"]), undecided
