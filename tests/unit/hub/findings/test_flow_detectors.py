"""Detectors of flows: each with something to find, nothing, what is nearly something, and what is not to be known."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.dependencies.engine.watched import (
    HourOfPair,
    LopsidedClusters,
    NewPair,
    PairHours,
    QuietPair,
    Watched,
    Workload,
)
from periplus_hub.dependencies.model import ClusterCoverage, Coverage, EdgeEnd, EdgeLevel, EdgeSide
from periplus_hub.findings import facts
from periplus_hub.findings.detectors.base import Detector
from periplus_hub.findings.detectors.failing_dependencies import FailingDependencies
from periplus_hub.findings.detectors.new_peers import NewPeers
from periplus_hub.findings.detectors.one_sided_dependencies import OneSidedDependencies
from periplus_hub.findings.detectors.slow_dependencies import SlowDependencies
from periplus_hub.findings.detectors.vanished_dependencies import VanishedDependencies
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.findings.named_ends import MOST_DRAFTS

from tests.support.clock import START
from tests.unit.hub.findings.test_detectors import A, B, registration, seen

HOUR = 3_600
NOW = int(START.timestamp())
EDGES = (
    NewPeers(),
    VanishedDependencies(),
    OneSidedDependencies(),
    FailingDependencies(),
    SlowDependencies(),
)
FLEET = [registration(), registration(id=B, name="prod-2")]


def end(cluster: Any, namespace: str = "", name: str = "", kind: str = "Deployment") -> EdgeEnd:
    return EdgeEnd(registration_id=cluster, namespace=namespace, kind=kind if name else "", name=name, rules=())


WEB, API, PAY = end(A, "shop", "web"), end(A, "shop", "api"), end(B, "pay", "api")
OUTSIDE = EdgeEnd(registration_id=None, namespace="", kind="external", name="", rules=())
CLIENT, SERVER = frozenset({EdgeSide.CLIENT}), frozenset({EdgeSide.SERVER})


def told(cluster: Any = A, **changes: Any) -> ClusterCoverage:
    base = ClusterCoverage(
        registration_id=cluster,
        minutes_told=180,
        minutes_expected=180,
        told_from=NOW - 7 * 24 * HOUR,
        told_until=NOW - 60,
        sampling=1,
        rows=100,
        rejected=0,
        observed=10_000,
    )
    return replace(base, **changes)


def coverage(*clusters: ClusterCoverage) -> Coverage:
    return Coverage(clusters=clusters, collected=0, settled=0, rejected=0, dropped={}, now=START)


def hours(first: int, last: int = 0) -> frozenset[int]:
    """From so many hours ago on, until so many hours ago."""
    return frozenset(range(NOW - first * HOUR, NOW - last * HOUR, HOUR))


EVERY = {A: hours(200), B: hours(200)}


def watched(**changes: Any) -> Watched:
    known: dict[str, Any] = {"at": START, "coverage": coverage(told(A), told(B)), "told_hours": EVERY}
    return Watched(**{**known, **changes})


def said(detector: Detector, look: Watched | None) -> Any:
    return seen(detector, {facts.REGISTRATIONS: FLEET, facts.WATCHED: look})


@pytest.mark.parametrize("detector", EDGES, ids=lambda each: each.name)
def test_while_the_flow_store_cannot_be_asked_nobody_knows(detector: Detector) -> None:
    assert said(detector, None) is None
    assert said(detector, watched()) == []


# New peers


def new(src: EdgeEnd, dst: EdgeEnd, level: EdgeLevel = EdgeLevel.WORKLOAD, **changes: Any) -> NewPair:
    first = START - timedelta(hours=2)
    base = NewPair(level=level, src=src, dst=dst, reported_by=CLIENT, first_seen=first, ports=((6, 443),))
    return replace(base, **changes)


def test_a_new_peer_in_another_cluster_is_told_once_for_its_client() -> None:
    other = replace(PAY, name="db")
    (draft,) = said(NewPeers(), watched(new=[new(WEB, PAY), new(WEB, other)]))
    assert draft.title == "shop/web@prod-1 talks to pay/api@prod-2, pay/db@prod-2 for the first time"
    assert (draft.severity, draft.registration_ids) == (FindingSeverity.WARNING, (A, B))
    assert draft.evidence["pairs"] == ["shop/web@prod-1 → pay/api@prod-2", "shop/web@prod-1 → pay/db@prod-2"]
    assert draft.evidence["reported_by"] == ["client"]
    assert draft.evidence["rule"]


def test_a_new_peer_at_home_is_worth_a_note() -> None:
    (draft,) = said(NewPeers(), watched(new=[new(WEB, API)]))
    assert (draft.severity, draft.registration_id) == (FindingSeverity.INFO, A)


def test_what_was_reached_from_outside_for_the_first_time_is_asked_about_it() -> None:
    (draft,) = said(NewPeers(), watched(new=[new(OUTSIDE, WEB, reported_by=SERVER)]))
    assert draft.title == "outside talks to shop/web@prod-1 for the first time"
    assert draft.severity is FindingSeverity.WARNING


def test_the_coarsest_that_is_new_is_told_and_nothing_within() -> None:
    clusters = new(end(A), end(B), EdgeLevel.CLUSTER)
    namespaces = new(end(A, "shop"), end(B, "pay"), EdgeLevel.NAMESPACE)
    inside = new(end(A, "shop"), end(A, "lab"), EdgeLevel.NAMESPACE)
    (draft,) = said(NewPeers(), watched(new=[clusters, namespaces, new(WEB, PAY)]))
    assert draft.title == "prod-1 talks to prod-2 for the first time"
    drafts = said(NewPeers(), watched(new=[namespaces, inside, new(WEB, PAY), new(WEB, end(A, "lab", "x"))]))
    assert [each.evidence["level"] for each in drafts] == ["namespace", "namespace"]


@pytest.mark.parametrize("told_before", [{}, {A: hours(40), B: EVERY[B]}, {B: EVERY[B]}])
def test_what_nobody_could_have_told_before_is_not_new(told_before: Any) -> None:
    """The server's cluster told, and does not report it: its silence says nothing."""
    assert said(NewPeers(), watched(new=[new(WEB, PAY)], told_hours=told_before)) == []


