"""What is said of each cluster that tells flows, of its own coverage alone. Pure."""

from collections.abc import Callable
from typing import Final

from periplus_hub.dependencies.model import ClusterCoverage
from periplus_hub.findings.facts import FLOW_COVERAGE, REGISTRATIONS, Facts
from periplus_hub.findings.model import FindingDraft, Undecided

LEAST_OBSERVED: Final = 100
"""Connections below which a share of them says nothing."""


def of_each_teller(
    facts: Facts, said: Callable[[ClusterCoverage, str], FindingDraft | Undecided | None]
) -> list[FindingDraft | Undecided] | None:
    """What is `said` of each, with its name; None where nobody looked lately."""
    coverage = facts[FLOW_COVERAGE]
    if coverage is None:
        return None
    names = {each.id: each.name for each in facts[REGISTRATIONS]}
    told = (each for each in coverage.clusters if each.told_until is not None)
    found = (said(each, names.get(each.registration_id, "")) for each in told)
    return [each for each in found if each is not None]
