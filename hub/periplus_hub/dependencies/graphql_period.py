"""The time that a question about flows is about, and how much of it is known."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_coverage, repository_told
from periplus_hub.dependencies.edge_columns import ends_at, hour_of
from periplus_hub.dependencies.engine.flow_values import whole_days
from periplus_hub.dependencies.model import Coverage
from periplus_hub.flows import repository_days
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.model import DAY_S, HOUR_S, Span, day_of
from periplus_hub.kit.errors import Invalid

MOST_POINTS: Final = 2_200
"""That are told one by one: a quarter of a year in hours, or six years in days."""
DEFAULT_PERIOD: Final = timedelta(hours=24)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was told of flows before; and what is reckoned from a time has to stay one."""

Since = Annotated[
    datetime | None,
    strawberry.argument(
        description="From the hour of this time on, or of its UTC day where hours are not kept any more; null is a "
        "day before `until`."
    ),
]
Until = Annotated[datetime | None, strawberry.argument(description="Up to this time; null is now.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The time that is asked about."""

    since: datetime
    until: datetime
    days_until: int
    """As `EdgeFilter.days_until`."""
    made_until: int
    """Up to when days are made, so that they can be asked for instead of hours."""
    kept_from: int
    """Before then nothing is kept, not even of whole days."""
    spans: tuple[Span, ...]
    """As `EdgeFilter.spans`."""


async def period(info: Info, since: datetime | None, until: datetime | None) -> Period:
    """From when until when, neither in the future; raises Invalid where nothing lies between.

    Where hours are not kept it begins, and ends, with a UTC day.
    """
    now = info.context.now
    last = max(_EARLIEST, min(until or now, now))
    first = last - DEFAULT_PERIOD if since is None else max(_EARLIEST, since)
    if first >= last:
        raise Invalid("the asked time is empty", "Let `since` be before `until`, and in the past.")
    config = info.context.setting(FlowsConfig)
    days = await info.context.read(repository_days.days_answer, int(now.timestamp()), config.flow_hourly_days)
    asked = Period(
        since=first,
        until=last,
        days_until=days.needed_until,
        made_until=days.made_until,
        kept_from=day_of(int(now.timestamp()) - config.flow_daily_days * DAY_S),
        spans=days.spans,
    )
    return _in_days(asked, days.needed_until)


def in_steps(time: Period) -> tuple[Period, range]:
    """The time point by point, and when each begins: hours, or whole days where hours are too many or not kept.

    Raises Invalid where days are too many, too.
    """
    hours = range(hour_of(time.since), ends_at(time.until), HOUR_S)
    if hours.start >= time.days_until and len(hours) <= MOST_POINTS:
        return time, hours
    whole = replace(_in_days(time, hours.stop), days_until=time.made_until)
    days = range(hour_of(whole.since), ends_at(whole.until), DAY_S)
    if len(days) > MOST_POINTS:
        raise Invalid(f"that are {len(days):,} days", f"Ask for {MOST_POINTS:,} at most.")
    return whole, days


def _in_days(time: Period, until_s: int) -> Period:
    """What lies before then in whole days."""
    first, last = hour_of(time.since), ends_at(time.until)
    since = datetime.fromtimestamp(day_of(first), UTC) if first < until_s else time.since
    until = datetime.fromtimestamp(day_of(last - 1) + DAY_S - 1, UTC) if last <= until_s else time.until
    return replace(time, since=since, until=until)


async def coverage_of(info: Info, time: Period) -> Coverage:
    """How much of the flows of that time is known."""
    key = (time.since, time.until, time.days_until)
    found = cast("Coverage", await info.context.load(repository_coverage.coverages, key, info.context.now))
    return replace(found, kept_from=time.kept_from) if time.since.timestamp() < time.kept_from else found


async def told_steps(info: Info, clusters: Sequence[UUID], steps: range) -> Container[int]:
    """The steps that any of these clusters told (any at all, where none is named); of days, those told in each hour."""
    hours = await info.context.read(repository_told.hours_told, clusters, steps.start, steps.stop)
    if steps.step == HOUR_S:
        return hours
    of_days = await info.context.read(repository_told.hours_of_days_told, clusters, steps.start, steps.stop)
    over_s = min(steps.stop, int(info.context.now.timestamp()))
    return whole_days(steps, hours, of_days, over_s)
