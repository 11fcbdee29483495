"""The job that counts the fleet for the metrics of the process that leads.

Counted now and then, not at a scrape: who scrapes often costs the database nothing. Figures are of all tenants
together and name nobody, unless `metrics_cluster_limit` lets a small fleet's clusters be named.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from periplus_hub.access.model import Tenant
from periplus_hub.access.repository import system_tenants
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.addresses.ipam.engine.knowledge import Knowledge, known
from periplus_hub.addresses.ipam.model import PoolFill
from periplus_hub.addresses.ipam.repository_knowledge import evidence_by_registration
from periplus_hub.addresses.ipam.repository_pools import pools_by_fill
from periplus_hub.addresses.overlaps.model import RegisterState, Severity
from periplus_hub.addresses.overlaps.repository_groups import severity_counts
from periplus_hub.addresses.overlaps.repository_register import register_state
from periplus_hub.findings.model import FindingSeverity, FindingState
from periplus_hub.findings.repository import last_round, live_counts
from periplus_hub.fleet.model import Liveness, Registration, State
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.fleet.repository_agents import agents_by_liveness
from periplus_hub.kit.db import Database, ReadConnection
from periplus_hub.kit.jobs import done_and_failed, raise_failed
from periplus_hub.kit.metrics import Picture, Samples
from periplus_hub.kit.tenancy import EVERY_TENANT

K = TypeVar("K")

_TURNS_MISSED: Final = 3
"""Figures are gone when they were not counted again for so many turns."""
_WITHIN_S: Final = (60, 300, 3_600, 86_400)

PICTURE: Final = Picture()
_clusters: Final = PICTURE.gauge(
    "periplus_clusters",
    "Clusters by what is known of their addresses, in the words of the report: complete, incomplete, stale, unread, "
    "pending, revoked.",
    ("state",),
)
_registrations: Final = PICTURE.gauge(
    "periplus_registrations", "Registrations by state: pending, active, revoked.", ("state",)
)
_heard: Final = PICTURE.gauge(
    "periplus_clusters_heard_within", "Active clusters that were heard in the last so many seconds.", ("seconds",)
)
_oldest: Final = PICTURE.gauge(
    "periplus_clusters_oldest_contact_timestamp_seconds",
    "When the active cluster that is silent longest was last heard, as a Unix time; absent while none was ever heard.",
)
_groups: Final = PICTURE.gauge(
    "periplus_overlap_groups",
    "Overlap groups by severity; absent while those of some tenant were never computed.",
    ("severity",),
)
_registers: Final = PICTURE.gauge(
    "periplus_overlap_registers",
    "Overlap registers, one a tenant, by state: current, behind, never-computed.",
    ("state",),
)
_register_at: Final = PICTURE.gauge(
    "periplus_overlap_register_timestamp_seconds",
    "When the overlaps were last known to be right, as a Unix time, of the register that is furthest behind; absent "
    "while one was never computed.",
)
_findings: Final = PICTURE.gauge(
    "periplus_findings",
    "Unresolved findings by state (open, acknowledged) and severity; absent while detectors have not looked lately at "
    "some tenant.",
    ("state", "severity"),
)
_pools: Final = PICTURE.gauge(
    "periplus_pools",
    "Address pools of active clusters by fill: ample, near-exhaustion (nine tenths and more are taken), or unknown.",
    ("fill",),
)
_agents: Final = PICTURE.gauge(
    "periplus_node_agents",
    "Agents of nodes of active clusters that did not end: connected (heard within 90 seconds) or stale.",
    ("liveness",),
)
_counted_at: Final = PICTURE.gauge(
    "periplus_fleet_counted_timestamp_seconds", "When these figures of the fleet were counted, as a Unix time."
)
_uncounted: Final = PICTURE.gauge(
    "periplus_fleet_tenants_uncounted",
    "Tenants that could not be counted: while it is above 0, the sums are of the others alone, and when none could be "
    "counted there are no sums.",
)
_of_cluster: Final = PICTURE.gauge(
    "periplus_cluster_state",
    "1 for the state of each cluster that is not revoked; only with metrics_cluster_limit.",
    ("tenant", "cluster", "state"),
)
_contact: Final = PICTURE.gauge(
    "periplus_cluster_last_contact_timestamp_seconds",
    "When each cluster was last heard, as a Unix time; absent for one that never was. Only with metrics_cluster_limit.",
    ("tenant", "cluster"),
)
_left_out: Final = PICTURE.gauge(
    "periplus_cluster_series_left_out",
    "1 while clusters have no series of their own because there are more than metrics_cluster_limit, else 0.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFigures:
    """What one tenant has."""

    tenant: str
    members: tuple[tuple[Registration, Knowledge], ...]
    register: RegisterState
    register_at: datetime | None
    groups: Mapping[Severity, int]
    findings: Mapping[tuple[FindingState, FindingSeverity], int] | None
    """None while the detectors have not looked lately."""
    pools: Mapping[PoolFill, int]
    agents: Mapping[Liveness, int]


class FleetFiguresJob:
    """Counts every tenant, then shows all of it at once. A gauge tells of tenants that cannot be counted."""

    name = "findings.figures"

    def __init__(self, db: Database, cluster_limit: int = 0, interval_s: float = 30.0) -> None:
        self.interval_s = interval_s
        self._db = db
        self._cluster_limit = cluster_limit

    async def run(self, now: datetime) -> None:
        """Once."""
        clock, began_s = self._db.clock, self._db.clock.monotonic_s()
        async with self._db.read(EVERY_TENANT) as c:
            tenants = await system_tenants(c)
        # One tenant that cannot be read must not blind the metrics of all others; that it is missing from the sums is a
        # gauge.
        figures, failed = await done_and_failed(self._tenant(tenant, now) for tenant in tenants)
        until_s = began_s + _TURNS_MISSED * self.interval_s
        sums = samples(figures, now, self._cluster_limit) if figures or not failed else {}
        # Figures that nobody renews vanish instead of standing still: an alert on a frozen "0 critical" would never
        # ring.
        PICTURE.show({**sums, _uncounted: {(): len(failed)}}, lambda: clock.monotonic_s() <= until_s)
        raise_failed(failed)

    async def _tenant(self, tenant: Tenant, now: datetime) -> TenantFigures:
        scope = system_scope(tenant.id, "job:figures")
        async with self._db.read(scope) as c:
            return await _count(c, scope, tenant.name, now)


async def _count(c: ReadConnection, scope: Scope, tenant: str, now: datetime) -> TenantFigures:
    registrations = await all_registrations(c, scope)
    evidence = await evidence_by_registration(c, scope, [each.id for each in registrations])
    status, register = await register_state(c, scope, now)
    return TenantFigures(
        tenant=tenant,
        members=tuple((seen.registration, known(seen, now).knowledge) for seen in evidence.values()),
        register=register,
        register_at=status.at,
        groups=await severity_counts(c, scope, now),
        findings=await live_counts(c, scope) if (await last_round(c, scope)).is_current(now) else None,
        pools=await pools_by_fill(c, scope),
        agents=await agents_by_liveness(c, scope, now),
    )


def samples(figures: Iterable[TenantFigures], now: datetime, cluster_limit: int) -> Samples:
    """All gauges. A sum of which a part is not known is left out, never 0."""
    every = list(figures)
    members = [member for each in every for member in each.members]
    return {
        _clusters: _by_label(Knowledge, Counter(knowledge for _, knowledge in members)),
        _registrations: _by_label(State, Counter(registration.state for registration, _ in members)),
        **_of_contacts([each for each, _ in members if each.state is State.ACTIVE], now),
        **_of_registers(every),
        **_of_findings([each.findings for each in every]),
        _pools: _by_label(PoolFill, _sum(each.pools for each in every)),
        _agents: {(each.value,): count for each, count in _sum(each.agents for each in every).items()},
        _counted_at: {(): now.timestamp()},
        **(_of_each_cluster(every, cluster_limit) if cluster_limit else {}),
    }


def _of_findings(counts: Sequence[Mapping[tuple[FindingState, FindingSeverity], int] | None]) -> Samples:
    known = [each for each in counts if each is not None]
    # Absent, not 0: tenants that nobody looked at lately would be counted as without findings.
    if len(known) < len(counts):
        return {}
    return {_findings: {(state.value, severity.value): count for (state, severity), count in _sum(known).items()}}


def _of_contacts(active: Iterable[Registration], now: datetime) -> Samples:
    heard = [each.last_seen_at for each in active if each.last_seen_at is not None]
    ages_s = [(now - at).total_seconds() for at in heard]
    return {
        _heard: {(str(within),): sum(age <= within for age in ages_s) for within in _WITHIN_S},
        **({_oldest: {(): min(heard).timestamp()}} if heard else {}),
    }


def _of_registers(figures: Iterable[TenantFigures]) -> Samples:
    every = list(figures)
    states = {_registers: _by_label(RegisterState, Counter(each.register for each in every))}
    computed = [each.register_at for each in every if each.register_at is not None]
    # The same: no groups is only good news when every register was computed.
    if not computed or len(computed) < len(every):
        return states
    groups = _by_label(Severity, _sum(each.groups for each in every))
    return states | {_groups: groups, _register_at: {(): min(computed).timestamp()}}


def _of_each_cluster(figures: Iterable[TenantFigures], limit: int) -> Samples:
    named = list(_named(figures))
    # All or none. With some left out, a sum over the series would look like the fleet.
    if len(named) > limit:
        return {_left_out: {(): 1}}
    return {
        _left_out: {(): 0},
        _of_cluster: {(tenant, member.name, knowledge.value): 1 for tenant, member, knowledge in named},
        _contact: {
            (tenant, member.name): member.last_seen_at.timestamp()
            for tenant, member, _ in named
            if member.last_seen_at is not None
        },
    }


def _named(figures: Iterable[TenantFigures]) -> Iterator[tuple[str, Registration, Knowledge]]:
    """A revoked cluster may have the name of one that is there."""
    for each in figures:
        yield from ((each.tenant, *member) for member in each.members if member[1] is not Knowledge.REVOKED)


def _by_label(words: type[StrEnum], counts: Mapping[Any, int]) -> dict[tuple[str, ...], float]:
    return {(word.value,): counts.get(word, 0) for word in words}


def _sum(parts: Iterable[Mapping[K, int]]) -> dict[K, int]:
    whole: dict[K, int] = {}
    for part in parts:
        for key, count in part.items():
            whole[key] = whole.get(key, 0) + count
    return whole