def test_a_few_hours_that_were_not_told_are_forgiven() -> None:
    gaps = EVERY[A] - hours(20, 14)
    assert len(said(NewPeers(), watched(new=[new(WEB, PAY)], told_hours={A: gaps}))) == 1
    assert said(NewPeers(), watched(new=[new(WEB, PAY)], told_hours={A: EVERY[A] - hours(20, 10)})) == []


def test_of_very_many_the_worst_are_listed_and_the_others_counted() -> None:
    many = [new(end(A, "shop", f"web-{number}"), API) for number in range(MOST_DRAFTS + 7)]
    drafts = said(NewPeers(), watched(new=[*many, new(WEB, PAY)], new_more=30))
    *listed, more = (each for each in drafts if not isinstance(each, Undecided))
    assert len(listed) == MOST_DRAFTS
    assert len({each.fingerprint for each in drafts}) == MOST_DRAFTS + 8 + 1, "those of the rest stay as they are"
    assert listed[0].severity is FindingSeverity.WARNING
    assert more.evidence == {"more": 8, "not_looked_at": 30}


# Vanished dependencies


def quiet(src: EdgeEnd = WEB, dst: EdgeEnd = PAY, since_h: int = 10, active: Any = None, **changes: Any) -> QuietPair:
    """Steady for three days, and silent since."""
    last = NOW - since_h * HOUR
    pair = QuietPair(src=src, dst=dst, reported_by=CLIENT, last_seen=START - timedelta(hours=since_h - 1), hours=())
    ran = active or range(last - 72 * HOUR, last + 1, HOUR)
    return replace(pair, hours=tuple(ran), **changes)


def test_a_steady_dependency_of_which_nothing_passes_is_told_for_its_namespaces() -> None:
    drafts = said(VanishedDependencies(), watched(quiet=[quiet(), quiet(src=end(A, "shop", "cart"))]))
    (draft,) = drafts
    assert draft.title == "shop/cart@prod-1, shop/web@prod-1 talks to pay/api@prod-2 no more"
    assert (draft.severity, draft.registration_ids) == (FindingSeverity.WARNING, (A, B))
    assert draft.evidence["longest_pause_hours_before"] == 1
    assert draft.evidence["last_seen"] == (START - timedelta(hours=9)).isoformat()


def daily(days: int, since_h: int) -> QuietPair:
    last = NOW - since_h * HOUR
    return quiet(since_h=since_h, active=range(last - days * 24 * HOUR, last + 1, 24 * HOUR))


@pytest.mark.parametrize(
    ("pair", "found"),
    [
        (quiet(since_h=3), None),
        (quiet(since_h=4), FindingDraft),
        (daily(9, 37), None),
        (daily(9, 38), FindingDraft),
        (daily(5, 38), None),
        (quiet(active=[NOW - 30 * HOUR, NOW - 29 * HOUR]), None),
    ],
    ids=["two-hours", "three-hours", "daily-late", "daily-missed", "daily-since-lately", "seldom"],
)
def test_it_is_held_against_its_own_rhythm(pair: QuietPair, found: Any) -> None:
    assert [type(each) for each in said(VanishedDependencies(), watched(quiet=[pair]))] == ([found] if found else [])


