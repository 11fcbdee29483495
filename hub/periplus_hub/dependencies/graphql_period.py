"""The time that a question about flows is about, and how much of it is known."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_coverage
from periplus_hub.dependencies.edge_columns import hour_of
from periplus_hub.dependencies.model import Coverage, EdgeFilter
from periplus_hub.flows.model import HOUR_S
from periplus_hub.kit.errors import Invalid

MOST_HOURS: Final = 2_200
"""That are told one by one: a quarter of a year."""
DEFAULT_PERIOD: Final = timedelta(hours=24)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was told of flows before; and what is reckoned from a time has to stay one."""

Since = Annotated[
    datetime | None,
    strawberry.argument(description="From the hour of this time on; null is a day before `until`."),
]
Until = Annotated[datetime | None, strawberry.argument(description="Up to this time; null is now.")]


def period(info: Info, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """From when until when, neither in the future; raises Invalid where nothing lies between."""
    last = max(_EARLIEST, min(until or info.context.now, info.context.now))
    first = last - DEFAULT_PERIOD if since is None else max(_EARLIEST, since)
    if first >= last:
        raise Invalid("the asked time is empty", "Let `since` be before `until`, and in the past.")
    return first, last


def hours_of(asked: EdgeFilter) -> range:
    """When each hour of the asked time begins; raises Invalid where these are too many to be told one by one."""
    hours = range(hour_of(asked.since), hour_of(asked.until) + HOUR_S, HOUR_S)
    if len(hours) > MOST_HOURS:
        raise Invalid(f"that are {len(hours):,} hours", f"Ask for {timedelta(hours=MOST_HOURS).days} days at most.")
    return hours


async def coverage_of(info: Info, since: datetime, until: datetime) -> Coverage:
    """How much of the flows of that time is known."""
    return await info.context.read(repository_coverage.coverage_between, since, until, info.context.now)
