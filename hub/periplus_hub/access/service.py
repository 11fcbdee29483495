"""Authenticating people, managing their tokens, and writing the audit trail.

A token is `ppt_<8 characters>_<secret>`. The part before the last underscore is public and finds the row; of the secret
only the sha256 is kept, which is enough for 256 random bits.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from periplus_contract.names import ALLOWED, why_no_name
from periplus_hub.access import repository
from periplus_hub.access.model import ApiToken, RefusedAttempt
from periplus_hub.access.model_people import SignInRefusal
from periplus_hub.access.recent_rows import RecentRows
from periplus_hub.access.scope import Permission, Role, Scope, role_scope
from periplus_hub.access.service_people import People, looks_signed
from periplus_hub.access.uses import Uses
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.errors import Invalid, NotFound
from periplus_hub.kit.ids import new_id, random_token
from periplus_hub.kit.tenancy import EVERY_TENANT

_SCHEME: Final = "bearer "
_START: Final = "ppt"
_PUBLIC_LENGTH: Final = 8
_MAX_NAME: Final = 100
_USED_EVERY: Final = timedelta(minutes=10)

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""Set by the listener for the time of a request; ends up in audit events."""


source_address: Final[ContextVar[str]] = ContextVar("source_address", default="")
"""Set likewise: the other end of the connection."""


@dataclass(frozen=True, slots=True)
class _Found:
    tenant_id: UUID
    secret_sha256: str
    token: ApiToken


@dataclass(slots=True)
class Authenticator:
    """Checks tokens; a row is read again after five seconds, so revocation bites within that."""

    db: Database
    refused: Callable[[RefusedAttempt], None] = lambda _refused: None
    people: People | None = None
    """Those who sign in; None: there are API tokens alone."""
    _rows: RecentRows[_Found] = field(init=False)
    uses: Uses = field(init=False)

    def __post_init__(self) -> None:
        self._rows = RecentRows(self.db.clock, self._read, "tokens")
        self.uses = Uses(self.db, "tokens", repository.note_used)

    async def authenticate(self, presented: str) -> Scope | None:
        """The scope of a token that holds now, else None. Unknown and wrong take the same path.

        Raises SignInRefusal for what an issuer signed, or seems to have, and lets nobody in.
        """
        prefix, secret = split_token(presented)
        if not prefix and self.people is not None and looks_signed(presented):
            return await self._person(self.people, presented)
        if not prefix:
            self._refuse("no token of ours")
            return None
        found = await self._rows.find(prefix)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        # Which of the two it was is told nowhere but in the trail, and takes the same time.
        if found is None or not hmac.compare_digest(found.secret_sha256, digest):
            self._refuse("unknown token" if found is None else "wrong secret", found)
            return None
        now = self.db.clock.now()
        if not found.token.holds(now):
            self._refuse("revoked token" if found.token.revoked_at else "expired token", found)
            return None
        plain = role_scope(found.tenant_id, f"token:{found.token.name}", Role(found.token.role))
        scope = replace(plain, forbidden=partial(self._forbid, found, plain))
        used = found.token.last_used_at
        # Not at every use: a row written for each question would make each question a write.
        if used is None or now - used >= _USED_EVERY:
            self.uses.note(found.token.id, scope)
        return scope

    async def _person(self, people: People, presented: str) -> Scope:
        try:
            plain, wanting = await people.scope_of(presented)
        except SignInRefusal as refusal:
            self.refused(RefusedAttempt("access:sign-in:refuse", refusal.reason, actor=refusal.actor))
            raise
        return replace(plain, forbidden=partial(self._forbid_person, plain, wanting))

    def _forbid_person(self, scope: Scope, wanting: RefusedAttempt, permission: Permission) -> None:
        self.refused(replace(wanting, reason=f"{scope.role.value} lacks {permission.value}"))

    def _refuse(self, reason: str, found: _Found | None = None) -> None:
        about = ("", "", None) if found is None else ("ApiToken", str(found.token.id), found.tenant_id)
        self.refused(RefusedAttempt("access:api-token:refuse", reason, *about))

    def _forbid(self, found: _Found, scope: Scope, permission: Permission) -> None:
        about = ("ApiToken", str(found.token.id), found.tenant_id, scope.actor)
        self.refused(RefusedAttempt("access:permission:refuse", f"{scope.role.value} lacks {permission.value}", *about))

    async def _read(self, prefix: str) -> _Found | None:
        async with self.db.read(EVERY_TENANT) as c:
            found = await repository.system_token_by_prefix(c, prefix)
        return None if found is None else _Found(*found)


