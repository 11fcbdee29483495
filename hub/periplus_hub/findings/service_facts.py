"""Where the facts that detectors need come from: each is loaded once a round, and only when somebody needs it."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.engine.knowledge import Evidence, Missing, is_read_whole, known
from periplus_hub.addresses.ipam.model import LeakingPools, PoolCheck, ShortPools
from periplus_hub.addresses.ipam.repository_knowledge import evidence_by_registration
from periplus_hub.addresses.ipam.repository_pool_checks import check_pools
from periplus_hub.addresses.ipam.repository_pool_leaks import leaking_pools
from periplus_hub.addresses.ipam.repository_pools import clusters_with_full_nodes, short_pools
from periplus_hub.addresses.overlaps import repository_groups
from periplus_hub.addresses.overlaps.model import GroupFilter, RegisterStatus, Severity
from periplus_hub.addresses.overlaps.repository_groups import GroupAsk
from periplus_hub.addresses.overlaps.repository_register import register_status
from periplus_hub.addresses.overlaps.rows import group_of
from periplus_hub.addresses.overlaps.service_explanations import explain_groups, worst_hit
from periplus_hub.dependencies.engine.watched import Watched
from periplus_hub.dependencies.model import Coverage
from periplus_hub.findings import facts
from periplus_hub.findings.facts import MAX_OVERLAPS, MAX_POOLS, Fact, Facts, PoolChecks, WorstOverlaps
from periplus_hub.findings.flow_looks import FlowLooks
from periplus_hub.findings.listening import Listening, is_nobody_heard
from periplus_hub.fleet.model import Machines, Registration, State
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.flows.repository_progress import has_told
from periplus_hub.ingest.kinds import OF_A_MOMENT
from periplus_hub.ingest.model import RecentBatch
from periplus_hub.ingest.repository_recent_batches import recent_batches
from periplus_hub.inventory.model import Source
from periplus_hub.inventory.repository_machines import machines_by_registration
from periplus_hub.inventory.repository_silent_nodes import silent_nodes
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.windows import Window

T = TypeVar("T")

_RECENT: Final = timedelta(minutes=15)
_CHECK_AGAIN: Final = timedelta(minutes=10)
_CHECKED_AT_ONCE: Final = 50
"""So that no round takes long: with a round each 15 s, 1,000 clusters take five minutes."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_HURTS: Final = GroupFilter(severities=(Severity.CONFLICT, Severity.BLOCKS_FEDERATION))
_EVIDENCE: Final[Fact[Mapping[UUID, Evidence]]] = Fact("evidence")
_HAS_FLOWS: Final[Fact[bool]] = Fact("has flows")


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of a cluster, and when."""

    at: datetime
    found: PoolCheck


class FactLoader:
    """Of one process: it remembers since when it listens to each tenant's clusters, and what it checked of them."""

    def __init__(self, looks: FlowLooks | None = None) -> None:
        self._looks = looks or FlowLooks()
        self._listening: dict[UUID, Listening] = {}
        self._checked: dict[UUID, dict[UUID, Checked]] = {}

    async def load(self, c: ReadConnection, scope: Scope, now: datetime, needed: Iterable[Fact[Any]]) -> Facts:
        """What is known of the tenant now."""
        checked = self._checked.setdefault(scope.tenant_id, {})
        this = Round(c, scope, now, self._listening, checked, self._looks)
        return Facts({fact: await this.know(fact) for fact in needed})


@dataclass
class Round:
    """One look at one tenant. What a fact is made of may be asked for like any other."""

    c: ReadConnection
    scope: Scope
    now: datetime
    listening: dict[UUID, Listening]
    checked: dict[UUID, Checked]
    looks: FlowLooks
    _known: dict[Fact[Any], Any] = field(default_factory=dict)

    async def know(self, fact: Fact[T]) -> T:
        """Loaded the first time."""
        if fact not in self._known:
            self._known[fact] = await _LOADERS[fact](self)
        return cast("T", self._known[fact])


async def _registrations(this: Round) -> Sequence[Registration]:
    return await all_registrations(this.c, this.scope, (State.PENDING, State.ACTIVE))


async def _evidence(this: Round) -> Mapping[UUID, Evidence]:
    registrations = await this.know(facts.REGISTRATIONS)
    return await evidence_by_registration(this.c, this.scope, [registration.id for registration in registrations])


async def _machines(this: Round) -> Mapping[UUID, Machines]:
    registrations = await this.know(facts.REGISTRATIONS)
    times = Counter(each.cluster_uid for each in registrations)
    shared = sorted((each.created_at, each.id) for each in registrations if times[each.cluster_uid] > 1)
    known = await machines_by_registration(this.c, this.scope, [each for _, each in shared]) if shared else {}
    return {each: known[each] for _, each in shared if each in known}


async def _sources(this: Round) -> Mapping[UUID, Sequence[Source]]:
    return {each: evidence.sources for each, evidence in (await this.know(_EVIDENCE)).items()}


