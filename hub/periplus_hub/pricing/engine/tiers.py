"""Prices with tiers: which bytes of a month are charged at which price. Pure."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Generic, TypeVar

from periplus_hub.pricing.engine.exact import cost_of, quantity_of, shares
from periplus_hub.pricing.model import Price, TierMode

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Charge(Generic[K]):
    """Bytes of somebody in one tier of a price. Tier 0 is what a free pool pays."""

    key: K
    price: Price
    tier: int
    bytes: int
    unit_price: Decimal

    @property
    def quantity(self) -> Decimal:
        """In units of the price, exact."""
        return quantity_of(self.bytes, self.price.unit_bytes)

    @property
    def cost(self) -> Decimal:
        """Exact, and not rounded."""
        return cost_of(self.bytes, self.price.unit_bytes, self.unit_price)


def charges(price: Price, used: Mapping[K, int], *, mode: TierMode, before: int = 0, free: int = 0) -> list[Charge[K]]:
    """What each pays for its bytes of a month, in order of time where that matters.

    `before`: bytes that others, whom this is not about, used of the tiers; `free`: bytes that a free pool pays for.
    """
    rooms = [free, *_rooms(price, before)]
    spread = _averaged if mode is TierMode.AVERAGE else _in_order
    prices = [Decimal(0), *(tier.price for tier in price.tiers)]
    found = [
        Charge(key, price, tier, part, prices[tier])
        for tier, parts in enumerate(spread(used, rooms))
        for key, part in parts.items()
        if part
    ]
    # Who used nothing at all is told, too: 0 is known of them.
    lone = [key for key, each in used.items() if not each]
    return found + [Charge(key, price, 1, 0, prices[1]) for key in lone]


def pool_shares(pool: int, used: Mapping[K, int]) -> dict[K, int]:
    """How many bytes a free pool pays for of each that has used so many: in proportion, and never more than that."""
    everything = sum(used.values())
    return shares(min(pool, everything), used) if everything else dict.fromkeys(used, 0)


def _rooms(price: Price, before: int) -> Iterable[int | None]:
    """How many bytes each tier has room for after those; None is any number."""
    for tier in price.tiers:
        if tier.quantity is None:
            yield None
            continue
        room = int(tier.quantity * price.unit_bytes)
        taken = min(room, before)
        before -= taken
        yield room - taken


def _averaged(used: Mapping[K, int], rooms: Sequence[int | None]) -> Iterable[dict[K, int]]:
    """Of each tier the same share of what each has left: both tiers and users add up."""
    left = dict(used)
    for room in rooms:
        whole = sum(left.values())
        part = whole if room is None else min(room, whole)
        parts = shares(part, left) if whole else dict.fromkeys(left, 0)
        left = {key: each - parts[key] for key, each in left.items()}
        yield parts


def _in_order(used: Mapping[K, int], rooms: Sequence[int | None]) -> Iterable[dict[K, int]]:
    """Each tier is filled by those who come first."""
    left = dict(used)
    for room in rooms:
        ends = accumulate(left.values())
        whole = sum(left.values())
        most = whole if room is None else room
        parts = {
            key: max(0, min(each, most - (end - each))) for (key, each), end in zip(left.items(), ends, strict=True)
        }
        left = {key: each - parts[key] for key, each in left.items()}
        yield parts
