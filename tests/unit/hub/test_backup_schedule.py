"""When a backup was last due, as cron has it."""

import re
from datetime import UTC, datetime

import pytest

from periplus_hub.backups.model_schedule import read_schedule

NOW = datetime(2026, 3, 4, 10, 17, 30, tzinfo=UTC)
"""A Wednesday."""


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("0 2 * * *", (2026, 3, 4, 2, 0)),
        ("17 10 * * *", (2026, 3, 4, 10, 17)),
        ("18 10 * * *", (2026, 3, 3, 10, 18)),
        ("*/15 * * * *", (2026, 3, 4, 10, 15)),
        ("5/20 9-17/2 * * *", (2026, 3, 4, 9, 45)),
        ("0 2,14 * * *", (2026, 3, 4, 2, 0)),
        ("0 2 * * 0", (2026, 3, 1, 2, 0)),
        ("0 2 * * 7", (2026, 3, 1, 2, 0)),
        ("0 2 * * 1-5", (2026, 3, 4, 2, 0)),
        ("0 2 1 * *", (2026, 3, 1, 2, 0)),
        ("0 2 1 * 2", (2026, 3, 3, 2, 0)),  # the first of the month or a Tuesday
        ("0 2 1-7 * */2", (2026, 3, 3, 2, 0)),  # both, as cron has it where one begins with *
        ("0 2 31 12 *", (2025, 12, 31, 2, 0)),
        ("0 2 29 2 *", (2024, 2, 29, 2, 0)),
        ("@hourly", (2026, 3, 4, 10, 0)),
        ("@daily", (2026, 3, 4, 0, 0)),
        ("@weekly", (2026, 3, 1, 0, 0)),
        ("@monthly", (2026, 3, 1, 0, 0)),
    ],
)
def test_the_last_time(text: str, last: tuple[int, ...]) -> None:
    found = read_schedule(text).last(NOW)
    assert found is not None
    assert (found.year, found.month, found.day, found.hour, found.minute) == last


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 2 * *", "has 4 fields, and a schedule has five: minute, hour"),
        ("", "has 0 fields"),
        ("@yearly-ish", "has 1 fields"),
        ("60 2 * * *", "the minute '60' is not within 0 to 59"),
        ("0 24 * * *", "the hour '24' is not within 0 to 23"),
        ("0 5-2 * * *", "the hour '5-2' is not within"),
        ("*/0 * * * *", "the minute '*/0' is not within"),
        ("0 2 0 * *", "the day of the month '0' is not within 1 to 31"),
        ("0 2 * * mon", "the weekday 'mon' cannot be read: write a number"),
        ("0 2 30 2 *", "is never: no month has that day"),
        ("0,,5 2 * * *", "the minute '' cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_schedule(text)
