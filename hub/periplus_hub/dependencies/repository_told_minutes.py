"""SQL of which minutes of an hour clusters told, and whether what they told is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.flows.model import MINUTE_S, MINUTES_OF_HOUR
from periplus_hub.flows.tables import coverage, hours
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldMinutes:
    """Of one hour."""

    minutes: dict[UUID, frozenset[int]]
    """When each minute begins that a cluster told."""
    is_part_lost: bool
    """The flow store had raw rows of the hour that it does not have any more."""


async def told_minutes(c: ReadConnection, scope: Scope, clusters: Sequence[UUID], hour: int) -> ToldMinutes:
    """Of these clusters."""
    whose = (owned(scope, coverage), one_of(coverage.c.registration_id, clusters), coverage.c.hour == hour)
    rows = await c.rows(select(coverage.c.registration_id, coverage.c.minutes).where(*whose))
    lost = await c.scalar(select(hours.c.raw_lost).where(owned(scope, hours), hours.c.hour == hour))
    return ToldMinutes(
        minutes={
            row.registration_id: frozenset(
                hour + MINUTE_S * bit for bit in range(MINUTES_OF_HOUR) if row.minutes >> bit & 1
            )
            for row in rows
        },
        is_part_lost=bool(lost),
    )
