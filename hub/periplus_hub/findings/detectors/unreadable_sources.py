"""Active clusters where the spoke may not or cannot read something. What is absent is no fault."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from periplus_hub.findings.facts import MISSING, REGISTRATIONS, SOURCES, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.fleet.model import Registration, State
from periplus_hub.inventory.model import Source

_UNREADABLE: Final = frozenset({"forbidden", "failed"})


class UnreadableSources:
    """One finding for each cluster. What its addresses are not known whole without comes first, and it says so."""

    name = "unreadable-sources"
    needs = (REGISTRATIONS, SOURCES, MISSING)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft]:
        """All sources of a cluster in one."""
        del now
        for registration in facts[REGISTRATIONS]:
            read = facts[SOURCES].get(registration.id, ())
            bad = {source.name: source for source in read if source.state in _UNREADABLE}
            if registration.state is State.ACTIVE and bad:
                missing = facts[MISSING].get(registration.id, ())
                feeding = [each.source for each in missing if each.source in bad]
                yield _unreadable(registration, feeding, [bad[name] for name in dict.fromkeys((*feeding, *bad))])


def _unreadable(registration: Registration, feeding: Sequence[str], bad: Sequence[Source]) -> FindingDraft:
    names = ", ".join(source.name for source in bad)
    remedies = list(dict.fromkeys(source.remedy for source in bad if source.remedy))
    return FindingDraft(
        fingerprint=str(registration.id),
        severity=FindingSeverity.WARNING,
        title=f"{registration.name}: {_what_is_lost(feeding, bad)}",
        why=f"The spoke cannot read {names}; what depends on them is missing, not zero.{_unruled(feeding)}",
        what_to_do=" ".join(remedies) or "Give the spoke's ServiceAccount get, list and watch on them.",
        evidence={"sources": [_source(source) for source in bad], "missing_for_addresses": list(feeding)},
        registration_id=registration.id,
    )


def _what_is_lost(feeding: Sequence[str], bad: Sequence[Source]) -> str:
    return "its addresses are not known whole" if feeding else f"{len(bad)} of its sources cannot be read"


def _unruled(feeding: Sequence[str]) -> str:
    if not feeding:
        return ""
    return f" Its addresses come from {', '.join(feeding)}, so what it overlaps is not known."


def _source(source: Source) -> dict[str, str | None]:
    return {"name": source.name, "state": source.state, "reason": source.reason, "message": source.message}
