"""Findings that hold an allocator against itself and against pods: found, not found, nearly, and not to be known."""

from dataclasses import replace
from typing import Any

import pytest

from periplus_hub.addresses.ipam.model import LeakingPool, PoolCheck
from periplus_hub.addresses.ipam.model import LeakingPools as Leaking
from periplus_hub.findings import facts
from periplus_hub.findings.detectors.allocator_against_pods import AllocatorAgainstPods
from periplus_hub.findings.detectors.leaking_pools import LeakingPools
from periplus_hub.findings.detectors.orphaned_ranges import OrphanedRanges
from periplus_hub.findings.facts import PoolChecks
from periplus_hub.findings.model import FindingSeverity, Undecided

from tests.unit.hub.findings.test_detectors import A, B, registration, seen

LEAK = LeakingPool(
    registration_id=A,
    provider="calico",
    name="default",
    family=4,
    scope="cluster",
    capacity=65_536,
    is_told=True,
    hours=24,
    fewest=40,
    fewest_before=30,
    fewest_first=8,
    days=6,
)
STRAYS = PoolCheck(pods_outside=3, networks_outside=("10.9.0.0/24",), namespaces_outside=("lab", "shop"))


def of_leaks(*pools: LeakingPool, unlisted: int = 0) -> Any:
    known = {facts.REGISTRATIONS: [registration()], facts.LEAKING_POOLS: Leaking(pools=pools, unlisted=unlisted)}
    return seen(LeakingPools(), known)


def of_checks(detector: Any, found: Any, *, unknown: Any = (), is_waiting: bool = False) -> Any:
    checks = PoolChecks(found=found, unknown=frozenset(unknown), is_waiting=is_waiting)
    known = {facts.REGISTRATIONS: [registration(), registration(id=B, name="b")], facts.POOL_CHECKS: checks}
    return seen(detector, known)


def test_a_leak_that_grows_each_day_is_a_finding() -> None:
    (draft,) = of_leaks(LEAK)
    assert (draft.severity, draft.fingerprint, draft.registration_id) == (FindingSeverity.WARNING, LEAK.key, A)
    assert draft.title == "prod-1: more and more addresses of pool default are leaked"
    assert "holds at least 32 addresses for pods or nodes that are gone, more than on any of the days" in draft.why
    assert "calicoctl ipam check" in draft.what_to_do
    assert (draft.evidence["leaked_at_least"], draft.evidence["days_of_history"]) == (32, 6)


@pytest.mark.parametrize(
    ("nearly", "why"),
    [
        ({"fewest": 30}, "no more than on the worst day before"),
        ({"fewest": 23}, "15 more, of 65,536"),
        ({"capacity": 200, "fewest": 31, "fewest_first": 30}, "a single one"),
        ({"capacity": None, "fewest": 31, "fewest_first": 16}, "15 more, of nobody knows how many"),
    ],
)
def test_one_that_nearly_grows_is_none(nearly: dict[str, Any], why: str) -> None:
    assert of_leaks(replace(LEAK, **nearly)) == [], why


def test_of_a_small_pool_a_hundredth_is_much() -> None:
    small = replace(LEAK, capacity=254, fewest=33, fewest_before=30, fewest_first=30)
    assert [draft.evidence["leaked_at_least"] for draft in of_leaks(small)] == [32]
    assert of_leaks(replace(small, capacity=301)) == []


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize(
    "unknown", [{"is_told": False}, {"hours": 11}, {"fewest": None}, {"fewest_before": None, "fewest_first": None}]
)
def test_a_leak_of_which_nobody_can_tell_is_neither_there_nor_over(unknown: dict[str, Any]) -> None:
    assert of_leaks(replace(LEAK, **unknown)) == [Undecided(LEAK.key)]


def test_what_grows_a_little_more_changes_nothing() -> None:
    assert of_leaks(replace(LEAK, fewest=63)) == of_leaks(LEAK)
    assert of_leaks(replace(LEAK, fewest=64)) != of_leaks(LEAK)


def test_leaks_that_are_not_listed_are_a_finding_together() -> None:
    assert [draft.fingerprint for draft in of_leaks(LEAK, unlisted=1)] == [LEAK.key, "unlisted"]
    assert of_leaks(replace(LEAK, registration_id=B)) == []


def test_every_allocator_has_a_remedy() -> None:
    for provider in ("calico", "cilium", "kube-ovn", "whereabouts", "another"):
        (draft,) = of_leaks(replace(LEAK, provider=provider))
        assert draft.what_to_do.count("Look at the log of") == 1


def test_ranges_in_no_pool_are_a_finding_of_their_cluster() -> None:
    (draft,) = of_checks(OrphanedRanges(), {A: PoolCheck(blocks_outside=("10.9.0.0/26",)), B: PoolCheck()})
    assert (draft.registration_id, draft.title) == (A, "prod-1: ranges are held that lie in no pool")
    assert "10.9.0.0/26" in draft.why
    assert draft.what_to_do
    assert of_checks(OrphanedRanges(), {A: STRAYS, B: PoolCheck(short_pools=("p",))}) == []


def test_pods_that_the_allocator_does_not_count_are_a_finding_of_their_cluster() -> None:
    both = replace(STRAYS, short_pools=("default", "other on node-1"))
    outside, either = of_checks(AllocatorAgainstPods(), {A: STRAYS, B: both})
    assert outside.title == "prod-1: pods have addresses that the allocator does not count"
    assert outside.why.startswith("Pods of namespaces lab, shop have addresses in 10.9.0.0/24 that lie in none")
    assert outside.what_to_do.startswith("See them: 'kubectl get pods -A -o wide'.")
    assert "Of pools default, other on node-1 pods have more addresses" in either.why
    assert "calicoctl ipam check" in either.what_to_do
    assert "calicoctl" not in outside.what_to_do
    orphans = PoolCheck(blocks_outside=("10.9.0.0/26",))
    assert of_checks(AllocatorAgainstPods(), {A: orphans, B: PoolCheck()}) == []


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("detector", [OrphanedRanges(), AllocatorAgainstPods()])
def test_of_a_cluster_that_was_not_read_whole_nothing_is_over(detector: Any) -> None:
    assert of_checks(detector, {B: PoolCheck()}, unknown=[A]) == [Undecided(str(A))]
    assert of_checks(detector, {A: PoolCheck()}, is_waiting=True) is None
