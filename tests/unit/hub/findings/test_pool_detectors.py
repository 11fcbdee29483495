"""Findings about pools: each with a scenario that finds, one that does not, and one that nearly does."""

from dataclasses import replace
from typing import Any

import pytest

from periplus_hub.addresses.ipam.model import PoolLimit, ShortPool, ShortPools
from periplus_hub.findings import facts
from periplus_hub.findings.detectors.contradictory_pools import ContradictoryPools
from periplus_hub.findings.detectors.full_nodes import FullNodes
from periplus_hub.findings.detectors.full_pools import FullPools
from periplus_hub.findings.model import FindingSeverity

from tests.unit.hub.findings.test_detectors import A, B, registration, seen

POOL = ShortPool(
    registration_id=A,
    provider="calico",
    name="default",
    family=4,
    scope="cluster",
    taken_ppm=950_000,
    limited_by=PoolLimit.ADDRESSES,
    capacity="65536",
    is_contradictory=False,
)


def of_pools(detector: Any, *pools: ShortPool, unlisted: int = 0) -> Any:
    short = ShortPools(pools=pools, unlisted=unlisted)
    return seen(detector, {facts.REGISTRATIONS: [registration()], facts.SHORT_POOLS: short})


@pytest.mark.parametrize(
    ("taken_ppm", "limit", "severity", "said"),
    [
        (1_000_000, PoolLimit.ADDRESSES, FindingSeverity.CRITICAL, "is full"),
        (999_999, PoolLimit.ADDRESSES, FindingSeverity.WARNING, "is more than 99 % full"),
        (900_000, PoolLimit.ADDRESSES, FindingSeverity.WARNING, "is more than 90 % full"),
        (1_000_000, PoolLimit.BLOCKS, FindingSeverity.WARNING, "has no block left that a node takes"),
    ],
)
def test_a_pool_that_is_nearly_full_is_a_finding(taken_ppm: int, limit: PoolLimit, severity: Any, said: str) -> None:
    (draft,) = of_pools(FullPools(), replace(POOL, taken_ppm=taken_ppm, limited_by=limit))
    assert (draft.severity, draft.title, draft.registration_id) == (severity, f"prod-1: pool default {said}", A)
    assert ("How fast it fills is not known" in draft.why) == (taken_ppm < 1_000_000)
    assert draft.what_to_do


def test_one_that_is_nearly_nearly_full_is_none_and_so_is_one_nobody_knows_of() -> None:
    assert of_pools(FullPools()) == []
    assert of_pools(FullPools(), replace(POOL, taken_ppm=899_999), replace(POOL, taken_ppm=None)) == []
    assert of_pools(FullPools(), replace(POOL, registration_id=B)) == []


def test_what_comes_and_goes_within_a_band_changes_nothing() -> None:
    assert of_pools(FullPools(), replace(POOL, taken_ppm=951_000)) == of_pools(FullPools(), POOL)
    assert of_pools(FullPools(), replace(POOL, taken_ppm=990_000)) != of_pools(FullPools(), POOL)


def test_pools_that_are_not_listed_are_a_finding_together() -> None:
    first, rest = of_pools(FullPools(), POOL, unlisted=3)
    assert (first.fingerprint, rest.fingerprint) == (POOL.key, "unlisted")


def test_pools_of_one_name_are_told_apart() -> None:
    others = [replace(POOL, family=6), replace(POOL, provider="cilium"), replace(POOL, name="other"), POOL]
    assert len({draft.fingerprint for draft in of_pools(FullPools(), *others)}) == 4


def test_numbers_that_contradict_each_other_are_a_finding() -> None:
    (draft,) = of_pools(ContradictoryPools(), replace(POOL, is_contradictory=True, taken_ppm=None), POOL)
    assert draft.title == "prod-1: what is told of pool default contradicts itself"
    assert of_pools(ContradictoryPools(), POOL) == []


def test_nodes_without_an_address_left_are_a_finding_of_their_cluster() -> None:
    known = {facts.REGISTRATIONS: [registration(), registration(id=B, name="b")], facts.FULL_NODES: frozenset({A})}
    (draft,) = seen(FullNodes(), known) or []
    assert (draft.registration_id, draft.title) == (A, "prod-1: nodes have no address left for another pod")
    assert seen(FullNodes(), known | {facts.FULL_NODES: frozenset()}) == []


@pytest.mark.parametrize(
    ("hours_left", "said"),
    [
        (23, "prod-1: pool default will soon be full: As fast as in the last 3 days, nothing is left within a day."),
        (24, "prod-1: pool default will soon be full: As fast as in the last 3 days, nothing is left within 3 days."),
        (167, "prod-1: pool default will soon be full: As fast as in the last 3 days, nothing is left within 7 days."),
    ],
)
def test_a_pool_that_is_full_within_days_at_its_own_speed_is_a_finding(hours_left: int, said: str) -> None:
    half = replace(POOL, taken_ppm=500_000, hours_left=hours_left, history_hours=3 * 24 + 5)
    (draft,) = of_pools(FullPools(), half)
    assert f"{draft.title}: {draft.why.removeprefix('It fills fast. ')}" == said
    assert draft.severity is FindingSeverity.WARNING
    assert (draft.evidence["full_within_days"], draft.evidence["days_of_history"]) != (None, None)


def test_one_that_is_full_in_a_week_is_none_and_a_full_one_says_whether_it_fills() -> None:
    assert of_pools(FullPools(), replace(POOL, taken_ppm=500_000, hours_left=168, history_hours=72)) == []
    slow, still = of_pools(
        FullPools(),
        replace(POOL, hours_left=168, history_hours=24),
        replace(POOL, name="other", hours_left=None, history_hours=24),
    )
    assert "As fast as in the last day, it is not full within a week." in slow.why
    assert "In the last day it did not fill." in still.why
