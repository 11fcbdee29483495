"""Recognise a spoke by its bearer credential.

What the database said is kept for minutes: a fleet's spokes each send every few seconds, so a shorter memory would ask
for nearly every batch. A revocation does not wait for it: the transaction of a batch or heartbeat reads the state of
its registration, and nothing a spoke sends has an effect without one.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from periplus_contract import problems
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.fleet import repository_enrolment as store
from periplus_hub.fleet import secrets
from periplus_hub.fleet.model import SpokePrincipal, State
from periplus_hub.fleet.service_refusals import refuse_unless_active
from periplus_hub.kit.db import Database
from periplus_hub.kit.tenancy import EVERY_TENANT
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

CACHE_S: Final = 300.0
MAX_CACHED: Final = 10_000
_REFUSED: Final = "spoke:credential:refuse"


@dataclass(frozen=True, slots=True)
class _Known:
    principal: SpokePrincipal
    expires_at: datetime
    until_s: float


class SpokeAuthenticator:
    """Recognises the credentials that spokes show."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def authenticate(self, authorization: str) -> SpokePrincipal:
        """Whose an Authorization header is; raises SpokeRequestRefusal: unauthenticated, pending-approval, revoked."""
        scheme, _, bearer = authorization.partition(" ")
        parsed = secrets.parse(bearer.strip()) if scheme.lower() == "bearer" else None
        if parsed is None:
            detail = "no credential of ours in the Authorization header"
            raise SpokeRequestRefusal(
                problems.UNAUTHENTICATED, detail, audited=RefusedAttempt(_REFUSED, "no credential of ours")
            )
        # Keyed by the whole secret's hash: knowing the public part of a cached credential is worth nothing.
        key = secrets.sha256(bearer.strip())
        known = self._known.get(key)
        if known is None or known.until_s <= self._db.clock.monotonic_s():
            known = await self._look_up(*parsed)
            self._remember(key, known)
        # Also of what is remembered: the memory may outlive the credential.
        if known.expires_at <= self._db.clock.now():
            raise SpokeRequestRefusal(problems.UNAUTHENTICATED, "the credential has expired")
        refuse_unless_active(known.principal.state, known.principal.title)
        return known.principal

    async def _look_up(self, public_id: str, secret: str) -> _Known:
        async with self._db.read(EVERY_TENANT) as c:
            row = await store.system_credential_by_prefix(c, public_id)
        if row is None or not secrets.matches(secret, row.secret_sha256):
            about = ("unknown credential",) if row is None else ("wrong secret", *_whose(row))
            detail = "the credential is not known here"
            raise SpokeRequestRefusal(problems.UNAUTHENTICATED, detail, audited=RefusedAttempt(_REFUSED, *about))
        principal = SpokePrincipal(
            tenant_id=row.tenant_id,
            registration_id=row.registration_id,
            name=row.name,
            state=State(row.state),
            agent_id=row.agent_id,
            node_name=row.node_name,
        )
        return _Known(principal, row.expires_at, self._db.clock.monotonic_s() + CACHE_S)

    def _remember(self, key: str, known: _Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > MAX_CACHED:
            self._known.popitem(last=False)


def _whose(row: Row[Any]) -> tuple[str, str, UUID]:
    """As the audit trail names it."""
    if row.agent_id is not None:
        return "NodeAgent", str(row.agent_id), row.tenant_id
    return "Cluster", str(row.registration_id), row.tenant_id
