"""Whether silence means anything: a hub that was away itself must not accuse its spokes. Pure: time is an argument."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from periplus_hub.fleet.model import CONNECTED_WITHIN, Registration, State

_MISSED: Final = timedelta(seconds=60)
"""Rounds that far apart mean that this process or its database was away in between."""
_A_FLEET: Final = 2
"""Of one cluster nobody can say whether it or everything is silent."""


def heard_at(registration: Registration) -> datetime:
    """When its spoke last spoke; of one that never did, since when it could."""
    return registration.last_seen_at or registration.approved_at or registration.created_at


def is_nobody_heard(registrations: Sequence[Registration], now: datetime) -> bool:
    """Whether no active cluster of several has spoken lately."""
    heard = [heard_at(registration) for registration in registrations if registration.state is State.ACTIVE]
    return len(heard) >= _A_FLEET and now - max(heard) > CONNECTED_WITHIN


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
