"""Correcting whether addresses are reached from outside: of clusters, or of all clusters of a network domain."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.addresses.ipam import repository_reach as repository
from periplus_hub.addresses.ipam.model import AllocationKind, Reach
from periplus_hub.addresses.ipam.repository_reach import CLUSTERS, DOMAINS, Subjects
from periplus_hub.fleet.model import State
from periplus_hub.fleet.repository import registrations_by_ids
from periplus_hub.fleet.repository_changes import record_change
from periplus_hub.fleet.repository_domains import active_in, lock_domain
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.node_ids import node_id
from periplus_hub.kit.reasons import wanted_reason

CORRECTABLE: Final = (AllocationKind.POD, AllocationKind.SERVICE, AllocationKind.NODE)
MAX_AT_ONCE: Final = 1_000
_KINDS: Final = {CLUSTERS: "Cluster", DOMAINS: "NetworkDomain"}

_Said = Mapping[UUID, tuple[str, str]]
"""By subject, reach and reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """Of whom something is said: of these clusters, and of all that are in these domains, now or later."""

    clusters: tuple[UUID, ...]
    domains: tuple[UUID, ...]
    kind: AllocationKind


async def set_reach(
    c: WriteConnection, scope: Scope, whom: Corrected, reach: Reach, reason: str, *, now: datetime
) -> frozenset[UUID]:
    """It wins over what the clusters tell until somebody clears it; audited. The overlaps follow.

    What is said of a cluster wins over what is said of its domain. Returns of whom just that was not said before.
    """
    scope.require(Permission.DOMAINS_WRITE)
    if reach is Reach.UNKNOWN:
        raise Invalid("unknown is nothing to say", "Say routed or masqueraded, or clear what was said.")
    reason = wanted_reason(reason)
    changes: dict[Subjects, _Said] = {}
    for of, ids in (await _correctable(c, scope, whom)).items():
        known = await _known(c, scope, of, ids, whom.kind)
        changed = [each for each in ids if known.get(each) != (reach.value, reason)]
        if changed:
            correction = {"kind": whom.kind.value, "reach": reach.value, "reason": reason, "set_at": now}
            await repository.put_corrections(c, scope, of, changed, correction)
            changes[of] = {each: known.get(each, ("", "")) for each in changed}
    if changes:
        await _note(c, scope, "set", whom.kind, changes, reach=reach)
        await _record(c, scope, changes, now)
    return frozenset().union(*changes.values())


async def clear_reach(c: WriteConnection, scope: Scope, whom: Corrected, *, now: datetime) -> frozenset[UUID]:
    """What the clusters tell holds again, or what is said of their domain; audited.

    Returns of whom something had been said; raises Conflict where nobody said anything of anybody.
    """
    scope.require(Permission.DOMAINS_WRITE)
    changes: dict[Subjects, _Said] = {}
    for of, ids in (await _correctable(c, scope, whom)).items():
        if known := await _known(c, scope, of, ids, whom.kind):
            await repository.drop_corrections(c, scope, of, list(known), whom.kind)
            changes[of] = known
    if not changes:
        raise Conflict(
            f"nobody corrected the reach of these {whom.kind.value}s", "Nothing: what the clusters tell holds."
        )
    await _note(c, scope, "clear", whom.kind, changes)
    await _record(c, scope, changes, now)
    return frozenset().union(*changes.values())


async def _correctable(c: WriteConnection, scope: Scope, whom: Corrected) -> dict[Subjects, list[UUID]]:
    """Each once, domains locked; raises where one is not there, or nothing can be said of the kind."""
    if whom.kind not in CORRECTABLE:
        raise Invalid(f"the reach of {whom.kind.value}s is not to be corrected", "Say POD, SERVICE or NODE.")
    clusters, domains = (list(dict.fromkeys(each)) for each in (whom.clusters, whom.domains))
    if not 1 <= len(clusters) + len(domains) <= MAX_AT_ONCE:
        raise Invalid(
            f"{len(clusters) + len(domains)} clusters and network domains cannot be corrected at once",
            f"Name 1 to {MAX_AT_ONCE}.",
        )
    members = await registrations_by_ids(c, scope, clusters)
    for each in clusters:
        if each not in members:
            raise NotFound(f"there is no cluster {each}", "Look it up in the list of clusters.")
        if members[each].state is State.REVOKED:
            raise Conflict(f"{members[each].name!r} is revoked", "Name the registration the cluster has now.")
    for each in sorted(domains):
        if await lock_domain(c, scope, each) is None:
            raise NotFound(f"there is no network domain {each}", "Look it up in the list of network domains.")
    return {of: ids for of, ids in ((CLUSTERS, clusters), (DOMAINS, domains)) if ids}


async def _known(
    c: WriteConnection, scope: Scope, of: Subjects, ids: Sequence[UUID], kind: AllocationKind
) -> dict[UUID, tuple[str, str]]:
    """Reach and reason of those that were corrected."""
    rows = await repository.corrections(c, scope, of, ids)
    return {each: (row.reach, row.reason) for each, found in rows.items() for row in found if row.kind == kind.value}


async def _note(
    c: WriteConnection,
    scope: Scope,
    verb: str,
    kind: AllocationKind,
    changes: Mapping[Subjects, _Said],
    *,
    reach: Reach | None = None,
) -> None:
    """`changes` has what was said before; `reach` is what is said now."""
    of, first = next((of, next(iter(said))) for of, said in changes.items())
    before = {node_id(_KINDS[of], each): was or None for of, said in changes.items() for each, (was, _) in said.items()}
    after = dict.fromkeys(before, reach and reach.value)
    about = (_KINDS[of], str(first))
    await audit(c, scope, f"person:reach:{verb}", *about, detail={"kind": kind.value}, before=before, after=after)


async def _record(c: WriteConnection, scope: Scope, changes: Mapping[Subjects, Iterable[UUID]], now: datetime) -> None:
    clusters = list(changes.get(CLUSTERS, ()))
    # Also of domains that are empty of clusters now: then nothing collides otherwise, and there is no revision.
    clusters += await active_in(c, scope, list(changes.get(DOMAINS, ())))
    await record_change(c, scope, list(dict.fromkeys(clusters)), now)
