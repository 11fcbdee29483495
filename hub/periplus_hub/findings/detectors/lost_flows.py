"""Clusters whose sources of flows do not see much of what passes, as they say themselves."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from periplus_contract.flow_words import LOST_EVICTED, LOST_OVERRUN, LOST_RESET, LOST_UNREAD, LOST_UNREADABLE
from periplus_hub.dependencies.model import ClusterCoverage
from periplus_hub.findings.bands import power_of_two
from periplus_hub.findings.facts import FLOW_COVERAGE, REGISTRATIONS, Facts
from periplus_hub.findings.flow_tellers import LEAST_OBSERVED, of_each_teller
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided

_MANY_TIMES: Final = 10
"""Of what is counted in times and not in connections: in three hours."""
_IN_TIMES: Final = frozenset({LOST_OVERRUN, LOST_UNREAD})
_REMEDY: Final[Mapping[str, str]] = {
    LOST_EVICTED: "evicted: connections ended between two readings without their last counts; let the agents read more "
    "often (--conntrack-interval-s).",
    LOST_OVERRUN: "overrun: the kernel had more events than it kept; give the agents more CPU.",
    LOST_UNREAD: "unread: readings failed; look at the agents' log, and give them more CPU.",
    LOST_RESET: "counter_reset: counters went backwards; look whether something empties the table (conntrack -F).",
    LOST_UNREADABLE: "unreadable: entries do not say what they should; see the agents' log.",
}


class LostFlows:
    """One finding for each cluster, with every reason that matters."""

    name = "lost-flows"
    needs = (REGISTRATIONS, FLOW_COVERAGE)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """Of a cluster that tells hardly anything now, what was said stays."""
        del now
        return of_each_teller(facts, _said)


def _said(told: ClusterCoverage, name: str) -> FindingDraft | Undecided | None:
    fingerprint = str(told.registration_id)
    much, near = dict(_bands(told, 1)), dict(_bands(told, 2))
    if not much:
        few = told.observed < LEAST_OBSERVED
        return Undecided(fingerprint, is_unknown=bool(told.lost) and not near) if near or few else None
    return FindingDraft(
        fingerprint=fingerprint,
        severity=FindingSeverity.WARNING,
        title=f"{name}: its sources of flows miss much",
        why=f"They say so themselves of the last hours: {', '.join(much)}. What they miss is in no sum.",
        what_to_do=" ".join(_REMEDY.get(each, f"{each}: see the agents' log.") for each in much),
        evidence={"lost_at_least": much},
        registration_id=told.registration_id,
    )


def _bands(told: ClusterCoverage, divisor: int) -> Iterator[tuple[str, int]]:
    """Reasons of which there is so much, or a part of it, with a power of two that does not change each hour."""
    for reason, count in sorted(told.lost.items()):
        least = _MANY_TIMES if reason in _IN_TIMES else max(LEAST_OBSERVED, told.observed) // 100 + 1
        if count * divisor >= least:
            yield reason, power_of_two(count)
