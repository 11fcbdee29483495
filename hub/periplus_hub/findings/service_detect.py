"""Ask every detector what it sees of a tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from periplus_hub.access.scope import Scope
from periplus_hub.findings.detectors.registry import DETECTORS
from periplus_hub.findings.model import DetectorRound, FindingDraft, Undecided
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.kit.db import ReadConnection

_NEEDED: Final = tuple(dict.fromkeys(fact for detector in DETECTORS for fact in detector.needs))


Seen = Mapping[str, Sequence[FindingDraft | Undecided] | None]
"""What each detector sees, by its name; None is of one that cannot know."""


async def drafts_by_detector(c: ReadConnection, scope: Scope, now: datetime, loader: FactLoader) -> Seen:
    """What each sees now."""
    facts = await loader.load(c, scope, now, _NEEDED)
    seen = {detector.name: detector.detect(facts.only(detector.needs), now) for detector in DETECTORS}
    return {name: None if drafts is None else list(drafts) for name, drafts in seen.items()}


def round_of(seen: Seen, ended_at: datetime) -> DetectorRound:
    """What they could not know."""
    unknown = {
        name: sum(isinstance(each, Undecided) and each.is_unknown for each in drafts)
        for name, drafts in seen.items()
        if drafts is not None
    }
    return DetectorRound(
        ended_at=ended_at,
        undecided=tuple(name for name, drafts in seen.items() if drafts is None),
        partly={name: count for name, count in unknown.items() if count},
    )
