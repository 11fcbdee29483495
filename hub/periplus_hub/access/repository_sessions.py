"""Statements of the sessions of people who signed in with a browser."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select, update

from periplus_hub.access.model_sessions import Session
from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.access.tables import sessions
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.purge import Stale

_SESSION: Final = [
    sessions.c[name]
    for name in (
        "id",
        "tenant_id",
        "issuer",
        "subject",
        "name",
        "groups",
        "signed_in_at",
        "last_seen_at",
        "idle_ends_at",
        "ends_at",
        "ended_at",
    )
]


async def system_session_by_sha256(c: ReadConnection, digest: str) -> Session | None:
    """The session of a cookie: the asker is nobody until this matched."""
    row = await c.one_or_none(select(*_SESSION).where(sessions.c.secret_sha256 == digest))
    return None if row is None else Session(**row._mapping)


async def add_session(c: WriteConnection, scope: Scope, values: Mapping[str, Any]) -> bool:
    """Store a new one; False when its sign-in made one already."""
    statement = insert_owned(scope, sessions, values).on_conflict_do_nothing(index_elements=["sign_in_sha256"])
    return (await c.execute(statement)).rowcount > 0


async def note_seen(c: WriteConnection, scope: Scope, session_id: UUID, at: datetime, idle_ends_at: datetime) -> None:
    """Remember when it was used last. Another replica may have noted a later use, and an ended one stays ended."""
    mine = (owned(scope, sessions), sessions.c.id == session_id, sessions.c.ended_at.is_(None))
    change = update(sessions).where(*mine, sessions.c.last_seen_at < at)
    await c.execute(change.values(last_seen_at=at, idle_ends_at=idle_ends_at))


async def end_session(c: WriteConnection, scope: Scope, session_id: UUID, at: datetime) -> bool:
    """End one that was not ended; False when there is none."""
    mine = (owned(scope, sessions), sessions.c.id == session_id, sessions.c.ended_at.is_(None))
    return (await c.execute(update(sessions).where(*mine).values(ended_at=at))).rowcount > 0


def ended_before(scope: Scope, before: datetime) -> Sequence[Stale]:
    """Those that are over for that long, however they ended."""
    over = or_(sessions.c.ended_at < before, sessions.c.ends_at < before, sessions.c.idle_ends_at < before)
    return [(sessions, owned(scope, sessions) & over)]
