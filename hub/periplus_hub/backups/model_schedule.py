"""When backups are due: five fields as cron and a CronJob of Kubernetes have them, in UTC. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_NAMED: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_PART: Final = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")
_LONGEST: Final = timedelta(days=9 * 366)
"""29 February may be eight years away."""
_AFTER_A_LEAP_DAY: Final = datetime(2032, 12, 31, 23, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes, hours, days, months and weekdays (0 is Sunday) at which something is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Days and weekdays are both given: then one of the two is enough, as cron has it."""

    def last(self, now: datetime) -> datetime | None:
        """When it was last due, at `now` or before; None where that was never."""
        earliest = now - _LONGEST
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        while day > earliest:
            if self._has_day(day):
                for moment in self._moments(day):
                    if moment <= now:
                        return moment
            day -= timedelta(days=1)
        return None

    def _has_day(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either else in_month and in_week

    def _moments(self, day: datetime) -> Iterator[datetime]:
        """Of one day, the latest first."""
        for hour in sorted(self.hours, reverse=True):
            for minute in sorted(self.minutes, reverse=True):
                yield day.replace(hour=hour, minute=minute)


def read_schedule(text: str) -> Schedule:
    """Raises ValueError, which says what cannot be read."""
    fields = _NAMED.get(text.strip(), text).split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(name for name, _, _ in _FIELDS)
        raise ValueError(f"{text!r} has {len(fields)} fields, and a schedule has five: {names}, like '0 2 * * *'")
    parts = (_numbers(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True))
    minutes, hours, days, months, weekdays = parts
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    found = Schedule(minutes, hours, days, months, frozenset(each % 7 for each in weekdays), either)
    if found.last(_AFTER_A_LEAP_DAY) is None:
        raise ValueError(f"{text!r} is never: no month has that day")
    return found


def _numbers(field: str, name: str, least: int, most: int) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"the {name} {part!r} cannot be read: write a number, 1-5, */15, or several with commas")
        first, last, step = match.groups()
        begin = least if first is None else int(first)
        end = most if first is None or (last is None and step is not None) else int(last or first)
        if begin < least or end > most or begin > end or step == "0":
            raise ValueError(f"the {name} {part!r} is not within {least} to {most}")
        found.update(range(begin, end + 1, int(step or 1)))
    return frozenset(found)
