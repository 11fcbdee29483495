"""Exact arithmetic of money and quantities. Pure: nothing here rounds unless its name says so."""

from collections.abc import Hashable, Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from typing import Final, TypeVar

EXACT: Final = Context(prec=400, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation, Overflow])
"""Raises where a result would not be exact, which none is that a quantity of bytes and a price have."""

K = TypeVar("K", bound=Hashable)


def quantity_of(bytes_: int, unit_bytes: int) -> Decimal:
    """Units that these bytes are: exact, since units are powers of two and ten."""
    return EXACT.divide(Decimal(bytes_), Decimal(unit_bytes))


def cost_of(bytes_: int, unit_bytes: int, price: Decimal) -> Decimal:
    """What they cost at a price for each unit."""
    return EXACT.multiply(quantity_of(bytes_, unit_bytes), price)


def total(parts: Sequence[Decimal]) -> Decimal:
    """Their sum."""
    found = Decimal(0)
    for part in parts:
        found = EXACT.add(found, part)
    return found


def plain(number: Decimal) -> str:
    """Without exponent and without zeros at its end."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def shown(number: Decimal, places: int = 2) -> Decimal:
    """Rounded for display, a half to the even digit."""
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN, context=Context(prec=400))


def shares(whole: int, weights: Mapping[K, int | Fraction]) -> dict[K, int]:
    """`whole` in whole parts proportional to the weights, by the largest remainder; ties by name.

    The parts add up to the whole. Where all weights are 0 the whole is divided evenly. Raises ValueError of nobody.
    """
    if not weights:
        msg = "there is nobody to share among"
        raise ValueError(msg)
    everything = sum((Fraction(each) for each in weights.values()), Fraction(0))
    exact = {
        key: Fraction(whole) * Fraction(weight) / everything if everything else Fraction(whole, len(weights))
        for key, weight in weights.items()
    }
    found = {key: value.numerator // value.denominator for key, value in exact.items()}
    left = whole - sum(found.values())
    by_remainder = sorted(exact, key=lambda key: (found[key] - exact[key], str(key)))
    for key in by_remainder[:left]:
        found[key] += 1
    return found


def shares_of_money(whole: Decimal, weights: Mapping[K, int | Fraction], places: int) -> dict[K, Decimal]:
    """Money in parts of so many places that add up to the whole, which has to have no more places itself."""
    units = EXACT.scaleb(whole, places)
    if units != units.to_integral_value(context=EXACT):
        msg = f"{plain(whole)} has more than {places} places"
        raise ValueError(msg)
    parts = shares(int(units), weights)
    return {key: EXACT.scaleb(Decimal(part), -places) for key, part in parts.items()}
