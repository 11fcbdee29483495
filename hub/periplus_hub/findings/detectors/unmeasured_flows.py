"""Clusters whose sources of flows cannot tell the bytes of what they see."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.dependencies.model import ClusterCoverage
from periplus_hub.findings.facts import FLOW_COVERAGE, REGISTRATIONS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided

_LEAST: Final = 100
"""Connections below which a share says nothing."""
_BANDS_PERCENT: Final = (90, 50, 20, 10, 5, 1)


class UnmeasuredFlows:
    """One finding for each cluster."""

    name = "unmeasured-flows"
    needs = (REGISTRATIONS, FLOW_COVERAGE)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """Of a cluster that tells hardly anything now, what was said stays."""
        del now
        coverage = facts[FLOW_COVERAGE]
        if coverage is None:
            return None
        names = {each.id: each.name for each in facts[REGISTRATIONS]}
        told = [each for each in coverage.clusters if each.told_until is not None]
        return [found for each in told if (found := _said(each, names)) is not None]


def _said(told: ClusterCoverage, names: Mapping[UUID, str]) -> FindingDraft | Undecided | None:
    fingerprint = str(told.registration_id)
    if told.observed < _LEAST:
        return Undecided(fingerprint)
    percent = next((each for each in _BANDS_PERCENT if told.unmeasured * 100 >= each * told.observed), None)
    if percent is None:
        return Undecided(fingerprint) if told.unmeasured else None
    name = names.get(told.registration_id, "")
    return FindingDraft(
        fingerprint=fingerprint,
        severity=FindingSeverity.WARNING,
        title=f"{name}: bytes of flows are not counted",
        why=f"Of the connections of the last hours, the sources of {name} can tell no bytes of at least {percent} of a "
        "hundred. They are shown as not known, and sums are at least so much.",
        what_to_do="Let each node's kernel count: 'sysctl -w net.netfilter.nf_conntrack_acct=1'. It counts connections "
        "that are made after that. Which nodes do not, their agents say in their log and as the condition "
        "conntrack_accounting.",
        evidence={"unmeasured_at_least_percent": percent},
        registration_id=told.registration_id,
    )
