"""How a spoke or an agent that has joined proves itself, and the credential it gets for that."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from periplus_contract import limits
from periplus_contract.messages import MAX_FACT_CHARS, Challenge, ChallengeRequest, Credential, CredentialRequest
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.fleet import repository_enrolment as store
from periplus_hub.fleet import secrets
from periplus_hub.fleet.model import State, Subject
from periplus_hub.fleet.proofs import PROOFS
from periplus_hub.fleet.service_refusals import proof_refused, refuse_unless_active
from periplus_hub.kit.db import Database, ReadConnection
from periplus_hub.kit.ids import random_token
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT

_NONCE_BYTES: Final = 24
_PROOF: Final = "spoke:proof:refuse"


class Credentials:
    """The two calls of a spoke or an agent whose credential ends."""

    def __init__(self, db: Database, room: asyncio.Semaphore, hub_id: Callable[[], Awaitable[str]]) -> None:
        """`room` is for transactions that write on a stranger's word."""
        self._db = db
        self._room = room
        self._hub_id = hub_id

    async def challenge(self, request: ChallengeRequest) -> Challenge:
        """Something fresh to sign; for unknown and revoked registrations it is just never accepted."""
        nonce = random_token(_NONCE_BYTES)
        sender_id = _uuid(request.registration)
        known = None if sender_id is None else await self._subject(sender_id)
        if known is not None and known.state is not State.REVOKED:
            async with self._room, self._db.write(NO_TENANT) as c:
                expires_at = self._db.clock.now() + timedelta(seconds=limits.CHALLENGE_LIFETIME_S)
                await store.system_add_challenge(c, nonce, known.sender_id, expires_at)
        return Challenge(nonce=nonce)

    async def credential(self, request: CredentialRequest) -> Credential:
        """A bearer credential for a fresh proof; raises SpokeRequestRefusal: proof-refused, pending-approval, revoked.

        The nonce is used up in its own transaction, so a wrong signature cannot be tried twice.
        """
        sender_id = _uuid(request.registration)
        known = None if sender_id is None else await self._subject(sender_id)
        if known is None:
            raise proof_refused("the proof is not accepted", RefusedAttempt(_PROOF, "unknown registration"))
        async with self._room, self._db.write(_scope(known)) as c:
            fresh = await store.system_take_challenge(
                c, request.nonce[:MAX_FACT_CHARS], known.sender_id, self._db.clock.now()
            )
            subject = await store.system_subject_by_id(c, known.sender_id)
        # Before the state and the freshness are told: whoever cannot sign learns nothing of the registration.
        if subject is None or not await self._is_proven(subject, request):
            raise proof_refused("the proof is not accepted", _about(subject, "wrong signature"))
        if subject.state is State.PENDING:
            async with self._db.read(_scope(subject)) as c:
                refuse_unless_active(subject.state, subject.title, await why_pending(c, subject))
        refuse_unless_active(subject.state, subject.title)
        if not fresh:
            detail = "the challenge is unknown, used or too old; ask for a new one"
            raise proof_refused(detail, _about(subject, "no fresh challenge"))
        return await self._issue(subject)

    async def _subject(self, sender_id: UUID) -> Subject | None:
        async with self._db.read(EVERY_TENANT) as c:
            return await store.system_subject_by_id(c, sender_id)

    async def _is_proven(self, subject: Subject, request: CredentialRequest) -> bool:
        proof = PROOFS.get(subject.method)
        return proof is not None and proof.check(subject.public_key, await self._hub_id(), request)

    async def _issue(self, subject: Subject) -> Credential:
        minted = secrets.mint(secrets.CREDENTIAL_PREFIX)
        issued_at = self._db.clock.now()
        expires_at = issued_at + timedelta(seconds=limits.CREDENTIAL_LIFETIME_S)
        values = {
            "prefix": minted.public_id,
            "secret_sha256": minted.secret_sha256,
            "issued_at": issued_at,
            "expires_at": expires_at,
        }
        scope = _scope(subject)
        async with self._room, self._db.write(scope) as c:
            await store.add_credential(c, scope, subject, values)
        renew_after = issued_at + (expires_at - issued_at) / 2
        return Credential(
            credential=minted.text,
            expires_at_us=int(expires_at.timestamp() * 1_000_000),
            renew_after_us=int(renew_after.timestamp() * 1_000_000),
        )


async def why_pending(c: ReadConnection, subject: Subject) -> str:
    """Empty unless something else than the wish to look at every cluster holds it up."""
    if subject.state is not State.PENDING or subject.duplicate_of is None:
        return ""
    twin = await store.system_registration_by_id(c, subject.duplicate_of)
    if twin is None or twin.state == State.REVOKED.value:
        return ""
    return (
        f"this same cluster is registered as {twin.name!r} already: revoke that one if its spoke is gone, "
        f"then approve {subject.name!r}"
    )


def _scope(subject: Subject) -> Scope:
    return system_scope(subject.tenant_id, f"spoke:{subject.sender_id}")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _about(subject: Subject | None, reason: str) -> RefusedAttempt:
    if subject is None:
        return RefusedAttempt(_PROOF, reason)
    kind = "Cluster" if subject.agent_id is None else "NodeAgent"
    return RefusedAttempt(_PROOF, reason, kind, str(subject.sender_id), subject.tenant_id)
