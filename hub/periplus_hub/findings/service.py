"""The life of findings: opened, updated and resolved by what detectors say; acknowledged by people."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.findings import repository
from periplus_hub.findings.model import Finding, FindingDraft, FindingSeverity, FindingState, Undecided
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.ids import new_id

TOPIC: Final = "findings"
Publish = Callable[[UUID, str, Mapping[str, Any]], None]
"""`kit.events.Events.publish`."""
_MAX_NOTE: Final = 1_000
_RANK: Final = {severity: rank for rank, severity in enumerate(FindingSeverity)}


def tell_nobody(_tenant: UUID, _topic: str, _payload: Mapping[str, Any]) -> None:
    """Without subscribers."""


async def reconcile(
    c: WriteConnection, scope: Scope, detector: str, seen: Iterable[FindingDraft | Undecided], now: datetime
) -> list[Finding]:
    """Make the detector's live findings equal to what it sees; returns those that opened, changed or were resolved.

    Saying the same twice changes nothing. A finding that was resolved stays so: the same trouble opens a new one.
    """
    found = list(seen)
    wanted = {each.fingerprint: each for each in found if isinstance(each, FindingDraft)}
    kept = {each.fingerprint for each in found}
    live = await repository.locked_live(c, scope, detector)
    opened = [_opened(detector, draft, now) for fingerprint, draft in wanted.items() if fingerprint not in live]
    changed = [_updated(live[fingerprint], draft, now) for fingerprint, draft in wanted.items() if fingerprint in live]
    changed = [finding for finding in changed if finding != live[finding.fingerprint]]
    over = [finding for fingerprint, finding in live.items() if fingerprint not in kept]
    await repository.add(c, scope, opened)
    await repository.change(c, scope, changed)
    await repository.resolve(c, scope, [finding.id for finding in over], now)
    resolved = [replace(each, state=FindingState.RESOLVED, changed_at=now, resolved_at=now) for each in over]
    return [*opened, *changed, *resolved]


def _opened(detector: str, draft: FindingDraft, now: datetime) -> Finding:
    return Finding(
        id=new_id(),
        detector=detector,
        fingerprint=draft.fingerprint,
        severity=draft.severity,
        state=FindingState.OPEN,
        title=draft.title,
        why=draft.why,
        what_to_do=draft.what_to_do,
        evidence=draft.evidence,
        registration_id=draft.registration_id,
        registration_ids=draft.registration_ids,
        overlap_group_id=draft.overlap_group_id,
        opened_at=now,
        changed_at=now,
        resolved_at=None,
        acknowledged_by=None,
        acknowledged_at=None,
        note=None,
    )


def _updated(finding: Finding, draft: FindingDraft, now: datetime) -> Finding:
    """As the draft says. What got worse is open again: it is not what somebody acknowledged."""
    said = replace(
        finding,
        severity=draft.severity,
        title=draft.title,
        why=draft.why,
        what_to_do=draft.what_to_do,
        evidence=draft.evidence,
        registration_id=draft.registration_id,
        registration_ids=draft.registration_ids,
        overlap_group_id=draft.overlap_group_id,
    )
    if said == finding:
        return finding
    # Ranks count from the worst.
    if _RANK[draft.severity] < _RANK[finding.severity]:
        said = replace(said, state=FindingState.OPEN, acknowledged_by=None, acknowledged_at=None)
    return replace(said, changed_at=now)


async def acknowledge(c: WriteConnection, scope: Scope, finding_id: UUID, note: str, now: datetime) -> Finding:
    """Somebody knows; audited. The note replaces an earlier one."""
    scope.require(Permission.FINDINGS_WRITE)
    note = note.strip()
    if len(note) > _MAX_NOTE:
        raise Invalid(f"the note has {len(note)} characters", f"Write at most {_MAX_NOTE}.")
    finding = await repository.locked_finding(c, scope, finding_id)
    if finding is None:
        raise NotFound(f"there is no finding {finding_id}", "Look it up in the list of findings.")
    if finding.state is FindingState.RESOLVED:
        raise Conflict("the finding is resolved already", "Nothing: if the trouble returns, a new finding opens.")
    known = replace(
        finding,
        state=FindingState.ACKNOWLEDGED,
        acknowledged_by=scope.actor,
        acknowledged_at=now,
        changed_at=now,
        note=note or None,
    )
    await repository.change(c, scope, [known])
    was, now_is = ({"state": each.state.value, "note": each.note} for each in (finding, known))
    await audit(c, scope, "person:finding:acknowledge", "Finding", str(finding_id), before=was, after=now_is)
    return known