def bearer(header: str) -> str:
    """The token in an Authorization header, or the empty text."""
    return header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else ""


def split_token(presented: str) -> tuple[str, str]:
    """(public prefix, secret); two empty texts when it does not look like a token of ours."""
    start, _, rest = presented.partition("_")
    public, secret = rest[:_PUBLIC_LENGTH], rest[_PUBLIC_LENGTH + 1 :]
    if start != _START or rest[_PUBLIC_LENGTH : _PUBLIC_LENGTH + 1] != "_" or not secret or not presented.isascii():
        return "", ""
    return f"{start}_{public}", secret


async def create_token(
    c: WriteConnection, scope: Scope, name: str, role: Role, *, lifetime: timedelta | None = None, now: datetime
) -> tuple[ApiToken, str]:
    """A new token and its full text, which is never shown again."""
    scope.require(Permission.TOKENS_WRITE)
    if why := why_no_name(name, _MAX_NAME):
        raise Invalid(f"the token's name {name[:_MAX_NAME]!r} {why}", f"Name what will use it, with {ALLOWED}.")
    if lifetime is not None and lifetime <= timedelta(0):
        raise Invalid("the token would have expired already", "Give a lifetime in the future.")
    public = f"{_START}_{random_token(6)}"  # 6 bytes are 8 characters
    secret = random_token(32)
    expires_at = None if lifetime is None else now + lifetime
    token = ApiToken(new_id(), name, role, public, now, expires_at, None, None)
    values = {
        "id": token.id,
        "name": name,
        "role": str(role),
        "prefix": public,
        "secret_sha256": hashlib.sha256(secret.encode()).hexdigest(),
        "created_at": now,
        "expires_at": expires_at,
    }
    await repository.add_token(c, scope, values)
    made = {"name": name, "role": str(role), "expires_at": expires_at and expires_at.isoformat()}
    await audit(c, scope, "access:api-token:create", "ApiToken", str(token.id), after=made)
    return token, f"{public}_{secret}"


async def revoke_token(c: WriteConnection, scope: Scope, token_id: UUID, *, now: datetime) -> ApiToken:
    """Revoke a token; raises NotFound for one that is unknown to the tenant. Revoking twice changes nothing."""
    scope.require(Permission.TOKENS_WRITE)
    changed = await repository.note_revoked(c, scope, token_id, now)
    token = await repository.token_by_id(c, scope, token_id)
    if token is None:
        raise NotFound(f"there is no API token {token_id}", "List the tokens and take an id from there.")
    if changed:
        was, now_is = {"revoked_at": None}, {"revoked_at": now.isoformat()}
        detail = {"name": token.name, "role": token.role}
        await audit(
            c, scope, "access:api-token:revoke", "ApiToken", str(token_id), detail=detail, before=was, after=now_is
        )
    return token


async def audit(
    c: WriteConnection,
    scope: Scope,
    action: str,
    kind: str,
    identity: str,
    *,
    detail: Mapping[str, object] | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """One event in the transaction of the change; `action` is `source:subject:verb`. The time is the transaction's.

    `kind` and `identity` make the object's id in every answer: see `ids.node_id`. `before` and `after` hold what of it
    changed, `detail` what else a reader wants to know.
    """
    values = {
        "id": new_id(),
        "actor": scope.actor,
        "action": action,
        "object_kind": kind,
        "object_id": identity,
        "detail": dict(detail or {}),
        "before": before if before is None else dict(before),
        "after": after if after is None else dict(after),
        "address": source_address.get(),
        "request_id": request_id.get(),
    }
    await repository.add_event(c, scope, values)
