"""A plan of free ranges for clusters, there already or not."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_contract.names import why_no_name
from periplus_hub.access.scope import Scope
from periplus_hub.addresses.free import repository, repository_networks
from periplus_hub.addresses.free.engine.homes import Network, homes_in
from periplus_hub.addresses.free.engine.planner import PlannedCluster, Taken, propose
from periplus_hub.addresses.free.engine.sizing import KINDS, Demand
from periplus_hub.addresses.free.model import MAX_CLUSTERS, MAX_COUNT, MAX_GROWTH, PlanAsk, RangeProposal
from periplus_hub.addresses.free.repository_reservations import reservations_in_force
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import FAMILY_BITS, Prefix
from periplus_hub.addresses.prefixes.sorted_prefixes import FamilyPrefixes
from periplus_hub.fleet.model import Registration, State
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.inventory.repository import cluster_facts_by_registration, counts_by_registration
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import Invalid, NotFound

_LONGEST_NAME: Final = 100


async def plan(c: ReadConnection, scope: Scope, ask: PlanAsk, now: datetime) -> tuple[RangeProposal, ...]:
    """Pairwise disjoint proposals for all that is asked for, by cluster.

    The same question has the same answer as long as nothing that is known changes.
    """
    kinds = _checked(ask)
    fleet = await all_registrations(c, scope, (State.ACTIVE, State.PENDING))
    asked = _asked(fleet, ask)
    networks = await repository_networks.networks(c, scope)
    taken = await _taken(c, scope, fleet, networks, now)
    clusters = await _clusters(c, scope, asked, ask, networks)
    return await asyncio.to_thread(propose, clusters, kinds, ask.growth, taken, scope.tenant_id.bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Who needs other ranges: clusters that are there, for these kinds, and ones that are not there yet.

    `taken` is what may not be proposed beside all that is known.
    """

    clusters: Mapping[UUID, frozenset[AllocationKind]]
    new: tuple[PlannedCluster, ...] = ()
    taken: tuple[Prefix, ...] = ()


async def places(c: ReadConnection, scope: Scope, moves: Moves, now: datetime) -> tuple[RangeProposal, ...]:
    """Pairwise disjoint proposals, sized as `plan` sizes them."""
    fleet = await all_registrations(c, scope, (State.ACTIVE, State.PENDING))
    asked = sorted((each for each in fleet if each.id in moves.clusters), key=lambda each: each.name)
    networks = await repository_networks.networks(c, scope)
    taken = await _taken(c, scope, fleet, networks, now)
    more = {family: [each for each in moves.taken if each.family == family] for family in FAMILY_BITS}
    none = FamilyPrefixes.of_prefixes(())
    prefixes = {
        family: taken.prefixes.get(family, none).joined(FamilyPrefixes.of_prefixes(some))
        for family, some in more.items()
    }
    found = await _clusters(c, scope, asked, PlanAsk(), networks)
    clusters = [replace(each, only=moves.clusters[each.registration_id]) for each in found if each.registration_id]
    whom, all_taken = [*clusters, *moves.new], replace(taken, prefixes=prefixes)
    return await asyncio.to_thread(propose, whom, KINDS, PlanAsk().growth, all_taken, scope.tenant_id.bytes)


async def _taken(
    c: ReadConnection, scope: Scope, fleet: Sequence[Registration], networks: Collection[Network], now: datetime
) -> Taken:
    """All that is in use, entered or reserved, and the clouds of the fleet."""
    facts = await cluster_facts_by_registration(c, scope, [each.id for each in fleet])
    return Taken(
        prefixes=await repository.taken_prefixes(c, scope),
        networks={each.prefix for each in networks},
        reservations=await reservations_in_force(c, scope, now),
        providers=frozenset(each.provider for each in facts.values() if each.provider),
    )


def _checked(ask: PlanAsk) -> tuple[AllocationKind, ...]:
    """What to propose for; raises Invalid."""
    number = len(ask.clusters) + len(ask.new_clusters)
    if not 0 < number <= MAX_CLUSTERS:
        raise Invalid(f"the plan is for {number} clusters", f"Name 1 to {MAX_CLUSTERS} clusters.")
    if not 1 <= ask.growth <= MAX_GROWTH:
        raise Invalid(f"growth is {ask.growth}", f"Give 1 for none, 2 for room to double, at most {MAX_GROWTH}.")
    for name in ("nodes", "pods", "services"):
        if not 0 <= (getattr(ask, name) or 0) <= MAX_COUNT:
            raise Invalid(f"{name} is {getattr(ask, name)}", f"Give a number up to {MAX_COUNT:,}.")
    if strange := [kind.value for kind in ask.kinds if kind not in KINDS]:
        raise Invalid(f"ranges are not planned for {strange[0]}", f"Ask for {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS if not ask.kinds or kind in ask.kinds)


def _asked(fleet: Sequence[Registration], ask: PlanAsk) -> list[Registration]:
    """The clusters that are there, by name; raises NotFound, and Invalid for a new one that is there."""
    by_id = {each.id: each for each in fleet}
    for each in ask.clusters:
        if each not in by_id:
            raise NotFound(f"there is no cluster {each}", "Look it up in the list of clusters.")
    names = {each.name for each in fleet}
    for name in ask.new_clusters:
        if name in names:
            raise Invalid(f"there is a cluster {name!r} already", "Ask for it by its id.")
        if why := why_no_name(name, _LONGEST_NAME):
            raise Invalid(f"{name[:_LONGEST_NAME]!r} is no name for a cluster: {why}", "Choose another one.")
    return sorted((by_id[each] for each in set(ask.clusters)), key=lambda each: each.name)


async def _clusters(
    c: ReadConnection, scope: Scope, asked: Sequence[Registration], ask: PlanAsk, networks: Collection[Network]
) -> list[PlannedCluster]:
    ids = [each.id for each in asked]
    counts = await counts_by_registration(c, scope, ids)
    holdings = await repository.holdings_by_registration(c, scope, ids)
    homes = await repository_networks.homes_by_registration(c, scope, ids, networks)
    found = []
    for each in asked:
        counted, holds = counts.get(each.id), holdings.get(each.id, {})
        demand = Demand(holds=holds)
        if counted is not None:
            demand = Demand(nodes=counted.nodes, pods=counted.pods, services=counted.services, holds=holds)
        at_home = homes.get(each.id, {})
        told = _told(demand, ask)
        found.append(PlannedCluster(name=each.name, registration_id=each.id, demand=told, homes=at_home))
    at_home = {} if ask.domain_id is None else homes_in(ask.domain_id, networks)
    told = _told(Demand(), ask)
    return found + [
        PlannedCluster(name=each, registration_id=None, demand=told, homes=at_home)
        for each in sorted(set(ask.new_clusters))
    ]


def _told(demand: Demand, ask: PlanAsk) -> Demand:
    return demand.told(nodes=ask.nodes, pods=ask.pods, services=ask.services)
