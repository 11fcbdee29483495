"""Which parts a time has in which one set of prices holds: of months, and between changes of prices. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from periplus_hub.pricing.model import PriceBook


@dataclass(frozen=True, slots=True)
class PricedTime:
    """Part of a UTC month, and the whole of it up to now: tiers count from its first second."""

    since: datetime
    until: datetime
    month_since: datetime
    month_until: datetime


def month_of(moment: datetime) -> datetime:
    """The first second of its UTC month."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(moment: datetime) -> datetime:
    """The first second of the month after."""
    return month_of(month_of(moment) + timedelta(days=32))


def priced_times(since: datetime, until: datetime, now: datetime, books: Iterable[PriceBook]) -> Iterator[PricedTime]:
    """In order."""
    edges = sorted({since, until, *(each for each in _changes(since, until, books) if since < each < until)})
    for first, last in pairwise(edges):
        month = month_of(first)
        yield PricedTime(first, last, month, min(next_month(month), max(now, last)))


def _changes(since: datetime, until: datetime, books: Iterable[PriceBook]) -> Sequence[datetime]:
    """Beginnings of months, and of days on which a price begins or ends."""
    found = []
    month = next_month(since)
    while month < until:
        found.append(month)
        month = next_month(month)
    days = {day for book in books for price in book.prices for day in (price.valid_from, price.valid_until) if day}
    return [*found, *(datetime.combine(day, time(), UTC) for day in days)]
