"""What is usual for a pair, how long it may be silent, and which hours were told whole."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.dependencies.engine.baseline import LEAST_HOURS, Verdict, baseline
from periplus_hub.dependencies.engine.rhythm import longest_pause_h, may_be_silent_h, silent_h
from periplus_hub.dependencies.engine.told_hours import ToldHour, whole

HOUR = 3_600
VALUES = st.lists(st.integers(0, 10**9), min_size=LEAST_HOURS, max_size=60)
TOLD = ToldHour(hour=10 * HOUR, minutes=60, nodes=0, node_minutes=0, node_counts=None)


@given(VALUES, st.randoms())
def test_the_order_of_hours_does_not_matter(values: list[int], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert baseline(shuffled) == baseline(values)


@given(VALUES, st.integers(1, 10**6))
def test_what_is_moved_as_a_whole_is_spread_as_before(values: list[int], by: int) -> None:
    first, moved = baseline(values), baseline([each + by for each in values])
    assert first is not None
    assert moved is not None
    assert (moved.median, moved.spread) == (first.median + by, first.spread)


@given(VALUES, st.integers(0, 10**9), st.integers(0, 10**6))
def test_more_is_never_less_unusual(values: list[int], value: int, floor: int) -> None:
    usual = baseline(values)
    assert usual is not None
    order = [Verdict.USUAL, Verdict.NEAR, Verdict.OFF]
    assert order.index(usual.verdict(value, floor)) <= order.index(usual.verdict(value + 1, floor))
    assert usual.verdict(usual.median, floor) is Verdict.USUAL
    assert usual.verdict(usual.median + floor, floor) is not Verdict.OFF


@given(st.lists(st.integers(0, 100), min_size=LEAST_HOURS, max_size=60), st.integers(10**6, 10**9))
def test_one_bad_hour_of_many_hardly_moves_what_is_usual(values: list[int], bad: int) -> None:
    usual = baseline([*values, bad])
    assert usual is not None
    assert usual.median <= 100
    assert usual.verdict(bad, 0) is Verdict.OFF


def test_too_few_hours_have_no_usual() -> None:
    assert baseline([5] * (LEAST_HOURS - 1)) is None


@pytest.mark.parametrize(
    ("hours", "longest"),
    [
        (range(24), 1),
        (range(0, 48, 2), 2),
        (range(23), None),
        (range(0, 24 * 9, 24), 24),
        (range(0, 24 * 8, 24), None),
        ([*range(8), *range(24, 32), *range(24 * 9, 24 * 9 + 8)], 24 * 9 - 31),
        ([0], None),
        ([], None),
    ],
    ids=["steady", "every-other-hour", "too-short", "daily", "not-a-week-yet", "with-a-week-off", "once", "never"],
)
def test_a_rhythm_is_known_from_enough_of_it(hours: list[int], longest: int | None) -> None:
    assert longest_pause_h([each * HOUR for each in hours]) == longest


@given(st.integers(1, 10_000))
def test_a_pause_as_long_as_ever_is_no_silence(longest: int) -> None:
    assert may_be_silent_h(longest) > longest or longest == 1
    assert may_be_silent_h(longest) >= longest


def test_hours_of_which_nothing_is_known_are_not_silent() -> None:
    assert silent_h(5 * HOUR, {4 * HOUR, 5 * HOUR, 6 * HOUR, 9 * HOUR}) == 2


@pytest.mark.parametrize(
    ("changes", "is_whole"),
    [
        ({}, True),
        ({"minutes": 49}, False),
        ({"observed": 100, "lost": {"events": 70, "unreadable": 30, "evicted": 900}}, True),
        ({"observed": 100, "lost": {"events": 71, "unreadable": 30}}, False),
        ({"other_rows": 1}, False),
        ({"node_counts": (2, 2)}, True),
        ({"node_counts": (2, 1)}, False),
        ({"node_counts": (1, 1)}, False),
        ({"nodes": 3, "node_minutes": 150}, True),
        ({"nodes": 3, "node_minutes": 149}, False),
    ],
)
def test_an_hour_is_whole_when_every_node_told_most_of_it(changes: dict[str, object], is_whole: bool) -> None:
    made_at = [0, 9 * HOUR, 11 * HOUR]
    assert whole([replace(TOLD, **changes)], made_at) == ({TOLD.hour} if is_whole else frozenset())  # type: ignore[arg-type]  # fields by name
