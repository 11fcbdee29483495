"""Pools whose numbers cannot be true together: then nobody knows how full they are."""

from collections.abc import Iterator
from datetime import datetime

from periplus_hub.findings.facts import REGISTRATIONS, SHORT_POOLS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity


class ContradictoryPools:
    """One finding for each pool."""

    name = "contradictory-pools"
    needs = (REGISTRATIONS, SHORT_POOLS)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft]:
        """The numbers themselves come and go, so only that they contradict each other is said."""
        del now
        names = {each.id: each.name for each in facts[REGISTRATIONS]}
        for pool in facts[SHORT_POOLS].pools:
            if pool.is_contradictory and pool.registration_id in names:
                yield FindingDraft(
                    fingerprint=pool.key,
                    severity=FindingSeverity.WARNING,
                    title=f"{names[pool.registration_id]}: what is told of pool {pool.name} contradicts itself",
                    why=f"The numbers that {pool.provider} gives cannot be true together, so how full the pool is, is "
                    "not known.",
                    what_to_do="See which: 'periplus pools'. A pool that was made smaller has more in use than it "
                    "holds: move its pods, or make it larger again. Else look at the allocator's own objects.",
                    evidence={"provider": pool.provider, "scope": pool.scope, "family": pool.family},
                    registration_id=pool.registration_id,
                )