@pytest.mark.parametrize(
    "look",
    [
        {"coverage": coverage(told(A, nodes=3, nodes_silent=1))},
        {"coverage": coverage(told(A, told_until=None))},
        {"coverage": coverage(told(A, lost={"events": 10_001}))},
        {"coverage": coverage(told(A, other_rows=1))},
        {"coverage": coverage(told(B))},
        {"told_hours": {A: hours(200, 9)}},
        {"told_hours": {}},
    ],
    ids=[
        "a-silent-node",
        "never-told",
        "most-was-lost",
        "beyond-the-row-budget",
        "revoked",
        "told-nothing-since",
        "hours-unknown",
    ],
)
def test_silence_of_who_would_tell_is_no_sign(look: Any) -> None:
    assert said(VanishedDependencies(), watched(quiet=[quiet()], **look)) == [Undecided(f"{A}/shop>{B}/pay")]


def test_the_silence_of_one_hides_nothing_that_another_shows() -> None:
    look = watched(quiet=[quiet(), quiet(src=end(A, "shop", "cart"), reported_by=CLIENT | SERVER)])
    (draft,) = said(VanishedDependencies(), replace(look, told_hours={A: EVERY[A]}))
    assert draft.evidence["pairs"] == ["shop/web@prod-1 → pay/api@prod-2"]


@pytest.mark.parametrize(
    ("workload", "how"),
    [
        (Workload(replicas=0, is_there=True), "is scaled to zero"),
        (Workload(replicas=None, is_there=False), "was deleted"),
    ],
)
def test_what_was_taken_away_is_said_to_be(workload: Workload, how: str) -> None:
    known = {
        (B, "pay", "Deployment", "api"): workload,
        (A, "shop", "Deployment", "web"): Workload(replicas=2, is_there=True),
    }
    (draft,) = said(VanishedDependencies(), watched(quiet=[quiet()], workloads=known))
    assert draft.title == f"pay/api@prod-2 {how}, and nothing passes any more between it and shop/web@prod-1"
    assert draft.severity is FindingSeverity.INFO


def test_what_still_runs_was_not_taken_away() -> None:
    known = {(B, "pay", "Deployment", "api"): Workload(replicas=1, is_there=True)}
    (draft,) = said(VanishedDependencies(), watched(quiet=[quiet()], workloads=known))
    assert draft.severity is FindingSeverity.WARNING


# One side alone

LOPSIDED = LopsidedClusters(src=A, dst=B, pairs=12, only_client=5, only_server=0, examples=("shop/web → pay/api",))


def test_what_one_side_alone_sees_is_one_finding_for_two_clusters() -> None:
    (draft,) = said(OneSidedDependencies(), watched(lopsided=[LOPSIDED]))
    assert (draft.severity, draft.registration_ids) == (FindingSeverity.INFO, (A, B))
    assert draft.why.startswith("Of dependencies of prod-1 on prod-2, some are seen by prod-1 alone. Both told")
    assert draft.evidence["only_seen_by_client_at_least"] == 4
    both = replace(LOPSIDED, only_server=2)
    (draft,) = said(OneSidedDependencies(), watched(lopsided=[both]))
    assert "by prod-1 alone. Of dependencies of prod-1 on prod-2, some are seen by prod-2 alone." in draft.why


@pytest.mark.parametrize(
    "look",
    [
        {"told_hours": {A: EVERY[A], B: hours(200, 1)}},
        {"told_hours": {A: EVERY[A]}},
        {"coverage": coverage(told(A), told(B, nodes=2, nodes_silent=1))},
        {"coverage": coverage(told(A))},
    ],
)
def test_who_did_not_tell_all_may_have_seen_it_too(look: Any) -> None:
    assert said(OneSidedDependencies(), watched(lopsided=[LOPSIDED], **look)) == [Undecided(f"{A}>{B}")]


def test_a_revoked_cluster_is_not_accused() -> None:
    assert (
        said(OneSidedDependencies(), watched(lopsided=[replace(LOPSIDED, dst=WEB.registration_id.__class__(int=9))]))
        == []
    )


# Off their own usual


def pair(now: HourOfPair | None, usual: Any, src: EdgeEnd = WEB, dst: EdgeEnd = PAY, before: int = 48) -> PairHours:
    past = [replace(usual(number), hour=NOW - (6 + before - number) * HOUR) for number in range(before)]
    return PairHours(src=src, dst=dst, hours=(*past, *([now] if now else [])))


