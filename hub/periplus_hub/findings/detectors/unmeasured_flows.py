"""Clusters whose sources of flows cannot tell the bytes of what they see."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from periplus_hub.dependencies.model import ClusterCoverage
from periplus_hub.findings.bands import percent_at_least
from periplus_hub.findings.facts import FLOW_COVERAGE, REGISTRATIONS, Facts
from periplus_hub.findings.flow_tellers import LEAST_OBSERVED, of_each_teller
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided

_BANDS_PERCENT: Final = (90, 50, 20, 10, 5, 1)


class UnmeasuredFlows:
    """One finding for each cluster."""

    name = "unmeasured-flows"
    needs = (REGISTRATIONS, FLOW_COVERAGE)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """Of a cluster that tells hardly anything now, what was said stays."""
        del now
        return of_each_teller(facts, _said)


def _said(told: ClusterCoverage, name: str) -> FindingDraft | Undecided | None:
    fingerprint = str(told.registration_id)
    if told.observed < LEAST_OBSERVED:
        return Undecided(fingerprint, is_unknown=told.unmeasured > 0)
    percent = percent_at_least(told.unmeasured, told.observed, _BANDS_PERCENT)
    if percent is None:
        return Undecided(fingerprint, is_unknown=False) if told.unmeasured else None
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
