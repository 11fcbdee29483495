"""Each detector with a scenario that finds, one that does not, and one that nearly does."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from periplus_hub.addresses.ipam.engine.knowledge import Missing
from periplus_hub.addresses.overlaps.engine.causes import WorstPairs
from periplus_hub.addresses.overlaps.engine.explanations import explain
from periplus_hub.addresses.overlaps.engine.uses import Use
from periplus_hub.addresses.overlaps.model import (
    Included,
    NamedClusters,
    OverlapGroup,
    RegisterStatus,
    Relation,
    Severity,
)
from periplus_hub.findings import facts
from periplus_hub.findings.detectors.base import Detector
from periplus_hub.findings.detectors.clock_skew import ClockSkew
from periplus_hub.findings.detectors.overlaps import Overlaps
from periplus_hub.findings.detectors.registry import DETECTORS
from periplus_hub.findings.detectors.shared_identity import SharedIdentity
from periplus_hub.findings.detectors.silent_fleet import SilentFleet
from periplus_hub.findings.detectors.stale_clusters import StaleClusters
from periplus_hub.findings.detectors.unkept_register import UnkeptRegister
from periplus_hub.findings.detectors.unreadable_sources import UnreadableSources
from periplus_hub.findings.facts import Fact, Facts, WorstOverlaps
from periplus_hub.findings.listening import Listening
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.fleet.model import Registration, State
from periplus_hub.ingest.model import RecentBatch
from periplus_hub.inventory.model import Source

from tests.support.clock import START

A, B = UUID(int=1), UUID(int=2)
LONG_AGO = START - timedelta(days=1)
LISTENING = Listening(since=LONG_AGO, round_at=START, deaf_at=LONG_AGO)
KEPT = RegisterStatus(included=Included(0, ""), latest=0, at=START)


def seen(
    detector: Detector, known: dict[Fact[Any], Any], now: datetime = START
) -> list[FindingDraft | Undecided] | None:
    """What it says of the facts it needs."""
    drafts = detector.detect(Facts(known).only(detector.needs), now)
    return None if drafts is None else list(drafts)


def silence(detector: Detector, registrations: list[Registration], now: datetime, **listening: datetime) -> Any:
    """What it says of a fleet that this hub has listened to for a day."""
    known = {facts.REGISTRATIONS: registrations, facts.LISTENING: replace(LISTENING, **listening)}
    return seen(detector, known, now)


def overlaps(groups: list[OverlapGroup], explanations: Any, hit: Any, *, unlisted: int = 0) -> Any:
    worst = WorstOverlaps(groups=groups, explanations=explanations, hit=hit, unlisted=unlisted)
    return seen(Overlaps(), {facts.OVERLAPS: worst, facts.REGISTER: KEPT})


def unreadable(registrations: list[Registration], sources: Any, missing: Any) -> Any:
    known = {facts.REGISTRATIONS: registrations, facts.SOURCES: sources, facts.MISSING: missing}
    return seen(UnreadableSources(), known)


def of_registrations(detector: Detector, *registrations: Registration) -> Any:
    return seen(detector, {facts.REGISTRATIONS: registrations})


def registration(**changes: Any) -> Registration:
    base: dict[str, Any] = dict.fromkeys(Registration.__dataclass_fields__)
    facts = {
        "id": A,
        "name": "prod-1",
        "cluster_uid": "uid-1",
        "state": State.ACTIVE,
        "created_at": START,
        "approved_at": START,
        "last_seen_at": START,
        "spoke_version": "0.1.0",
    }
    return Registration(**{**base, **facts, **changes})


def group(severity: Severity, **changes: Any) -> OverlapGroup:
    base = OverlapGroup(
        id=A,
        cidr="10.244.0.0/16",
        family=4,
        severity=severity,
        clusters=2,
        members=3,
        pairs=2,
        since=START,
        changed_at=START,
        acceptance_id=None,
        accepted=False,
    )
    return replace(base, **changes)


def source(state: str, **changes: Any) -> Source:
    facts = {"reason": None, "message": None, "remedy": "Grant list on pods.", "objects": None, "as_of": None}
    return Source(**{"registration_id": A, "name": "pods", "state": state, "observed_at": START, **facts, **changes})


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(Severity.CONFLICT, FindingSeverity.CRITICAL), (Severity.BLOCKS_FEDERATION, FindingSeverity.WARNING)],
)
def test_an_overlap_that_hurts_is_one_finding_per_group(severity: Severity, expected: FindingSeverity) -> None:
    explanation = explain(WorstPairs(severity, frozenset({frozenset({Use.POD})}), frozenset({Relation.SAME})))
    hit = NamedClusters(clusters=7, names=("a", "b", "c", "d", "e"))
    (draft,) = overlaps([group(severity, clusters=9, pairs=499_500)], {A: explanation}, {A: hit})
    assert (draft.severity, draft.fingerprint, draft.registration_id) == (expected, str(A), None)
    assert "10.244.0.0/16" in draft.title
    assert draft.what_to_do
    assert draft.evidence["pairs"] == 499_500
    assert draft.why.startswith("Each of a, b, c, d and 3 more clusters collides with at least one of them inside ")
    assert draft.evidence["cluster_names"] == ["a", "b", "c", "d", "e"]
    assert (draft.evidence["clusters"], draft.evidence["milder_clusters"]) == (7, 2)


def test_a_cluster_that_collides_with_itself_is_named_alone() -> None:
    hit = NamedClusters(clusters=1, names=("a",))
    (draft,) = overlaps([group(Severity.CONFLICT, clusters=3)], {}, {A: hit})
    assert draft.why == "a collides with itself inside 10.244.0.0/16."


@pytest.mark.parametrize("severity", [Severity.LATENT, Severity.INTENDED])
def test_an_overlap_that_hurts_nobody_now_is_no_finding(severity: Severity) -> None:
    assert overlaps([group(severity)], {}, {}) == []


def test_groups_beyond_the_limit_are_counted_in_one_finding() -> None:
    drafts = overlaps([group(Severity.CONFLICT)], {}, {}, unlisted=7)
    assert [draft.fingerprint for draft in drafts] == [str(A), "more"]
    assert drafts[1].evidence == {"groups": 7}


def test_a_silent_spoke_is_stale() -> None:
    (draft,) = silence(StaleClusters(), [registration()], START + timedelta(seconds=91))
    assert (draft.registration_id, draft.severity) == (A, FindingSeverity.WARNING)


def test_a_spoke_that_never_spoke_counts_from_its_approval() -> None:
    (draft,) = silence(StaleClusters(), [registration(last_seen_at=None)], START + timedelta(seconds=91))
    assert draft.evidence["last_seen_at"] is None


def test_a_spoke_heard_just_in_time_is_not_stale() -> None:
    assert silence(StaleClusters(), [registration()], START + timedelta(seconds=90)) == []


@pytest.mark.parametrize("state", [State.PENDING, State.REVOKED])
def test_a_cluster_that_is_not_active_cannot_be_stale(state: State) -> None:
    assert silence(StaleClusters(), [registration(state=state)], START + timedelta(days=1)) == []


@pytest.mark.parametrize("state", ["forbidden", "failed"])
def test_sources_that_cannot_be_read_are_one_finding_per_cluster(state: str) -> None:
    bad = [source(state), source(state, name="nodes")]
    (draft,) = unreadable([registration()], {A: [*bad, source("ok", name="services")]}, {})
    assert "pods, nodes" in draft.why
    assert draft.what_to_do == "Grant list on pods."
    assert draft.evidence["sources"] == [
        {"name": name, "state": state, "reason": None, "message": None} for name in ("pods", "nodes")
    ]


def test_what_addresses_are_missing_without_comes_first() -> None:
    bad = [source("failed", name="apps/deployments"), source("forbidden", name="services")]
    lost = Missing(source="services", state="forbidden", reason="forbidden", message="no", remedy="Grant it.")
    (draft,) = unreadable([registration()], {A: bad}, {A: [lost]})
    assert draft.title.endswith("its addresses are not known whole")
    assert "cannot read services, apps/deployments;" in draft.why
    assert draft.evidence["missing_for_addresses"] == ["services"]


@pytest.mark.parametrize("state", ["ok", "absent", "slow"])
def test_what_is_absent_or_slow_is_read(state: str) -> None:
    assert unreadable([registration()], {A: [source(state)]}, {}) == []


def test_a_fleet_of_which_nobody_is_heard_is_one_finding() -> None:
    silent = [registration(), registration(id=B, last_seen_at=None)]
    (draft,) = silence(SilentFleet(), silent, START + timedelta(seconds=91))
    assert (draft.severity, draft.registration_id) == (FindingSeverity.CRITICAL, None)
    assert draft.evidence == {"last_heard_at": START.isoformat(), "clusters": 2}


def test_a_fleet_of_which_one_is_heard_or_that_is_one_is_not_silent() -> None:
    later = START + timedelta(seconds=91)
    heard = registration(id=B, last_seen_at=later)
    assert silence(SilentFleet(), [registration(), heard], later) == []
    assert silence(SilentFleet(), [registration()], later) == []
    pending = registration(id=B, state=State.PENDING)
    assert silence(SilentFleet(), [registration(), pending], later) == []


def test_sources_of_a_revoked_cluster_do_not_matter() -> None:
    assert unreadable([registration(state=State.REVOKED)], {A: [source("failed")]}, {}) == []


def shared(*batches: tuple[int, int]) -> Any:
    """Epoch and window of each, in the order of arrival."""
    sent = [RecentBatch(epoch=UUID(int=epoch), window_start_s=at, received_at=START) for epoch, at in batches]
    return seen(SharedIdentity(), {facts.REGISTRATIONS: [registration()], facts.RECENT_BATCHES: {A: sent}})


def test_two_spokes_with_one_key_are_found_while_they_take_turns() -> None:
    turns = [(1 + minute % 2, minute) for minute in range(6)]
    (draft,) = shared(*turns)
    assert (draft.registration_id, draft.severity) == (A, FindingSeverity.CRITICAL)
    assert draft.evidence == {"epochs": [str(UUID(int=1)), str(UUID(int=2))]}
    (later,) = shared(*turns, (1, 9), (2, 9))
    assert later == draft, "the same trouble is told in the same words"
    same_windows = [(epoch, minute) for minute in range(4) for epoch in (2, 1)]
    assert shared(*same_windows)


@pytest.mark.parametrize(
    "batches",
    [
        [],
        [(1, 0), (1, 1), (1, 2), (1, 3), (2, 4), (2, 5)],
        [(1, 0), (2, 60), (3, 120), (4, 180), (5, 240), (6, 300)],
        [(2, 60), (1, 0), (2, 61), (1, 1), (2, 62), (1, 2), (2, 63), (1, 3)],
        [(1, 50), (1, 51), (1, 52), (1, 53), (2, 50), (2, 51), (2, 52), (2, 53)],
        [(1, 0), (2, 1), (1, 2), (2, 3)],
    ],
    ids=["silence", "a-restart", "many-restarts", "a-restart-with-a-backlog", "a-clock-set-back", "not-often-enough"],
)
def test_one_spoke_that_starts_again_is_one_spoke(batches: list[tuple[int, int]]) -> None:
    assert shared(*batches) == []


@pytest.mark.parametrize(("skew_ms", "word"), [(30_001, "ahead of"), (-45_000, "behind")])
def test_a_clock_that_is_off_is_found(skew_ms: int, word: str) -> None:
    (draft,) = of_registrations(ClockSkew(), registration(clock_skew_ms=skew_ms))
    assert word in draft.why


@pytest.mark.parametrize("skews_ms", [(40_400, 40_600, 49_000), (-61_000, -299_000), (90_000_000, 400_000_000)])
def test_a_clock_that_jitters_says_the_same(skews_ms: tuple[int, ...]) -> None:
    clocks = [registration(clock_skew_ms=skew_ms) for skew_ms in skews_ms]
    said = [draft for each in clocks for draft in of_registrations(ClockSkew(), each)]
    assert said == [said[0]] * len(skews_ms)


@pytest.mark.parametrize("skew_ms", [None, 0, 30_000, -30_000])
def test_a_clock_within_bounds_or_unknown_is_not(skew_ms: int | None) -> None:
    assert of_registrations(ClockSkew(), registration(clock_skew_ms=skew_ms)) == []


@pytest.mark.parametrize("detector", [Overlaps(), UnkeptRegister()])
def test_what_nobody_computed_is_neither_there_nor_over(detector: Detector) -> None:
    worst = WorstOverlaps(groups=[group(Severity.CONFLICT)], explanations={}, hit={})
    known = {facts.OVERLAPS: worst, facts.REGISTER: replace(KEPT, at=LONG_AGO)}
    assert seen(detector, known) is None
    assert seen(detector, {**known, facts.REGISTER: KEPT}) is not None


@pytest.mark.parametrize(("detector", "deaf"), [(StaleClusters(), "deaf_at"), (SilentFleet(), "since")])
def test_a_hub_that_did_not_listen_long_enough_knows_of_nobody_that_is_silent(detector: Detector, deaf: str) -> None:
    silent, later = [registration(), registration(id=B)], START + timedelta(days=1)
    assert silence(detector, silent, later, **{deaf: later - timedelta(seconds=90)}) is None
    assert silence(detector, silent, later, **{deaf: later - timedelta(seconds=91)})


def test_every_detector_has_a_name_of_its_own() -> None:
    assert len({detector.name for detector in DETECTORS}) == len(DETECTORS)


def test_a_fact_that_a_detector_does_not_say_it_needs_is_not_there() -> None:
    known = Facts({facts.REGISTRATIONS: [], facts.SOURCES: {}}).only([facts.REGISTRATIONS])
    with pytest.raises(LookupError, match="'sources' was not loaded: add it to the detector's needs"):
        assert known[facts.SOURCES]
