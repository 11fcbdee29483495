"""Correcting whether a cluster's pods or services are reached from outside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.addresses.ipam import repository_reach as repository
from periplus_hub.addresses.ipam.model import AllocationKind, Reach
from periplus_hub.fleet.model import State
from periplus_hub.fleet.repository import registrations_by_ids
from periplus_hub.fleet.repository_changes import record_change
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound

CORRECTABLE: Final = (AllocationKind.POD, AllocationKind.SERVICE)
MAX_AT_ONCE: Final = 1_000
_MAX_REASON: Final = 1_000
_MIN_REASON: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachCorrection:
    """What a person says of the addresses of one kind of these clusters."""

    clusters: tuple[UUID, ...]
    kind: AllocationKind
    reach: Reach
    reason: str


async def set_reach(c: WriteConnection, scope: Scope, asked: ReachCorrection, now: datetime) -> None:
    """It wins over what the clusters tell until somebody clears it; audited. The overlaps follow."""
    scope.require(Permission.DOMAINS_WRITE)
    if asked.reach is Reach.UNKNOWN:
        raise Invalid("unknown is nothing to say", "Say routed or masqueraded, or clear what was said.")
    reason = asked.reason.strip()
    if not _MIN_REASON <= len(reason) <= _MAX_REASON:
        raise Invalid("the reason is too short or too long", f"Say why in {_MIN_REASON} to {_MAX_REASON} characters.")
    ids = await _correctable(c, scope, asked.clusters, asked.kind)
    known = await _known(c, scope, ids, asked.kind)
    changed = [each for each in ids if known.get(each) != (asked.reach.value, reason)]
    if not changed:
        return
    correction = {"kind": asked.kind.value, "reach": asked.reach.value, "reason": reason}
    await repository.put_corrections(c, scope, changed, correction, now)
    after = dict.fromkeys(map(str, changed), asked.reach.value)
    await _audit(c, scope, "set", asked.kind, ({each: known.get(UUID(each), (None,))[0] for each in after}, after))
    await record_change(c, scope, changed, now)


async def clear_reach(
    c: WriteConnection, scope: Scope, clusters: Sequence[UUID], kind: AllocationKind, now: datetime
) -> None:
    """What the clusters tell holds again; audited. Raises Conflict where nobody said anything."""
    scope.require(Permission.DOMAINS_WRITE)
    ids = await _correctable(c, scope, clusters, kind)
    known = await _known(c, scope, ids, kind)
    if not known:
        raise Conflict(f"nobody corrected the reach of these {kind.value}s", "Nothing: what the clusters tell holds.")
    await repository.drop_corrections(c, scope, list(known), kind)
    before = {str(each): reach for each, (reach, _) in known.items()}
    await _audit(c, scope, "clear", kind, (before, dict.fromkeys(before)))
    await record_change(c, scope, list(known), now)


async def _correctable(c: WriteConnection, scope: Scope, clusters: Sequence[UUID], kind: AllocationKind) -> list[UUID]:
    """These clusters, each once; raises where one is not there, or nothing can be said of the kind."""
    if kind not in CORRECTABLE:
        raise Invalid(f"the reach of {kind.value}s is not to be corrected", "Say POD or SERVICE.")
    ids = list(dict.fromkeys(clusters))
    if not 1 <= len(ids) <= MAX_AT_ONCE:
        raise Invalid(f"{len(ids)} clusters cannot be corrected at once", f"Name 1 to {MAX_AT_ONCE}.")
    members = await registrations_by_ids(c, scope, ids)
    for each in ids:
        if each not in members:
            raise NotFound(f"there is no cluster {each}", "Look it up in the list of clusters.")
        if members[each].state is State.REVOKED:
            raise Conflict(f"{members[each].name!r} is revoked", "Name the registration the cluster has now.")
    return ids


async def _known(
    c: WriteConnection, scope: Scope, ids: Sequence[UUID], kind: AllocationKind
) -> dict[UUID, tuple[str, str]]:
    """Reach and reason of those that were corrected."""
    rows = await repository.corrections_by_clusters(c, scope, ids)
    return {each: (row.reach, row.reason) for each, of in rows.items() for row in of if row.kind == kind.value}


async def _audit(
    c: WriteConnection,
    scope: Scope,
    verb: str,
    kind: AllocationKind,
    change: tuple[Mapping[str, str | None], Mapping[str, str | None]],
) -> None:
    before, after = change
    about = ("Cluster", next(iter(after)))
    detail = {"kind": kind.value}
    await audit(c, scope, f"person:reach:{verb}", *about, detail=detail, before=before, after=after)
