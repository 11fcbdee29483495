"""Pre-flight: everything that is known of the clusters to join, judged."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np

from periplus_contract.names import why_no_name
from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.engine.knowledge import Evidence, Knowledge, known
from periplus_hub.addresses.ipam.repository_knowledge import evidence_by_registration
from periplus_hub.addresses.overlaps.engine.cluster_columns import NO_ALLOCATIONS, ClusterColumns
from periplus_hub.addresses.overlaps.engine.uses import NODES, USES
from periplus_hub.addresses.overlaps.repository_register import owner_columns
from periplus_hub.addresses.overlaps.service_register import batches
from periplus_hub.addresses.prefixes.typed import wanted_prefix
from periplus_hub.addresses.preflight.engine.judge import judge
from periplus_hub.addresses.preflight.engine.parties import Party
from periplus_hub.addresses.preflight.engine.plans import columns_of, services_among_others
from periplus_hub.addresses.preflight.model import MAX_PLANNED, PlannedCluster, Preflight
from periplus_hub.fleet.model import Registration, State
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.inventory.model import ClusterAsTold
from periplus_hub.inventory.repository import cluster_facts_by_registration
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import Invalid, NotFound

_LONGEST_NAME: Final = 100
_TWO: Final = 2
_UNKNOWN_PLUGIN: Final = "unknown"
"""What a spoke says where it saw no network plugin that it knows."""
_NODES: Final = np.array([use in NODES for use in USES], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class PreflightAsk:
    """The clusters to join (None: all that are not revoked), and those that are not built yet."""

    clusters: tuple[UUID, ...] | None
    planned: tuple[PlannedCluster, ...] = ()


async def parties(c: ReadConnection, scope: Scope, ask: PreflightAsk, now: datetime) -> list[Party]:
    """What is known of everybody asked about, by name; raises NotFound and Invalid."""
    members = _asked(await all_registrations(c, scope), ask)
    ids = [each.id for each in members]
    evidence = await evidence_by_registration(c, scope, ids)
    facts = await cluster_facts_by_registration(c, scope, ids)
    columns: dict[UUID, ClusterColumns] = {}
    for some in batches([each.id for each in members if each.state is State.ACTIVE]):
        columns |= await owner_columns(c, scope, some)
    built = [_party(each, evidence, facts, columns.get(each.id, NO_ALLOCATIONS), now) for each in members]
    return sorted([*built, *map(_planned, ask.planned)], key=lambda each: each.name)


async def judged(found: Sequence[Party]) -> Preflight:
    """In a thread, when the session it was read in has been given back."""
    return await asyncio.to_thread(judge, found)


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
    verdict = None if seen is None else known(seen, now)
    return Party(
        name=member.name,
        registration_id=member.id,
        knowledge=Knowledge.UNREAD if verdict is None else verdict.knowledge,
        missing=() if verdict is None else verdict.missing,
        columns=columns,
        nodes=len(set(columns.node[_NODES[columns.use]].tolist()) - {0}),
        cnis=() if told is None else tuple(name for name in told.cnis if name != _UNKNOWN_PLUGIN),
        aliases=() if told is None else told.aliases,
    )


def _planned(planned: PlannedCluster) -> Party:
    return Party(
        name=planned.name,
        registration_id=None,
        knowledge=Knowledge.COMPLETE,
        missing=(),
        columns=columns_of(planned),
        nodes=0,
        given=frozenset(kind for kind, cidrs in planned.cidrs.items() if cidrs),
    )
