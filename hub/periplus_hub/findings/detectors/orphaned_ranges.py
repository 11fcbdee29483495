"""Ranges that an allocator claims and that lie in none of its pools, as after a pool was deleted below them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from periplus_hub.findings.facts import POOL_CHECKS, REGISTRATIONS, Facts, PoolChecks
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.fleet.model import Registration


class OrphanedRanges:
    """One finding for each cluster."""

    name = "orphaned-ranges"
    needs = (REGISTRATIONS, POOL_CHECKS)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """Only of clusters that were read whole: a pool that is not here may be there."""
        del now
        checks = facts[POOL_CHECKS]
        return None if checks.is_waiting else _drafts(facts[REGISTRATIONS], checks)


def _drafts(registrations: Sequence[Registration], checks: PoolChecks) -> Iterator[FindingDraft | Undecided]:
    yield from (Undecided(str(each)) for each in checks.unknown)
    for registration in registrations:
        check = checks.found.get(registration.id)
        if check and check.blocks_outside:
            yield FindingDraft(
                fingerprint=str(registration.id),
                severity=FindingSeverity.WARNING,
                title=f"{registration.name}: ranges are held that lie in no pool",
                why=f"The allocator claims {', '.join(check.blocks_outside)}, and none of its pools holds them, as "
                "after a pool was deleted or made smaller. No pool tells how full they are, and nothing keeps them "
                "from being given to a new pool while pods have addresses of them.",
                what_to_do="Make a pool that holds them again; or drain the nodes that hold them, one after the other "
                "('kubectl drain'), so that their pods get addresses of a pool, and then remove what the allocator "
                "keeps of these ranges.",
                evidence={"cidrs": list(check.blocks_outside)},
                registration_id=registration.id,
            )
