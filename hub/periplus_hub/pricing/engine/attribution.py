"""Who is to pay: for legs by a policy, for shared charges by weights. Pure."""

from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Final, Protocol, TypeVar

from periplus_hub.pricing.engine.exact import EXACT, shares_of_money
from periplus_hub.pricing.model import Policy

QUANTITY_PLACES: Final = 9
"""Hours and units that are shared are divided to a billionth."""

K = TypeVar("K", bound=Hashable)


class Split(Enum):
    """How a shared charge is divided."""

    EVEN = "even"
    FIXED = "fixed"
    PROPORTIONAL = "proportional"


class Metered(Protocol):
    """Bytes of one direction at the meter of one end."""

    @property
    def is_sent_by_initiator(self) -> bool:
        """Of which direction."""

    @property
    def is_metered_at_initiator(self) -> bool:
        """Of which end."""


def pays_at_initiator(leg: Metered, policy: Policy) -> bool:
    """Whether it is the initiator who pays for this leg, and not the acceptor."""
    if policy is Policy.INITIATOR_PAYS:
        return True
    if policy is Policy.SENDER_PAYS:
        return leg.is_sent_by_initiator
    return leg.is_metered_at_initiator


def shared_quantity(quantity: Decimal, weights: Mapping[K, int | Fraction], split: Split) -> dict[K, Decimal]:
    """Parts of a quantity that add up to it.

    FIXED takes the weights for shares of 1, and raises ValueError where they are not 1 together.
    """
    if split is Split.FIXED and sum((Fraction(each) for each in weights.values()), Fraction(0)) != 1:
        msg = "fixed shares are not 1 together"
        raise ValueError(msg)
    counted = dict.fromkeys(weights, 1) if split is Split.EVEN else weights
    return shares_of_money(quantity, counted, max(QUANTITY_PLACES, _places(quantity)))


def trued_up(computed: Mapping[K, Decimal], invoice: Decimal) -> dict[K, Decimal]:
    """What each pays of an invoice, in proportion to what was computed; in the places that the invoice has.

    The parts add up to the invoice. Raises ValueError where nothing was computed.
    """
    weights = {key: Fraction(each) for key, each in computed.items()}
    if not any(weights.values()):
        msg = "nothing was computed that an invoice could be divided by"
        raise ValueError(msg)
    return shares_of_money(invoice, weights, _places(invoice))


def scaled(computed: Mapping[K, Decimal], whole: Decimal) -> dict[K, Fraction]:
    """The same before it is rounded."""
    everything = sum((Fraction(each) for each in computed.values()), Fraction(0))
    return {key: Fraction(each) * Fraction(whole) / everything for key, each in computed.items()}


def canonical_bytes(observed: Sequence[int]) -> int:
    """What passed one way, of several that saw the same: no observer sees more than there was."""
    return max(observed)


def _places(number: Decimal) -> int:
    exponent = EXACT.plus(number).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
