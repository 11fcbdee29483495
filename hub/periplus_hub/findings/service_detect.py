"""Ask every detector what it sees of a tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from periplus_hub.access.scope import Scope
from periplus_hub.findings.detectors.registry import DETECTORS
from periplus_hub.findings.model import FindingDraft, Undecided
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.kit.db import ReadConnection

_NEEDED: Final = tuple(dict.fromkeys(fact for detector in DETECTORS for fact in detector.needs))


async def drafts_by_detector(
    c: ReadConnection, scope: Scope, now: datetime, loader: FactLoader
) -> dict[str, Sequence[FindingDraft | Undecided] | None]:
    """What each sees now; None is of one that cannot know."""
    facts = await loader.load(c, scope, now, _NEEDED)
    seen = {detector.name: detector.detect(facts.only(detector.needs), now) for detector in DETECTORS}
    return {name: None if drafts is None else list(drafts) for name, drafts in seen.items()}
