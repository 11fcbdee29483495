"""Which billing legs a byte between two places causes: by the price books of both ends' providers. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from periplus_hub.pricing.model import EVERYWHERE, LegRule, Meter, PathClass, Place, Price, PriceBook, Traffic, Where

_EXACT: Final = 1_000
"""How much closer a whole name is than any beginning of it."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Bytes of one direction at an end that no book has a price for: what they cost there is not known."""

    is_sent_by_initiator: bool
    is_metered_at_initiator: bool
    provider: str
    path_class: PathClass


class Prices:
    """Rows of books by provider and path class, as they hold on a day."""

    def __init__(self, books: Iterable[PriceBook], day: date) -> None:
        self.day = day
        self.by_class: dict[tuple[str, PathClass], list[Price]] = {}
        for price in (price for book in books for price in book.prices if price.is_valid(day)):
            for path_class in price.path_classes:
                self.by_class.setdefault((price.provider, path_class), []).append(price)

    def legs(self, traffic: Traffic, path_class: PathClass) -> tuple[list[LegRule], list[Unpriced]]:
        """Of both directions."""
        found: list[LegRule] = []
        unpriced: list[Unpriced] = []
        for is_sent in (True, False):
            for at_initiator in (True, False):
                here, there = _ends(traffic, at_initiator=at_initiator)
                if here.where is not Where.CLUSTER:
                    continue
                meters = _meters(is_sent=is_sent, at_initiator=at_initiator)
                prices = self.at(here, there, path_class, meters)
                found += [LegRule(is_sent, at_initiator, price) for price in prices]
                if not prices:
                    unpriced.append(Unpriced(is_sent, at_initiator, here.provider, path_class))
        return found, unpriced

    def at(self, here: Place, there: Place, path_class: PathClass, meters: Collection[Meter]) -> Sequence[Price]:
        """Of each SKU at these meters of the end `here` the price that is closest to the regions of both."""
        closest: dict[tuple[str, Meter], tuple[int, Price]] = {}
        for price in self.by_class.get((here.provider, path_class), ()):
            if price.meter not in meters:
                continue
            near = _nearness(price.regions, here.region), _nearness(price.peers, there.region)
            if None in near:
                continue
            rank = 2 * _EXACT * (near[0] or 0) + (near[1] or 0)
            key = price.sku, price.meter
            if key not in closest or closest[key][0] < rank:
                closest[key] = rank, price
        return [price for _, price in closest.values()]


def _ends(traffic: Traffic, *, at_initiator: bool) -> tuple[Place, Place]:
    ends = traffic.initiator, traffic.acceptor
    return ends if at_initiator else (ends[1], ends[0])


def _meters(*, is_sent: bool, at_initiator: bool) -> Collection[Meter]:
    """Which meters count bytes at this end that the initiator sent, or got."""
    of_direction = Meter.SENDER if is_sent is at_initiator else Meter.RECEIVER
    of_role = Meter.INITIATOR if at_initiator else Meter.ACCEPTOR
    return {of_direction, of_role}


def _nearness(patterns: Iterable[str], region: str) -> int | None:
    """How close the closest of these names of regions, which may end with `*`, is; None where none is this region."""
    near = [
        _EXACT if pattern == region else len(pattern) - 1
        for pattern in patterns
        if pattern == region or (pattern.endswith(EVERYWHERE) and region.startswith(pattern[:-1]))
    ]
    return max(near, default=None)
