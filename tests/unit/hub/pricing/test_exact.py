"""Parts add up to the whole, to the last digit."""

from decimal import Decimal, Inexact
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.pricing.engine.attribution import Split, shared_quantity, trued_up
from periplus_hub.pricing.engine.exact import EXACT, cost_of, plain, shares, shares_of_money, shown, total

weights = st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 10**15), min_size=1, max_size=8)


@given(st.integers(-(10**18), 10**18), weights)
def test_shares_add_up_and_are_fair(whole: int, given_weights: dict[str, int]) -> None:
    found = shares(whole, given_weights)
    assert sum(found.values()) == whole
    everything = sum(given_weights.values())
    for key, weight in given_weights.items():
        exact = Fraction(whole * weight, everything) if everything else Fraction(whole, len(given_weights))
        assert abs(found[key] - exact) < 1


@given(st.decimals(-(10**9), 10**9, places=2), weights)
def test_money_is_shared_to_the_cent(whole: Decimal, given_weights: dict[str, int]) -> None:
    assert total([*shares_of_money(whole, given_weights, 2).values()]) == whole


def test_money_with_more_places_than_its_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="has more than 2 places"):
        shares_of_money(Decimal("0.001"), {"a": 1}, 2)


def test_nobody_shares_nothing() -> None:
    with pytest.raises(ValueError, match="nobody"):
        shares(1, {})


def test_fixed_shares_are_one_together() -> None:
    assert shared_quantity(Decimal(730), {"a": Fraction(1, 4), "b": Fraction(3, 4)}, Split.FIXED) == {
        "a": Decimal("182.5"),
        "b": Decimal("547.5"),
    }
    with pytest.raises(ValueError, match="not 1 together"):
        shared_quantity(Decimal(1), {"a": Fraction(1, 2)}, Split.FIXED)


def test_even_shares_take_no_weights() -> None:
    assert shared_quantity(Decimal(1), {"a": 9, "b": 1}, Split.EVEN) == {"a": Decimal("0.5"), "b": Decimal("0.5")}


def test_nothing_computed_divides_no_invoice() -> None:
    with pytest.raises(ValueError, match="nothing was computed"):
        trued_up({"a": Decimal(0)}, Decimal("1.00"))


def test_what_is_not_exact_is_an_error() -> None:
    with pytest.raises(Inexact):
        EXACT.divide(Decimal(1), Decimal(3))
    assert cost_of(1, 2**30, Decimal("0.01")) * 2**30 == Decimal("0.01")


@pytest.mark.parametrize(
    ("number", "text"), [("1E+3", "1000"), ("1.50", "1.5"), ("-0.0", "0"), ("0.00000001", "0.00000001")]
)
def test_numbers_have_no_exponent(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


@pytest.mark.parametrize(("number", "cents"), [("0.125", "0.12"), ("0.135", "0.14"), ("2.675", "2.68")])
def test_halves_are_shown_even(number: str, cents: str) -> None:
    assert str(shown(Decimal(number))) == cents
