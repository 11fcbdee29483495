"""Sessions of people who signed in with a browser, as values."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from periplus_hub.access.model_people import Person

BEGUN_FOR: Final = timedelta(minutes=10)
"""So long a sign-in may take from leaving for the issuer to coming back."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """A session ends when it was not used for `idle`, and at the latest after `longest`."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Session:
    """Who signed in, without the secret in the cookie. `groups` are those of their groups that had a role then."""

    id: UUID
    tenant_id: UUID
    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...]
    signed_in_at: datetime
    last_seen_at: datetime
    idle_ends_at: datetime
    ends_at: datetime
    ended_at: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it is accepted at `now`."""
        return self.ended_at is None and now < self.idle_ends_at and now < self.ends_at

    @property
    def person(self) -> Person:
        """As the issuer described them when they signed in."""
        return Person(self.issuer, self.subject, self.name, frozenset(self.groups))
