"""Tenants and tokens as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

DEFAULT_TENANT: Final = "default"
"""Whom a hub works for that was never told of another."""
MAX_TENANT_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who shares a hub with others and sees nothing of them."""

    id: UUID
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A person's token, without its secret. `prefix` is its public part, fit for logs."""

    id: UUID
    name: str
    role: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it is accepted at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class RefusedAttempt:
    """Somebody tried what did not hold. `reason` is in our words and never theirs.

    Without a tenant nobody knows whose it is; without an identity it is about no object that is known.
    """

    action: str
    reason: str
    kind: str = ""
    identity: str = ""
    tenant_id: UUID | None = None
    actor: str = ""
    """Who it was, as the trail names people; empty is a stranger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPeriod:
    """Events from `since` on and before `until`; None is without an end."""

    since: datetime | None = None
    until: datetime | None = None
