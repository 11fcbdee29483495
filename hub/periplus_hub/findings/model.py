"""Findings as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

LOOKED_WITHIN: Final = timedelta(minutes=3)
"""Longer than any round of the detectors takes: who has not ended one since is not there, or fails."""


class FindingSeverity(StrEnum):
    """Worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class FindingState(StrEnum):
    """open → acknowledged → resolved. A resolved finding never comes back: the same trouble opens a new one."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingDraft:
    """What a detector sees now. `fingerprint` names the trouble: same fingerprint, same finding."""

    fingerprint: str
    severity: FindingSeverity
    title: str
    why: str
    what_to_do: str
    evidence: dict[str, object] = field(default_factory=dict)
    registration_id: UUID | None = None
    """The one cluster it concerns."""
    registration_ids: tuple[UUID, ...] = ()
    """Those it concerns, where they are several and no group of theirs has them."""
    overlap_group_id: UUID | None = None
    """The group whose clusters it concerns."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """What a detector says instead of a draft where it does not decide now: a finding that is open stays as it is."""

    fingerprint: str
    is_unknown: bool = True
    """Whether something it has to know is missing. Where it is false, what it sees is near the line between trouble
    and none, or is told by another finding of its."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a detector says, with evidence and lifecycle."""

    id: UUID
    detector: str
    fingerprint: str
    severity: FindingSeverity
    state: FindingState
    title: str
    why: str
    what_to_do: str
    evidence: dict[str, object]
    registration_id: UUID | None
    registration_ids: tuple[UUID, ...] = ()
    overlap_group_id: UUID | None = None
    opened_at: datetime
    changed_at: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRound:
    """The last time the detectors looked at all of a tenant: without one, no finding means nothing.

    `ended_at` is None for never; `undecided` are the detectors that could not know then, whose findings stayed.
    `partly` counts, by detector, of how many things the others could not.
    """

    ended_at: datetime | None
    undecided: tuple[str, ...] = ()
    partly: Mapping[str, int] = field(default_factory=dict)

    def is_current(self, now: datetime) -> bool:
        """Whether the findings are those of now."""
        return self.ended_at is not None and now - self.ended_at <= LOOKED_WITHIN


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter:
    """Conjunction of what is given; an empty tuple means any."""

    states: tuple[FindingState, ...] = ()
    severities: tuple[FindingSeverity, ...] = ()
    detectors: tuple[str, ...] = ()
    registration_ids: tuple[UUID, ...] = ()