async def _missing(this: Round) -> Mapping[UUID, Sequence[Missing]]:
    return {each: known(evidence, this.now).missing for each, evidence in (await this.know(_EVIDENCE)).items()}


async def _recent_batches(this: Round) -> Mapping[UUID, Sequence[RecentBatch]]:
    """Of those of whom more than one epoch was heard; for all others nobody looks."""
    since = this.now - _RECENT
    heard_at = {each.id: each.older_epoch_heard_at for each in await this.know(facts.REGISTRATIONS)}
    suspects = [each for each, at in heard_at.items() if at is not None and at > since]
    return await recent_batches(this.c, this.scope, suspects, since, OF_A_MOMENT) if suspects else {}


async def _register(this: Round) -> RegisterStatus:
    return await register_status(this.c, this.scope)


async def _overlaps(this: Round) -> WorstOverlaps:
    c, scope, asked, nobody = this.c, this.scope, GroupAsk(_HURTS, this.now), (None,)
    page = (await repository_groups.groups(c, scope, nobody, Window(MAX_OVERLAPS), asked))[None]
    groups = [group_of(row) for row in page.rows]
    explanations = await explain_groups(c, scope, groups)
    total = (await repository_groups.group_total(c, scope, nobody, asked))[None]
    hit = await worst_hit(c, scope, groups, this.now)
    return WorstOverlaps(groups=groups, explanations=explanations, hit=hit, unlisted=total - len(groups))


async def _short_pools(this: Round) -> ShortPools:
    return await short_pools(this.c, this.scope, MAX_POOLS, this.now)


async def _full_nodes(this: Round) -> AbstractSet[UUID]:
    return await clusters_with_full_nodes(this.c, this.scope)


async def _silent_nodes(this: Round) -> Mapping[UUID, str]:
    return await silent_nodes(this.c, this.scope, this.now)


async def _leaking_pools(this: Round) -> LeakingPools:
    return await leaking_pools(this.c, this.scope, MAX_POOLS)


async def _pool_checks(this: Round) -> PoolChecks:
    """Some clusters each round, those that waited longest: allocators are read every ten minutes, too."""
    active = [each.id for each in await this.know(facts.REGISTRATIONS) if each.state is State.ACTIVE]
    evidence = await this.know(_EVIDENCE)
    whole = {each for each in active if each in evidence and is_read_whole(evidence[each], this.now)}
    for over in this.checked.keys() - whole:
        del this.checked[over]
    due = sorted((_checked_at(this, each), each) for each in whole)[:_CHECKED_AT_ONCE]
    asked = [each for at, each in due if this.now - at >= _CHECK_AGAIN]
    found = await check_pools(this.c, this.scope, asked, this.now) if asked else {}
    this.checked.update({each: Checked(this.now, result) for each, result in found.items()})
    known_now = {each: checked.found for each, checked in this.checked.items()}
    return PoolChecks(found=known_now, unknown=set(active) - whole, is_waiting=len(known_now) < len(whole))


def _checked_at(this: Round, registration_id: UUID) -> datetime:
    checked = this.checked.get(registration_id)
    return checked.at if checked else _NEVER


async def _listening(this: Round) -> Listening:
    nobody = is_nobody_heard(await this.know(facts.REGISTRATIONS), this.now)
    tenant = this.scope.tenant_id
    this.listening[tenant] = Listening.next_round(this.listening.get(tenant), this.now, heard_nobody=nobody)
    return this.listening[tenant]


async def _has_flows(this: Round) -> bool:
    return await has_told(this.c, this.scope)


async def _flow_coverage(this: Round) -> Coverage | None:
    if await this.know(_HAS_FLOWS):
        return this.looks.coverage(this.scope.tenant_id, this.now)
    return Coverage(clusters=(), collected=0, settled=0, rejected=0, dropped={}, now=this.now)


async def _watched(this: Round) -> Watched | None:
    """The looks are made by a job of their own; of a tenant without flows there is nothing to look at."""
    coverage = await this.know(facts.FLOW_COVERAGE)
    if await this.know(_HAS_FLOWS) or coverage is None:
        return this.looks.watched(this.scope.tenant_id, this.now)
    return Watched(at=this.now, coverage=coverage)


_LOADERS: Final[Mapping[Fact[Any], Callable[[Round], Awaitable[Any]]]] = {
    facts.REGISTRATIONS: _registrations,
    facts.SOURCES: _sources,
    facts.MISSING: _missing,
    facts.MACHINES: _machines,
    facts.RECENT_BATCHES: _recent_batches,
    facts.REGISTER: _register,
    facts.OVERLAPS: _overlaps,
    facts.LISTENING: _listening,
    facts.SHORT_POOLS: _short_pools,
    facts.FULL_NODES: _full_nodes,
    facts.SILENT_NODES: _silent_nodes,
    facts.LEAKING_POOLS: _leaking_pools,
    facts.POOL_CHECKS: _pool_checks,
    facts.FLOW_COVERAGE: _flow_coverage,
    facts.WATCHED: _watched,
    _EVIDENCE: _evidence,
    _HAS_FLOWS: _has_flows,
}
