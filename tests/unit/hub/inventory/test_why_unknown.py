"""Unknown is not nobody: the reason says which."""

from datetime import datetime, timedelta

import pytest

from periplus_hub.inventory.model import why_unknown

from tests.support.clock import START

NOW = START + timedelta(days=100)
DAYS = 35
KEPT = NOW - timedelta(days=DAYS)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("at", "first_at", "word"),
    [
        (NOW, None, "no cluster told its inventory"),
        (KEPT - SECOND, START, f"{DAYS} days are kept"),
        (KEPT - SECOND, KEPT, f"{DAYS} days are kept"),
        (NOW - SECOND, NOW, "the first inventory is of"),
        (NOW, START, "nothing known had"),
        (KEPT, START, "nothing known had"),
    ],
)
def test_the_reason_is_the_true_one(at: datetime, first_at: datetime | None, word: str) -> None:
    reason = why_unknown("10.0.0.1 in any network domain", at, NOW, first_at, kept_days=DAYS)
    assert word in reason
    assert "10.0.0.1" in reason
