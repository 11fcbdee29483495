import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.kit.backoff import Backoff, spread
from periplus_spoke.kit.ids import uuid7


@given(seed=st.integers(), count=st.integers(1, 50))
def test_waits_stay_between_a_second_and_a_minute(seed: int, count: int) -> None:
    backoff = Backoff(random.Random(seed))
    assert all(1 <= backoff.next_s() <= 60 for _ in range(count))


def test_waits_grow_and_start_again_after_a_success() -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.next_s() for _ in range(30)]
    assert max(waits) > 30
    backoff.reset()
    assert backoff.next_s() <= 3


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        (1e9, 150, 450),
        (float("inf"), 150, 450),
        (10, 5, 15),
        (1, 0.5, 1.5),
        (-5, 1, 60),
        (0, 1, 60),
        (float("nan"), 1, 60),
    ],
)
def test_retry_after_is_capped_and_spread(asked: float, low: float, high: float) -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.next_s(asked) for _ in range(100)]
    assert all(low <= wait <= high for wait in waits)
    assert asked >= 1 or max(waits) > 30, "it is not asked faster than one that says nothing"


def test_a_spread_moves_both_ways() -> None:
    rng = random.Random(1)
    assert {spread(10, rng) < 10 for _ in range(50)} == {True, False}


@given(now=st.integers(0, 2**47), earlier=st.integers(0, 2**47), seed=st.integers())
def test_a_later_id_sorts_later_even_when_the_clock_stepped_back(now: int, earlier: int, seed: int) -> None:
    rng = random.Random(seed)
    first = uuid7(earlier, rng)
    second = uuid7(now, rng, after=first)
    assert str(UUID(first)) == first
    assert str(UUID(second)) == second
    assert second > first
    assert second[14] == "7"
