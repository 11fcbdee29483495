"""Lists of the access slice as GraphQL pages through them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, cast, select
from sqlalchemy.dialects.postgresql import JSONB

from periplus_hub.access import tables
from periplus_hub.access.model import AuditPeriod
from periplus_hub.access.scope import Permission, Scope, owned
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.keyset import Listing, id_column, plain

_tokens: Final = tables.api_tokens
_sessions: Final = tables.sessions
_events: Final = tables.audit_events


def _tokens_of(scope: Scope, _asked: object) -> Sequence[ColumnElement[bool]]:
    scope.require(Permission.TOKENS_WRITE)
    return [owned(scope, _tokens)]


def _sessions_of(scope: Scope, held_at: datetime | None) -> Sequence[ColumnElement[bool]]:
    """Those that hold at this time; None: also those that are over and not forgotten yet."""
    scope.require(Permission.TOKENS_WRITE)
    if held_at is None:
        return [owned(scope, _sessions)]
    holds = (_sessions.c.ended_at.is_(None), _sessions.c.idle_ends_at > held_at, _sessions.c.ends_at > held_at)
    return [owned(scope, _sessions), *holds]


def _events_of(scope: Scope, asked: AuditPeriod | None) -> Sequence[ColumnElement[bool]]:
    scope.require(Permission.TOKENS_WRITE)
    where = [owned(scope, _events)]
    if asked is not None and asked.since is not None:
        where.append(_events.c.at >= asked.since)
    if asked is not None and asked.until is not None:
        where.append(_events.c.at < asked.until)
    return where


TOKENS: Final = Listing[Scope](
    name="api_tokens",
    source=_tokens,
    columns=[
        id_column("ApiToken", _tokens.c.id),
        *plain(_tokens, "name", "role", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at"),
    ],
    order=[_tokens.c.created_at, _tokens.c.id],
    where=_tokens_of,
    descending=True,
)
SESSIONS: Final = Listing[Scope](
    name="sessions",
    source=_sessions,
    columns=[
        id_column("Session", _sessions.c.id),
        *plain(_sessions, "name", "subject", "issuer", "role", "signed_in_at", "last_seen_at"),
        *plain(_sessions, "idle_ends_at", "ends_at", "ended_at"),
    ],
    order=[_sessions.c.signed_in_at, _sessions.c.id],
    where=_sessions_of,
    descending=True,
)
EVENTS: Final = Listing[Scope](
    name="audit_events",
    source=_events,
    columns=[
        id_column("AuditEvent", _events.c.id),
        *plain(_events, "at", "actor", "action", "object_kind", "address", "request_id"),
        _events.c.object_kind.concat(":").concat(_events.c.object_id).label("object_id"),
        *(cast(_events.c[name], JSONB).label(name) for name in ("detail", "before", "after")),
    ],
    order=[_events.c.at, _events.c.id],
    where=_events_of,
    descending=True,
)


async def tokens_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """For loaders: those that exist, by id."""
    return await TOKENS.named(c, scope, _tokens.c.id, ids)


async def token_row(c: ReadConnection, scope: Scope, token_id: UUID) -> Any | None:  # noqa: ANN401 - a row
    """One token's row for `node` and mutation results."""
    return await TOKENS.one(c, scope, _tokens.c.id == token_id)


async def sessions_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """For loaders: those that exist, by id."""
    return await SESSIONS.named(c, scope, _sessions.c.id, ids)


async def session_row(c: ReadConnection, scope: Scope, session_id: UUID) -> Any | None:  # noqa: ANN401 - a row
    """One session's row for mutation results."""
    return await SESSIONS.one(c, scope, _sessions.c.id == session_id)


async def events_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """For loaders: those that exist, by id."""
    return await EVENTS.named(c, scope, _events.c.id, ids)


async def tenant_name(c: ReadConnection, scope: Scope) -> str:
    """What the asker's tenant is called."""
    table = tables.tenants
    return str(await c.scalar(select(table.c.name).where(table.c.id == scope.tenant_id)))
