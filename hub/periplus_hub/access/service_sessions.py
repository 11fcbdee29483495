"""Sessions of people who signed in with a browser: who a cookie stands for, and how sessions begin and end.

The cookie is 32 random bytes; only their sha256 is kept. The person's role is worked out at each look from the groups
that the issuer named when they signed in, and from the settings of now.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from periplus_hub.access import repository_sessions as repository
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.model_people import Person, SignInRefusal
from periplus_hub.access.model_sessions import Session, SessionLimits
from periplus_hub.access.recent_rows import RecentRows
from periplus_hub.access.repository_graphql import tenant_name
from periplus_hub.access.scope import Permission, Role, Scope
from periplus_hub.access.service import audit
from periplus_hub.access.service_people import People
from periplus_hub.access.uses import Uses
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.errors import NotFound
from periplus_hub.kit.ids import new_id, random_token
from periplus_hub.kit.tenancy import EVERY_TENANT

_SECRET_CHARS: Final = 43
_USED_EVERY: Final = timedelta(minutes=1)
_AGAIN: Final = "Sign in again."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that holds, and what its person may do now."""

    session: Session
    scope: Scope


@dataclass(slots=True)
class Sessions:
    """Looks cookies up; a row is read again after five seconds, so its end bites within that in every replica."""

    db: Database
    people: People
    limits: SessionLimits
    refused: Callable[[RefusedAttempt], None] = lambda _refused: None
    _rows: RecentRows[Session] = field(init=False)
    uses: Uses = field(init=False)

    def __post_init__(self) -> None:
        self._rows = RecentRows(self.db.clock, self._read, "sessions")
        self.uses = Uses(self.db, "sessions", self._store_use)

    async def find(self, cookie: str, *, is_use: bool = True) -> SignedIn | None:
        """Whose the cookie is, while its session holds. A look that is no use does not keep a session from its end."""
        session = await self._held(cookie)
        if session is None:
            return None
        try:
            scope, wanting = await self.people.placed(session.person)
        except SignInRefusal as refusal:
            self._refuse(session, refusal.reason)
            return None
        if scope.tenant_id != session.tenant_id:
            self._refuse(session, "roles in another tenant now")
            return None
        if is_use and self.db.clock.now() - session.last_seen_at >= _USED_EVERY:
            self.uses.note(session.id, scope)
        return SignedIn(session, replace(scope, forbidden=partial(self._forbid, scope, wanting)))

    async def open(self, person: Person, scope: Scope, sign_in: str) -> tuple[Session, str]:
        """A new session and its cookie. `sign_in` is the one it came from; raises SignInRefusal the second time."""
        now, secret = self.db.clock.now(), random_token()
        session = Session(
            id=new_id(),
            tenant_id=scope.tenant_id,
            issuer=person.issuer,
            subject=person.subject,
            name=person.shown_name,
            groups=self.people.groups_with_roles(person),
            signed_in_at=now,
            last_seen_at=now,
            idle_ends_at=now + self.limits.idle,
            ends_at=now + self.limits.longest,
            ended_at=None,
        )
        async with self.db.write(scope) as c:
            if not await repository.add_session(c, scope, _row(session, scope, secret, sign_in)):
                raise SignInRefusal("this sign-in was finished already", _AGAIN, reason="sign-in used twice")
            made = {"role": scope.role.value, "ends_at": session.ends_at.isoformat()}
            await audit(c, scope, "access:session:create", "Session", str(session.id), after=made)
        return session, secret

    async def close(self, cookie: str, why: str) -> Session | None:
        """End the session of a cookie, by whoever has it; None: there is none that holds."""
        session = await self._held(cookie)
        if session is None:
            return None
        scope = self._own_scope(session)
        now = self.db.clock.now()
        async with self.db.write(scope) as c:
            if await repository.end_session(c, scope, session.id, now):
                await _audit_end(c, scope, "access:session:end", session.id, now, why=why)
        self._rows.forget(_digest(cookie))
        return session

    async def tenant_name(self, found: SignedIn) -> str:
        """What the person's tenant is called."""
        async with self.db.read(found.scope) as c:
            return await tenant_name(c, found.scope)

    async def _held(self, cookie: str) -> Session | None:
        # What cannot be one of ours asks the database for nothing.
        if len(cookie) != _SECRET_CHARS or not cookie.isascii():
            return None
        session = await self._rows.find(_digest(cookie))
        if session is None:
            self._refuse(None, "unknown session")
            return None
        if session.issuer != self.people.expected.issuer or not self._used(session).holds(self.db.clock.now()):
            return None
        return session

    async def _read(self, digest: str) -> Session | None:
        async with self.db.read(EVERY_TENANT) as c:
            return await repository.system_session_by_sha256(c, digest)

    def _used(self, session: Session) -> Session:
        """With a use that is not stored yet."""
        at = self.uses.last(session.id) or session.last_seen_at
        return replace(session, idle_ends_at=max(session.idle_ends_at, at + self.limits.idle))

    async def _store_use(self, c: WriteConnection, scope: Scope, session_id: UUID, at: datetime) -> None:
        await repository.note_seen(c, scope, session_id, at, at + self.limits.idle)

    def _own_scope(self, session: Session) -> Scope:
        """For ending it: whoever has a session may, whatever their role is by now."""
        return Scope(session.tenant_id, session.person.actor, Role.VIEWER, frozenset())

    def _refuse(self, session: Session | None, reason: str) -> None:
        refused = RefusedAttempt("access:session:refuse", reason)
        if session is not None:
            refused = replace(refused, kind="Session", identity=str(session.id), tenant_id=session.tenant_id)
            refused = replace(refused, actor=session.person.actor)
        self.refused(refused)

    def _forbid(self, scope: Scope, wanting: RefusedAttempt, permission: Permission) -> None:
        self.refused(replace(wanting, reason=f"{scope.role.value} lacks {permission.value}"))


async def revoke_session(c: WriteConnection, scope: Scope, session_id: UUID, *, now: datetime) -> None:
    """End somebody's session; raises NotFound for one that is unknown to the tenant or over."""
    scope.require(Permission.TOKENS_WRITE)
    if not await repository.end_session(c, scope, session_id, now):
        raise NotFound(f"there is no session {session_id} that holds", "List the sessions and take an id from there.")
    await _audit_end(c, scope, "access:session:revoke", session_id, now)


async def _audit_end(
    c: WriteConnection, scope: Scope, action: str, session_id: UUID, now: datetime, *, why: str = ""
) -> None:
    detail = {"why": why} if why else {}
    was, is_now = {"ended_at": None}, {"ended_at": now.isoformat()}
    await audit(c, scope, action, "Session", str(session_id), detail=detail, before=was, after=is_now)


def _row(session: Session, scope: Scope, secret: str, sign_in: str) -> dict[str, object]:
    return {
        "id": session.id,
        "secret_sha256": _digest(secret),
        "sign_in_sha256": _digest(sign_in),
        "issuer": session.issuer,
        "subject": session.subject,
        "name": session.name,
        "role": scope.role.value,
        "groups": list(session.groups),
        "signed_in_at": session.signed_in_at,
        "last_seen_at": session.last_seen_at,
        "idle_ends_at": session.idle_ends_at,
        "ends_at": session.ends_at,
    }


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
