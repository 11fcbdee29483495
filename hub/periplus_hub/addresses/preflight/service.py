"""Pre-flight: everything that is known of the clusters to join, and of their networks, judged."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from periplus_contract.names import why_no_name
from periplus_hub.access.scope import Scope
from periplus_hub.addresses.free.engine.planner import PlannedCluster as Planned
from periplus_hub.addresses.free.engine.sizing import Demand, Holding
from periplus_hub.addresses.free.repository_reservations import reservations_in_force
from periplus_hub.addresses.free.service import Moves, places
from periplus_hub.addresses.ipam.engine.feeding import unknown_kinds
from periplus_hub.addresses.ipam.engine.knowledge import Evidence, Knowledge, known
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.ipam.repository_knowledge import evidence_by_registration, not_known_whole
from periplus_hub.addresses.overlaps.engine.cluster_columns import NO_ALLOCATIONS, ClusterColumns
from periplus_hub.addresses.overlaps.engine.uses import KIND_OF, USES
from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.addresses.overlaps.repository_register import owner_columns
from periplus_hub.addresses.overlaps.service_register import batches
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.addresses.prefixes.typed import wanted_prefix
from periplus_hub.addresses.preflight.engine.judge import judge
from periplus_hub.addresses.preflight.engine.obstacles import Judged
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.plans import columns_of, services_among_others
from periplus_hub.addresses.preflight.engine.question import Question
from periplus_hub.addresses.preflight.engine.spoken_for import SpokenFor, of_entered, of_reservation
from periplus_hub.addresses.preflight.engine.ways_out import MOST_MOVES, NO_PLACES, Places
from periplus_hub.addresses.preflight.model import MAX_PLANNED, PlannedCluster
from periplus_hub.addresses.ranges.repository import count_elsewhere, live_domains, ranges_in_force
from periplus_hub.fleet.model import Mode, Registration, State
from periplus_hub.fleet.repository import all_registrations, connections
from periplus_hub.inventory.model import ClusterAsTold
from periplus_hub.inventory.repository import cluster_facts_by_registration
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import Invalid, NotFound

_LONGEST_NAME: Final = 100
_TWO: Final = 2
_UNKNOWN_PLUGIN: Final = "unknown"
"""What a spoke says where it saw no network plugin that it knows."""


@dataclass(frozen=True, slots=True)
class PreflightAsk:
    """The clusters to join (None: all that are not revoked), and those that are not built yet.

    `networks_entered` is the word of whoever asks that all networks routed to them are entered.
    """

    clusters: tuple[UUID, ...] | None
    planned: tuple[PlannedCluster, ...] = ()
    networks_entered: bool = False


async def question(c: ReadConnection, scope: Scope, ask: PreflightAsk, now: datetime) -> Question:
    """All that is known of everybody asked about, and of their networks; raises NotFound and Invalid."""
    fleet = await all_registrations(c, scope)
    members = _asked(fleet, ask)
    domain_names = await live_domains(c, scope)
    reserved = [of_reservation(each) for each in await reservations_in_force(c, scope, now)]
    planned = [_planned(each, domain_names, reserved) for each in ask.planned]
    built = await _built(c, scope, members, now)
    flat = await _flat(c, scope)
    homes = {each.domain_id for each in (*built, *planned) if each.domain_id is not None}
    near = homes.union(*(flat.get(each, frozenset()) for each in homes))
    may_be_anywhere = any(each.domain_id is None for each in planned)
    entered = await ranges_in_force(c, scope, None if may_be_anywhere else sorted(near))
    in_force = [each for each in entered if each.expires_at is None or each.expires_at > now]
    spoken_for = [of_entered(each, domain_names[each.domain_id]) for each in in_force]
    return Question(
        parties=sorted([*built, *planned], key=lambda each: each.name),
        spoken_for=[*(each for each in spoken_for if each.domain_id in near), *reserved],
        perhaps_near=[each for each in spoken_for if each.domain_id not in near],
        elsewhere=0 if may_be_anywhere else await count_elsewhere(c, scope, sorted(near), now),
        domain_names=domain_names,
        networks_entered=ask.networks_entered,
        is_whole_fleet=len(members) == sum(each.state is not State.REVOKED for each in fleet),
    )


async def _built(c: ReadConnection, scope: Scope, members: Sequence[Registration], now: datetime) -> list[Party]:
    ids = [each.id for each in members]
    evidence = await evidence_by_registration(c, scope, ids)
    facts = await cluster_facts_by_registration(c, scope, ids)
    columns: dict[UUID, ClusterColumns] = {}
    for some in batches([each.id for each in members if each.state is State.ACTIVE]):
        columns |= await owner_columns(c, scope, some)
    return [_party(each, evidence, facts, columns.get(each.id, NO_ALLOCATIONS), now) for each in members]


async def _flat(c: ReadConnection, scope: Scope) -> dict[UUID, frozenset[UUID]]:
    """Of network domains, those that are connected flat with each."""
    found: dict[UUID, frozenset[UUID]] = {}
    for each in await connections(c, scope):
        if each.mode is Mode.FLAT:
            for one, other in ((each.domain_a, each.domain_b), (each.domain_b, each.domain_a)):
                found[one] = found.get(one, frozenset()) | {other}
    return found


async def judged(found: Question) -> Judged:
    """In a thread, when the session it was read in has been given back."""
    return await asyncio.to_thread(judge, found)


async def free_places(
    c: ReadConnection, scope: Scope, found: Judged, targets: Sequence[FederationTarget], now: datetime
) -> Places:
    """Where whoever is cheapest to move could go, all of them together; nobody is asked about nobody."""
    parties = found.question.parties
    wanted: dict[int, set[AllocationKind]] = {}
    for target in targets:
        for mover in islice(found.movers[target], MOST_MOVES):
            wanted.setdefault(mover.owner, set()).add(mover.kind)
    if not wanted:
        return NO_PLACES
    moves = Moves(
        clusters={
            each: frozenset(kinds) for number, kinds in wanted.items() if (each := parties[number].registration_id)
        },
        new=tuple(_sized(parties[number], kinds) for number, kinds in wanted.items() if parties[number].is_planned),
        taken=tuple(prefix for each in parties if each.is_planned for prefix in _prefixes(each)),
    )
    proposals = await places(c, scope, moves, now)
    built = [each for each in parties if not each.is_planned]
    unsure = not all(each.is_known_whole for each in built)
    if not unsure and not found.question.is_whole_fleet:
        unsure = bool((await not_known_whole(c, scope, [scope.tenant_id], now))[scope.tenant_id])
    return Places({(each.cluster_name, each.kind, each.family): each for each in proposals}, unsure)


def _sized(party: Party, kinds: Collection[AllocationKind]) -> Planned:
    """A cluster that is not built yet needs ranges as large as it was to have."""
    lengths: dict[tuple[AllocationKind, int], int] = {}
    uses = party.columns.use.tolist()
    for prefix, use in zip(_prefixes(party), uses, strict=True):
        key = (KIND_OF[USES[use]], prefix.family)
        lengths[key] = min(prefix.length, lengths.get(key, prefix.length))
    demand = Demand(holds=dict.fromkeys(lengths, Holding()))
    return Planned(name=party.name, registration_id=None, demand=demand, only=frozenset(kinds), lengths=lengths)


def _prefixes(party: Party) -> list[Prefix]:
    columns = party.columns.prefixes
    rows = (columns.family.tolist(), columns.high.tolist(), columns.low.tolist(), columns.length.tolist())
    return [Prefix(family, high << 64 | low, length) for family, high, low, length in zip(*rows, strict=True)]


def _asked(fleet: Sequence[Registration], ask: PreflightAsk) -> list[Registration]:
    names_of = {each.id: each.name for each in fleet}
    live = {each.id: each for each in fleet if each.state is not State.REVOKED}
    for asked in ask.clusters or ():
        if asked not in live:
            why = f"{names_of[asked]!r} is revoked" if asked in names_of else f"there is no cluster {asked}"
            raise NotFound(why, "Look it up in the list of clusters.")
    members = [live[each] for each in (live if ask.clusters is None else dict.fromkeys(ask.clusters))]
    if len(ask.planned) > MAX_PLANNED:
        raise Invalid(f"{len(ask.planned)} clusters are planned", f"Ask about at most {MAX_PLANNED} at once.")
    names = [each.name for each in members]
    for planned in ask.planned:
        _check_plan(planned)
        if planned.name in names:
            raise Invalid(f"two clusters are called {planned.name!r}", "Give the planned one a name of its own.")
        names.append(planned.name)
    if len(names) < _TWO:
        what = f"{names[0]!r} is alone" if names else "there is no cluster"
        raise Invalid(f"{what}: joining takes two", "Name at least two clusters, or describe a planned one.")
    return members


def _check_plan(planned: PlannedCluster) -> None:
    """Rules are about two clusters; what no cluster of its own can have is refused here, lest it passes."""
    if why := why_no_name(planned.name, _LONGEST_NAME):
        raise Invalid(f"{planned.name[:_LONGEST_NAME]!r} is no name for a cluster: {why}", "Choose another one.")
    prefixes = {kind: [wanted_prefix(cidr) for cidr in cidrs] for kind, cidrs in planned.cidrs.items()}
    if fault := services_among_others(prefixes):
        raise Invalid(
            f"the plan of {planned.name} has {fault}", "Give its services a range apart from its pods and nodes."
        )


def _party(
    member: Registration,
    evidence: Mapping[UUID, Evidence],
    facts: Mapping[UUID, ClusterAsTold],
    columns: ClusterColumns,
    now: datetime,
) -> Party:
    seen, told = evidence.get(member.id), facts.get(member.id)
    return Party(
        name=member.name,
        registration_id=member.id,
        domain_id=member.domain_id,
        knowledge=Knowledge.UNREAD if seen is None else known(seen, now).knowledge,
        lacking={} if seen is None else unknown_kinds(seen),
        columns=columns,
        cnis=() if told is None else tuple(name for name in told.cnis if name != _UNKNOWN_PLUGIN),
        aliases=() if told is None else told.aliases,
        provider="" if told is None else told.provider or "",
    )


def _planned(planned: PlannedCluster, domains: Mapping[UUID, str], reserved: Sequence[SpokenFor]) -> Party:
    """With what is reserved for it, of kinds that the plan does not give."""
    if planned.domain_id is not None and planned.domain_id not in domains:
        raise NotFound(f"there is no network domain {planned.domain_id}", "Look it up in the list of domains.")
    own: dict[AllocationKind, tuple[str, ...]] = {}
    for each in reserved:
        kind = AllocationKind(each.use.value)
        if each.of == planned.name and not planned.cidrs.get(kind):
            own[kind] = (*own.get(kind, ()), str(each.prefix))
    whole = replace(planned, cidrs={**planned.cidrs, **own})
    return Party(
        name=planned.name,
        registration_id=None,
        domain_id=planned.domain_id,
        knowledge=Knowledge.COMPLETE,
        columns=columns_of(whole),
        given=frozenset(kind for kind, cidrs in whole.cidrs.items() if cidrs),
    )
