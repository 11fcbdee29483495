"""Completeness and quarantine as GraphQL pages through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Text, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import cast

from periplus_hub.access.scope import Scope, owned
from periplus_hub.ingest.tables import outcomes, quarantine
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.identities import Identity, number, unique, word
from periplus_hub.kit.keyset import Listing, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletenessFilter:
    """Hours that begin in [since, until)."""

    registration_ids: tuple[UUID, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


def _of(scope: Scope, only: CompletenessFilter | None) -> Sequence[ColumnElement[bool]]:
    where = [owned(scope, outcomes)]
    if only and only.registration_ids:
        where.append(outcomes.c.registration_id.in_(only.registration_ids))
    if only and only.since:
        where.append(outcomes.c.hour_start >= int(only.since.timestamp()))
    if only and only.until:
        where.append(outcomes.c.hour_start < int(only.until.timestamp()))
    return where


COMPLETENESS_ID: Final = Identity(
    "Completeness",
    (unique(outcomes.c.registration_id), number(outcomes.c.hour_start, digits=12), word(outcomes.c.kind)),
)
COMPLETENESS: Final = Listing[Scope](
    name="outcomes",
    source=outcomes,
    columns=[
        COMPLETENESS_ID.column,
        *plain(outcomes, "registration_id", "kind", "collected", "folded", "settled", "rejected"),
        func.to_timestamp(outcomes.c.hour_start).label("hour_start"),
        cast(outcomes.c.dropped, JSONB).label("dropped_by_reason"),
    ],
    # The hour alone does not tell rows apart, and a page must not end between two that look the same to its cursor.
    order=plain(outcomes, "hour_start", "registration_id", "kind"),
    where=_of,
    parent=outcomes.c.registration_id,
    descending=True,
)


def _quarantine_of(scope: Scope, _asked: object) -> Sequence[ColumnElement[bool]]:
    return [owned(scope, quarantine)]


QUARANTINE_ID: Final = Identity("QuarantineEntry", (unique(quarantine.c.id),))
QUARANTINE: Final = Listing[Scope](
    name="quarantine",
    source=quarantine,
    columns=[
        QUARANTINE_ID.column,
        *plain(quarantine, "registration_id", "agent_id", "kind", "reason", "rows", "seq", "at"),
        cast(quarantine.c.epoch, Text).label("epoch"),
        quarantine.c.detail.label("section"),
        quarantine.c.sample.label("sample_bytes"),
    ],
    order=plain(quarantine, "at", "id"),
    where=_quarantine_of,
    parent=quarantine.c.registration_id,
    descending=True,
)


async def completeness_of_hours(
    c: ReadConnection, scope: Scope, keys: Sequence[UUID], kind: str, hours: range
) -> dict[UUID, dict[int, Row[Any]]]:
    """By cluster, the rows of these hours of which something was told."""
    asked = (
        owned(scope, outcomes),
        one_of(outcomes.c.registration_id, keys),
        outcomes.c.kind == kind,
        outcomes.c.hour_start >= hours.start,
        outcomes.c.hour_start < hours.stop,
    )
    found: dict[UUID, dict[int, Row[Any]]] = {}
    for row in await c.rows(select(*COMPLETENESS.columns, outcomes.c.hour_start.label("hour_s")).where(*asked)):
        found.setdefault(row.registration_id, {})[row.hour_s] = row
    return found


async def completeness_row(c: ReadConnection, scope: Scope, parts: Sequence[str]) -> Row[Any] | None:
    """One hour's row, by the parts of its id."""
    return await COMPLETENESS.one(c, scope, *COMPLETENESS_ID.where(parts))


async def quarantine_row(c: ReadConnection, scope: Scope, parts: Sequence[str]) -> Row[Any] | None:
    """One entry's row, by the parts of its id."""
    return await QUARANTINE.one(c, scope, *QUARANTINE_ID.where(parts))
