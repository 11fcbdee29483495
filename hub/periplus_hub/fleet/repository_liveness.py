"""What every word of a spoke tells about it: that it lives, how its clock stands, how much it still holds."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, or_, update

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import WriteConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One word of a spoke. `skew_ms` is spoke minus hub.

    A batch may have waited long before it was sent, so what it says of the clock is only a lower bound (`exact`
    False): it can show that a clock is ahead, never that it is behind.
    """

    at: datetime
    epoch: UUID
    skew_ms: int
    exact: bool
    spoke_version: str | None = None
    queued_batches: int | None = None
    queued_bytes: int | None = None


async def touch(c: WriteConnection, scope: Scope, registration_id: UUID, heard: Heard) -> None:
    """Write it down."""
    known = registrations.c.clock_skew_ms
    values: dict[str, object] = {"last_seen_at": func.greatest(registrations.c.last_seen_at, heard.at)}
    values["epoch"] = func.greatest(registrations.c.epoch, heard.epoch)
    if heard.exact:
        values["clock_skew_ms"] = heard.skew_ms
    elif heard.skew_ms > 0:
        values["clock_skew_ms"] = case((or_(known.is_(None), known < heard.skew_ms), heard.skew_ms), else_=known)
    for name in ("spoke_version", "queued_batches", "queued_bytes"):
        value = getattr(heard, name)
        if value is not None:
            values[name] = value
    mine = registrations.c.id == registration_id
    await c.execute(update(registrations).where(owned(scope, registrations), mine).values(**values))
