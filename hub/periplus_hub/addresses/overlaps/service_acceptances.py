"""Accepting overlaps that are meant, and taking it back."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.addresses.overlaps import repository_acceptances
from periplus_hub.addresses.overlaps.model import MAX_ACCEPTANCE, Acceptance
from periplus_hub.addresses.overlaps.repository_acceptances import Acceptable
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.addresses.prefixes.typed import wanted_prefix
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.errors import Conflict, NotFound
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.reasons import check_end, wanted_reason


async def accept_overlap(  # noqa: PLR0917 - what an acceptance consists of
    c: WriteConnection,
    scope: Scope,
    cidr: str,
    reason: str,
    expires_at: datetime,
    now: datetime,
    *,
    seen: datetime | None = None,
) -> Acceptance:
    """Say that the overlap rooted at exactly `cidr` is meant as it is stored now; audited. It ends by itself.

    `seen` is when the group had last changed when the person looked; raises Conflict if it has changed since.
    """
    scope.require(Permission.OVERLAPS_ACCEPT)
    root = wanted_prefix(cidr)
    reason = wanted_reason(reason)
    check_end("acceptance", expires_at, now, MAX_ACCEPTANCE)
    group = await _still_as_seen(c, scope, root, seen)
    acceptance = Acceptance(
        id=new_id(),
        cidr=str(root),
        reason=reason,
        accepted_by=scope.actor,
        severity=group.severity,
        clusters=group.clusters,
        created_at=now,
        expires_at=expires_at,
        withdrawn_at=None,
    )
    await repository_acceptances.add_acceptance(c, scope, acceptance, group.id)
    made = {
        "cidr": acceptance.cidr,
        "severity": acceptance.severity.value,
        "clusters": acceptance.clusters,
        "reason": reason,
        "expires_at": expires_at.isoformat(),
    }
    await audit(c, scope, "person:overlap:accept", "OverlapAcceptance", str(acceptance.id), after=made)
    return acceptance


async def _still_as_seen(c: WriteConnection, scope: Scope, root: Prefix, seen: datetime | None) -> Acceptable:
    group = await repository_acceptances.locked_group(c, scope, root)
    if group is None:
        raise NotFound(
            f"there is no overlap group {root}", "Name the group's own CIDR, as the list of overlaps shows it."
        )
    if seen is not None and group.changed_at != seen:
        raise Conflict(
            f"the overlap group {root} changed at {group.changed_at:%Y-%m-%d %H:%M:%S} UTC, after you saw it",
            "Look at it again, and accept it if it is still meant.",
        )
    return group


async def withdraw_acceptance(c: WriteConnection, scope: Scope, acceptance_id: UUID, now: datetime) -> Acceptance:
    """End an acceptance before its time; audited."""
    scope.require(Permission.OVERLAPS_ACCEPT)
    known = (await repository_acceptances.acceptances_by_ids(c, scope, [acceptance_id])).get(acceptance_id)
    if known is None:
        raise NotFound(f"there is no acceptance {acceptance_id}", "Look it up in the list of acceptances.")
    if not await repository_acceptances.note_withdrawn(c, scope, acceptance_id, now):
        raise Conflict(f"the acceptance of {known.cidr} was withdrawn already", "Nothing: it does not hold any more.")
    about = ("OverlapAcceptance", str(acceptance_id))
    was, now_is = {"withdrawn_at": None}, {"withdrawn_at": now.isoformat()}
    detail = {"cidr": known.cidr}
    await audit(c, scope, "person:overlap:withdraw", *about, detail=detail, before=was, after=now_is)
    return replace(known, withdrawn_at=now)
