"""No active cluster of several has spoken for more than 90 s: that is one trouble, and hardly theirs."""

from collections.abc import Iterable
from datetime import datetime

from periplus_hub.findings.facts import LISTENING, REGISTRATIONS, Facts
from periplus_hub.findings.listening import heard_at, is_nobody_heard
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.fleet.model import State


class SilentFleet:
    """One finding for the whole fleet."""

    name = "silent-fleet"
    needs = (REGISTRATIONS, LISTENING)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft] | None:
        """A hub that was away itself has to listen for a while before it knows."""
        if not facts[LISTENING].hears(now):
            return None
        if not is_nobody_heard(facts[REGISTRATIONS], now):
            return ()
        active = [registration for registration in facts[REGISTRATIONS] if registration.state is State.ACTIVE]
        last = max(map(heard_at, active))
        draft = FindingDraft(
            fingerprint="all",
            severity=FindingSeverity.CRITICAL,
            title=f"Nothing heard from any of {len(active)} clusters",
            why=f"The last of them spoke at {last:%Y-%m-%d %H:%M:%S} UTC. Nothing shown is newer than that.",
            what_to_do="Look at the hub's spoke listener, and at what stands before it: proxy, certificate, firewall.",
            evidence={"last_heard_at": last.isoformat(), "clusters": len(active)},
            registration_ids=tuple(sorted(registration.id for registration in active)),
        )
        return (draft,)
