"""Active clusters whose spoke has been silent for more than 90 s, counted from approval when it never spoke."""

from collections.abc import Iterable
from datetime import datetime

from periplus_hub.findings.facts import LISTENING, REGISTRATIONS, Facts
from periplus_hub.findings.listening import heard_at
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.fleet.model import CONNECTED_WITHIN, Registration, State


class StaleClusters:
    """One finding for each cluster."""

    name = "stale-clusters"
    needs = (REGISTRATIONS, LISTENING)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft] | None:
        """While nobody at all is heard, nobody knows who is silent."""
        if not facts[LISTENING].knows_silence(now):
            return None
        return [
            _stale(registration)
            for registration in facts[REGISTRATIONS]
            if registration.state is State.ACTIVE and now - heard_at(registration) > CONNECTED_WITHIN
        ]


def _stale(registration: Registration) -> FindingDraft:
    spoke_at = registration.last_seen_at
    since = f"since {spoke_at:%Y-%m-%d %H:%M:%S} UTC" if spoke_at else "since it was approved"
    return FindingDraft(
        fingerprint=str(registration.id),
        severity=FindingSeverity.WARNING,
        title=f"Nothing heard from {registration.name}",
        why=f"Its spoke has not spoken {since}, so what is shown of this cluster may be out of date.",
        what_to_do="Look at the spoke's pod and its log, and whether it reaches the hub: 'periplus-spoke check'.",
        evidence={
            "last_seen_at": spoke_at.isoformat() if spoke_at else None,
            "spoke_version": registration.spoke_version,
        },
        registration_id=registration.id,
    )
