"""Detectors of what sources of flows do not see: found, not found, nearly, and not to be known."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.dependencies.model import ClusterCoverage
from periplus_hub.findings import facts
from periplus_hub.findings.detectors.base import Detector
from periplus_hub.findings.detectors.lost_flows import LostFlows
from periplus_hub.findings.detectors.stopped_flows import StoppedFlows
from periplus_hub.findings.detectors.unmeasured_flows import UnmeasuredFlows
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided

from tests.support.clock import START
from tests.unit.hub.findings.test_detectors import LISTENING, A, B, registration, seen
from tests.unit.hub.findings.test_flow_detectors import FLEET, NOW, coverage, told

NEAR = Undecided(str(A), is_unknown=False)
OF_COVERAGE = (UnmeasuredFlows(), LostFlows(), StoppedFlows())


def of_coverage(detector: Detector, *clusters: ClusterCoverage, fleet: Any = FLEET, since: Any = None) -> Any:
    listening = replace(LISTENING, since=since) if since else LISTENING
    known = {facts.REGISTRATIONS: fleet, facts.FLOW_COVERAGE: coverage(*clusters), facts.LISTENING: listening}
    return seen(detector, known)


@pytest.mark.parametrize("detector", OF_COVERAGE, ids=lambda each: each.name)
def test_while_nobody_looked_at_coverage_nobody_knows(detector: Detector) -> None:
    known = {facts.REGISTRATIONS: FLEET, facts.FLOW_COVERAGE: None, facts.LISTENING: LISTENING}
    assert seen(detector, known) is None
    assert of_coverage(detector) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"unmeasured": 0}, []),
        ({"unmeasured": 99}, [NEAR]),
        ({"unmeasured": 100}, ["bytes of flows are not counted"]),
        ({"observed": 99, "unmeasured": 99}, [Undecided(str(A))]),
        ({"observed": 99, "unmeasured": 0}, [NEAR]),
        ({"told_until": None, "observed": 0}, []),
    ],
    ids=["all", "hardly-any", "one-of-a-hundred", "hardly-anything", "hardly-anything-and-all", "no-source"],
)
def test_a_source_that_cannot_count_bytes_is_told(changes: Any, found: Any) -> None:
    drafts = of_coverage(UnmeasuredFlows(), told(A, **changes))
    assert [each.title.partition(": ")[2] if isinstance(each, FindingDraft) else each for each in drafts] == found


@pytest.mark.parametrize(
    ("lost", "found"),
    [
        ({}, []),
        ({"evicted": 10}, []),
        ({"evicted": 51}, [NEAR]),
        ({"evicted": 101}, [{"evicted": 64}]),
        ({"overrun": 4}, []),
        ({"overrun": 9}, [NEAR]),
        ({"overrun": 10, "unread": 40, "other": 3}, [{"overrun": 8, "unread": 32}]),
    ],
)
def test_a_source_that_misses_much_is_told_by_reason(lost: Any, found: Any) -> None:
    drafts = of_coverage(LostFlows(), told(A, lost=lost))
    assert [each.evidence["lost_at_least"] if isinstance(each, FindingDraft) else each for each in drafts] == found


def test_where_hardly_anything_is_told_what_it_missed_is_not_judged() -> None:
    found = [of_coverage(LostFlows(), told(A, observed=9, lost=lost)) for lost in ({}, {"overrun": 1})]
    assert found == [[NEAR], [Undecided(str(A))]]


def test_every_reason_has_its_remedy() -> None:
    (draft,) = of_coverage(LostFlows(), told(A, lost={"evicted": 500, "overrun": 10, "other": 900}))
    assert "--conntrack-interval-s" in draft.what_to_do
    assert "other: see the agents' log" in draft.what_to_do


STOPPED = {"told_until": NOW - 31 * 60}


def test_a_cluster_that_stopped_telling_flows_is_told() -> None:
    (draft,) = of_coverage(StoppedFlows(), told(A, **STOPPED), told(B))
    assert (draft.registration_id, draft.severity) == (A, FindingSeverity.WARNING)


@pytest.mark.parametrize("until", [NOW - 30 * 60, None])
def test_who_told_lately_or_never_has_not_stopped(until: int | None) -> None:
    assert of_coverage(StoppedFlows(), told(A, told_until=until), told(B)) == []


def test_where_nobody_tells_any_more_it_is_one_finding() -> None:
    drafts = of_coverage(StoppedFlows(), told(A, **STOPPED), told(B, **STOPPED))
    assert [each.fingerprint for each in drafts] == ["all", str(A), str(B)]
    assert drafts[0].title == "No cluster tells flows any more: 2 did"
    assert drafts[1:] == [NEAR, Undecided(str(B), is_unknown=False)]


def test_a_spoke_that_is_silent_itself_is_another_trouble() -> None:
    fleet = [registration(last_seen_at=START - timedelta(minutes=5)), FLEET[1]]
    assert of_coverage(StoppedFlows(), told(A, **STOPPED), told(B), fleet=fleet) == [Undecided(str(A))]


def test_a_hub_that_was_away_waits_for_what_was_told_meanwhile() -> None:
    since = START - timedelta(minutes=29)
    drafts = of_coverage(StoppedFlows(), told(A, **STOPPED), told(B), since=since)
    assert drafts == [Undecided("all", is_unknown=False), Undecided(str(A))]
    assert of_coverage(StoppedFlows(), told(A), told(B), since=since) == [], "who tells has not stopped"