def at(ago_h: int = 0, attempts: int = 0, failures: int = 0, rtt_us: int = 0, rtt_count: int = 0) -> HourOfPair:
    hour = NOW - ago_h * HOUR
    return HourOfPair(hour=hour, attempts=attempts, failures=failures, rtt_us=rtt_us, rtt_count=rtt_count)


def few_fail(number: int) -> HourOfPair:
    """One or two of a hundred."""
    return at(attempts=200, failures=2 + number % 3)


def test_a_server_that_fails_more_often_than_usual_is_told_once() -> None:
    pairs = [pair(at(0, 100, 30), few_fail), pair(at(1, 100, 12), few_fail, src=API)]
    (draft,) = said(FailingDependencies(), watched(hours=pairs))
    assert draft.title == "Connections to pay/api@prod-2 fail more often than usual"
    assert draft.severity is FindingSeverity.WARNING
    assert draft.evidence["pairs"] == ["shop/api@prod-1 → pay/api@prod-2", "shop/web@prod-1 → pay/api@prod-2"]
    assert draft.evidence["share_at_least_percent"] == 20


def test_where_most_connections_fail_it_is_critical() -> None:
    (draft,) = said(FailingDependencies(), watched(hours=[pair(at(0, 100, 50), few_fail)]))
    assert draft.severity is FindingSeverity.CRITICAL


@pytest.mark.parametrize(
    ("newest", "found"),
    [
        (at(0, 1_000, 10), None),
        (at(0, 1_000, 40), Undecided),
        (at(0, 1_000, 41), FindingDraft),
        (at(0, 19, 19), Undecided),
        (None, Undecided),
    ],
    ids=["usual", "nearly", "off", "too-few-now", "nothing-now"],
)
def test_failures_are_off_only_beyond_the_pairs_own_spread(newest: Any, found: Any) -> None:
    drafts = said(FailingDependencies(), watched(hours=[pair(newest, few_fail)]))
    assert [type(each) for each in drafts] == ([found] if found else [])


def test_what_always_fails_much_is_usual() -> None:
    wild = [pair(at(0, 100, 60), lambda number: at(attempts=100, failures=20 + 9 * (number % 7)))]
    assert not [each for each in said(FailingDependencies(), watched(hours=wild)) if isinstance(each, FindingDraft)]


@pytest.mark.parametrize("detector", [FailingDependencies(), SlowDependencies()], ids=lambda each: each.name)
def test_what_is_usual_has_to_be_known_first(detector: Detector) -> None:
    newest = at(0, 100, 90, 90_000_000, 100)
    young = pair(newest, lambda _: at(0, 100, 0, 100_000, 100), before=23)
    seldom = pair(newest, lambda _: at(0, 19, 0, 29_000, 29))
    assert said(detector, watched(hours=[young, seldom])) == []


def ten_ms(number: int) -> HourOfPair:
    return at(rtt_us=(9_500 + 500 * (number % 3)) * 100, rtt_count=100)


@pytest.mark.parametrize(
    ("rtt_ms", "found"), [(12, None), (16, Undecided), (20, Undecided), (21, FindingDraft)], ids=str
)
def test_a_path_is_slow_beyond_twice_its_usual(rtt_ms: int, found: Any) -> None:
    drafts = said(SlowDependencies(), watched(hours=[pair(at(0, rtt_us=rtt_ms * 100_000, rtt_count=100), ten_ms)]))
    assert [type(each) for each in drafts] == ([found] if found else [])


def test_a_slow_path_is_told_once_for_its_clusters() -> None:
    slow = at(0, rtt_us=9_000_000, rtt_count=100)
    pairs = [
        pair(slow, ten_ms),
        pair(slow, ten_ms, src=API),
        pair(slow, ten_ms, dst=API),
        pair(slow, ten_ms, dst=OUTSIDE),
    ]
    titles = {each.title: each for each in said(SlowDependencies(), watched(hours=pairs))}
    assert set(titles) == {
        "Round trips between prod-1 and prod-2 take longer than usual",
        "Round trips within prod-1 take longer than usual",
        "Round trips between prod-1 and outside take longer than usual",
    }
    between = titles["Round trips between prod-1 and prod-2 take longer than usual"]
    assert between.evidence["times_usual_at_least"] == 8
    assert between.registration_ids == (A, B)


def test_what_takes_next_to_no_time_may_take_five_times_as_long() -> None:
    fast = [pair(at(0, rtt_us=500_000, rtt_count=100), lambda _: at(rtt_us=100_000, rtt_count=100))]
    assert not [each for each in said(SlowDependencies(), watched(hours=fast)) if isinstance(each, FindingDraft)]
