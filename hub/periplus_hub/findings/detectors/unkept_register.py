"""Nobody computes the overlaps: then that none is listed says nothing."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from periplus_hub.addresses.overlaps.model import START_A_WORKER, RegisterStatus
from periplus_hub.findings.facts import REGISTER, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity

LOOK_AT_THE_WORKER: Final = "Look for job_failed in the log of the process that leads: its metric periplus_leader is 1."


class UnkeptRegister:
    """Detectors run where the jobs run, which may be nowhere: so whoever serves opens the finding (watch.py)."""

    name = "unkept-register"
    needs = (REGISTER,)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft] | None:
        """Here it only ends."""
        return None if facts[REGISTER].unkept(now) else ()


def unkept(status: RegisterStatus, *, led: bool) -> FindingDraft:
    """What there is to say. `led`: whether some process leads."""
    at = None if status.at is None else f"{status.at:%Y-%m-%d %H:%M} UTC"
    title = "The overlaps were never computed" if at is None else f"The overlaps are those of {at}"
    who = "A process leads, but its job addresses.overlaps fails." if led else "No process does the fleet-wide jobs."
    since = "" if at is None else " since then"
    return FindingDraft(
        fingerprint="all",
        severity=FindingSeverity.CRITICAL,
        title=title,
        why=f"{who} Whether addresses collide{since} is not known.",
        what_to_do=LOOK_AT_THE_WORKER if led else START_A_WORKER,
        evidence={"computed_at": status.at.isoformat() if status.at else None, "somebody_leads": led},
    )
