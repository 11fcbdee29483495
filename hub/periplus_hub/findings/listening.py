"""Whether silence means anything: a hub that was away itself must not accuse its spokes. Pure: time is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from periplus_hub.fleet.model import CONNECTED_WITHIN

_MISSED: Final = timedelta(seconds=60)
"""Rounds that far apart mean that this process or its database was away in between."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Since when this process looks without a gap, and when it last heard nobody at all."""

    since: datetime
    round_at: datetime
    deaf_at: datetime

    @classmethod
    def next_round(cls, before: "Listening | None", now: datetime, *, heard_nobody: bool) -> "Listening":
        """After one more look at the fleet."""
        if before is None or now - before.round_at > _MISSED:
            return cls(now, now, now)
        return cls(before.since, now, now if heard_nobody else before.deaf_at)

    def hears(self, now: datetime) -> bool:
        """Whether it looked long enough to know of a fleet that is silent."""
        return now - self.since > CONNECTED_WITHIN

    def knows_silence(self, now: datetime) -> bool:
        """Whether somebody was heard for long enough to know who is not."""
        return now - self.deaf_at > CONNECTED_WITHIN
