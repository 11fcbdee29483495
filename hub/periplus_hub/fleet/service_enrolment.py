"""How a spoke becomes a registration, proves itself and is recognised.

The join token decides the tenant, the hub decides name, id and state: what a request says of itself is a wish or a
fact to show, never an authority. Answers to strangers do not tell whether a registration exists.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from periplus_contract import limits, problems
from periplus_contract.messages import (
    MAX_FACT_CHARS,
    Challenge,
    ChallengeRequest,
    Credential,
    CredentialRequest,
    EnrolAnswer,
    EnrolRequest,
    is_fact,
)
from periplus_contract.names import MAX_CLUSTER_NAME, why_no_name
from periplus_contract.version import CONTRACT, Version, accepts
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service import audit
from periplus_hub.fleet import repository_enrolment as store
from periplus_hub.fleet import secrets
from periplus_hub.fleet.model import CLUSTERS_TOPIC, Machines, State, is_same_cluster
from periplus_hub.fleet.proofs import KEY_BYTES, PROOFS, decode_base64, is_of_small_order
from periplus_hub.fleet.repository_changes import record_change
from periplus_hub.fleet.repository_domains import add_implicit_domain
from periplus_hub.fleet.repository_names import cluster_alike
from periplus_hub.fleet.service_placement import landing_domain, told
from periplus_hub.kit.db import Database, ReadConnection, WriteConnection
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.events import Events
from periplus_hub.kit.ids import new_id, random_token
from periplus_hub.kit.node_ids import node_id
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

POLL_AFTER_S: Final = 15
_NONCE_BYTES: Final = 24
_JOINING: Final = "spoke:join-token:refuse"
_PROOF: Final = "spoke:proof:refuse"
_WRITERS: Final = 2
"""Writing transactions these calls hold at once: strangers may knock, and must not take an ingest's last connection."""

MachinesNow: TypeAlias = Callable[[ReadConnection, Scope, Sequence[UUID]], Awaitable[Mapping[UUID, Machines]]]
"""By registration what is known now of its nodes."""

_log: Final = structlog.get_logger(__name__)


class Enrolment:
    """The three calls of a spoke that has no credential."""

    def __init__(self, db: Database, events: Events, machines: MachinesNow) -> None:
        self._db = db
        self._machines = machines
        self._events = events
        self._hub_id: str | None = None
        self._room = asyncio.Semaphore(_WRITERS)

    async def hub_id(self) -> str:
        """Made with the database; raises Refusal when it was removed from there."""
        if self._hub_id is None:
            async with self._db.read(NO_TENANT) as c:
                self._hub_id = await store.system_hub_id(c)
        if self._hub_id is None:
            raise Refusal(
                "the database does not know the hub's id (table hub_identity)",
                "Use a new database or data folder, or restore a whole backup.",
                slug="no-hub-id",
            )
        return self._hub_id

    async def enrol(self, request: EnrolRequest) -> EnrolAnswer:
        """The registration for this key. Safe to repeat with the same key and token: an answer may get lost.

        Raises SpokeRequestRefusal: proof-refused, name-taken, unsupported-version, malformed-message.
        """
        check_request(request)
        # Made outside the unit, so that a unit that runs twice makes one registration.
        registration_id = new_id()
        async with self._db.read(EVERY_TENANT) as c:
            token = await _known_token(c, request.join_token)
        scope = system_scope(token.tenant_id, f"spoke:{registration_id}")
        try:
            async with self._room:
                row, joined = await self._db.retrying_write(
                    scope, lambda c: self._enrol(c, scope, request, registration_id)
                )
        except IntegrityError as error:
            raise _name_taken(request.cluster_name) from error
        if joined:
            self._events.publish(row.tenant_id, CLUSTERS_TOPIC, {"id": str(row.id)})
            _log.info("cluster_joined", cluster=row.name, registration=str(row.id), state=row.state)
        return EnrolAnswer(
            registration=str(row.id),
            cluster_name=row.name,
            state="active" if row.state == State.ACTIVE.value else "pending",
            hub_id=await self.hub_id(),
            poll_after_s=POLL_AFTER_S,
            notice=await self._notice(row, request.cluster_name),
        )

    async def _notice(self, row: Row[Any], wished: str) -> str:
        named = "" if row.name == wished else f"its join token names this cluster {row.name!r}, not {wished!r}"
        scope = _scope(row)
        async with self._db.read(scope) as c:
            placed = await told(c, scope, row)
        return "; ".join(filter(None, (named, placed, await self._why_pending(row))))

    async def _why_pending(self, row: Row[Any]) -> str:
        """Empty unless something else than the wish to look at every cluster holds it up."""
        if row.state != State.PENDING.value or row.duplicate_of is None:
            return ""
        async with self._db.read(_scope(row)) as c:
            twin = await store.system_registration_by_id(c, row.duplicate_of)
        if twin is None or twin.state == State.REVOKED.value:
            return ""
        return (
            f"this same cluster is registered as {twin.name!r} already: revoke that one if its spoke is gone, "
            f"then approve {row.name!r}"
        )

    async def _enrol(
        self, c: WriteConnection, scope: Scope, request: EnrolRequest, registration_id: UUID
    ) -> tuple[Row[Any], bool]:
        """The registration, and whether it is new."""
        token = await _known_token(c, request.join_token)
        now = self._db.clock.now()
        if not await store.system_use_token(c, token.id, registration_id, now):
            return await _earlier_use(c, token.public_id, request.public_key), False
        name = token.cluster_name or request.cluster_name
        alike = await self._alike(c, scope, request)
        # Only what is shown to be this same cluster waits for a person. Not known (None) is read and compared like any
        # other, because a copy that is left out collides unseen.
        twin = next((each for each, is_same in alike.items() if is_same), None)
        if (holder := await store.name_holder(c, scope, name)) is not None:
            raise _name_taken(name, is_bound=token.cluster_name is not None, is_itself=alike.get(holder, False))
        if (other := await cluster_alike(c, scope, name)) is not None:
            raise SpokeRequestRefusal(
                problems.NAME_TAKEN, f"{name!r} reads like {other!r}, another cluster of this fleet"
            )
        active = token.auto_approve and twin is None
        landing = await landing_domain(c, scope, token, name, request.cluster_uid)
        new = store.NewRegistration(
            id=registration_id,
            name=name,
            cluster_uid=request.cluster_uid,
            state=State.ACTIVE if active else State.PENDING,
            domain_id=landing or new_id(),
            public_key=request.public_key,
            method=request.method,
            join_token_id=token.id,
            spoke_version=request.spoke_version,
            contract=request.contract,
            kubernetes_version=request.kubernetes_version,
            api_ca_sha256=request.api_ca_sha256,
            node_count=request.node_count,
            machines=request.machines,
            way=request.way,
            created_at=now,
            approved_at=now if active else None,
            approved_by=f"join-token:{token.public_id}" if active else None,
            duplicate_of=twin,
        )
        return await _write(c, scope, new, has_own_domain=landing is None), True

    async def _alike(self, c: WriteConnection, scope: Scope, request: EnrolRequest) -> dict[UUID, bool | None]:
        """The live registrations of this kube-system uid, and whether each is this same cluster."""
        live = await store.live_of_uid(c, scope, request.cluster_uid)
        if not live:
            return {}
        known = await self._machines(c, scope, live)
        mine = Machines(seen=frozenset(request.machines), way=request.way, as_of=self._db.clock.now())
        return {each: is_same_cluster(known[each], mine) for each in live}

    async def challenge(self, request: ChallengeRequest) -> Challenge:
        """Something fresh to sign; for unknown and revoked registrations it is just never accepted."""
        nonce = random_token(_NONCE_BYTES)
        registration_id = _uuid(request.registration)
        row = None if registration_id is None else await self._registration(registration_id)
        if row is not None and row.state != State.REVOKED.value:
            async with self._room, self._db.write(NO_TENANT) as c:
                expires_at = self._db.clock.now() + timedelta(seconds=limits.CHALLENGE_LIFETIME_S)
                await store.system_add_challenge(c, nonce, row.id, expires_at)
        return Challenge(nonce=nonce)

    async def credential(self, request: CredentialRequest) -> Credential:
        """A bearer credential for a fresh proof; raises SpokeRequestRefusal: proof-refused, pending-approval, revoked.

        The nonce is used up in its own transaction, so a wrong signature cannot be tried twice.
        """
        registration_id = _uuid(request.registration)
        known = None if registration_id is None else await self._registration(registration_id)
        if known is None:
            raise _proof_refused("the proof is not accepted", RefusedAttempt(_PROOF, "unknown registration"))
        async with self._room, self._db.write(_scope(known)) as c:
            fresh = await store.system_take_challenge(c, request.nonce[:MAX_FACT_CHARS], known.id, self._db.clock.now())
            row = await store.system_registration_by_id(c, known.id)
        # Before the state and the freshness are told: whoever cannot sign learns nothing of the registration.
        if row is None or not await self._proven(row, request):
            raise _proof_refused("the proof is not accepted", _of_cluster(row, "wrong signature"))
        refuse_unless_active(row.state, row.name, await self._why_pending(row))
        if not fresh:
            detail = "the challenge is unknown, used or too old; ask for a new one"
            raise _proof_refused(detail, _of_cluster(row, "no fresh challenge"))
        return await self._issue(row)

    async def _registration(self, registration_id: UUID) -> Row[Any] | None:
        async with self._db.read(EVERY_TENANT) as c:
            return await store.system_registration_by_id(c, registration_id)

    async def _proven(self, row: Row[Any], request: CredentialRequest) -> bool:
        proof = PROOFS.get(row.method)
        return proof is not None and proof.check(row.public_key, await self.hub_id(), request)

    async def _issue(self, row: Row[Any]) -> Credential:
        minted = secrets.mint(secrets.CREDENTIAL_PREFIX)
        issued_at = self._db.clock.now()
        expires_at = issued_at + timedelta(seconds=limits.CREDENTIAL_LIFETIME_S)
        values = {
            "prefix": minted.public_id,
            "secret_sha256": minted.secret_sha256,
            "issued_at": issued_at,
            "expires_at": expires_at,
        }
        scope = _scope(row)
        async with self._room, self._db.write(scope) as c:
            await store.add_credential(c, scope, row.id, values)
        renew_after = issued_at + (expires_at - issued_at) / 2
        return Credential(
            credential=minted.text,
            expires_at_us=int(expires_at.timestamp() * 1_000_000),
            renew_after_us=int(renew_after.timestamp() * 1_000_000),
        )


async def _write(c: WriteConnection, scope: Scope, new: store.NewRegistration, *, has_own_domain: bool) -> Row[Any]:
    if has_own_domain:
        await add_implicit_domain(c, scope, new.domain_id, new.name)
    await store.add_registration(c, scope, new)
    made = {"name": new.name, "state": new.state.value, "cluster_uid": new.cluster_uid}
    made["domain"] = node_id("NetworkDomain", new.domain_id)
    if new.duplicate_of is not None:
        made["duplicate_of"] = node_id("Cluster", new.duplicate_of)
    await audit(c, scope, "spoke:registration:enrol", "Cluster", str(new.id), after=made)
    if new.state is State.ACTIVE:
        await record_change(c, scope, [new.id], new.created_at)
    row = await store.system_registration_by_id(c, new.id)
    if row is None:
        msg = f"registration {new.id} vanished while it was written"
        raise RuntimeError(msg)
    return row


async def _known_token(c: ReadConnection, text: str) -> Row[Any]:
    parsed = secrets.parse(text)
    token = None if parsed is None else await store.system_token_by_public_id(c, parsed[0])
    if parsed is None or token is None:
        raise _proof_refused("the join token is not known here", RefusedAttempt(_JOINING, "unknown join token"))
    if not secrets.matches(parsed[1], token.secret_sha256):
        raise _proof_refused("the join token is not known here", _of_token(token, "wrong secret"))
    return token


async def _earlier_use(c: WriteConnection, public_id: str, public_key: str) -> Row[Any]:
    """The registration this token and key made before, else the reason why the token is no good."""
    token = await store.system_token_by_public_id(c, public_id)
    if token is None or token.used_at is None:
        raise _proof_refused(f"join token {public_id} has expired", token and _of_token(token, "expired"))
    row = await store.system_registration_by_id(c, token.used_by_registration)
    if row is None or row.public_key != public_key:
        raise _proof_refused(f"join token {public_id} was used already", _of_token(token, "used by another key"))
    if row.state == State.REVOKED.value:
        raise SpokeRequestRefusal(problems.REVOKED, f"registration {row.id} ({row.name}) is revoked")
    return row


def refuse_unless_active(state: str, name: str, why_pending: str = "") -> None:
    """Raise the problem of a registration that may not send."""
    if state == State.PENDING.value:
        detail = why_pending or f"registration of {name!r} waits for approval"
        raise SpokeRequestRefusal(problems.PENDING, detail, retry_after_s=POLL_AFTER_S)
    if state != State.ACTIVE.value:
        raise SpokeRequestRefusal(problems.REVOKED, f"registration of {name!r} is revoked")


def check_request(request: EnrolRequest) -> None:
    """Raise SpokeRequestRefusal for facts that cannot be stored or shown."""
    key = decode_base64(request.public_key, KEY_BYTES)
    if key is None:
        raise _malformed("public_key must be 32 bytes in base64")
    if is_of_small_order(key):
        raise _malformed("public_key is of small order: anybody could sign with it")
    if why := why_no_name(request.cluster_name, MAX_CLUSTER_NAME):
        raise SpokeRequestRefusal(problems.BAD_NAME, f"the name {request.cluster_name[:MAX_CLUSTER_NAME]!r} {why}")
    facts = (request.cluster_uid, request.spoke_version, request.kubernetes_version, request.api_ca_sha256, request.way)
    if not request.cluster_uid or any(not is_fact(fact) for fact in facts):
        raise _malformed(f"cluster_uid, versions and hashes are at most {MAX_FACT_CHARS} printable characters")
    if len(request.machines) > limits.MAX_MACHINES or any(not is_fact(each) for each in request.machines):
        raise _malformed(
            f"machines are at most {limits.MAX_MACHINES} texts of at most {MAX_FACT_CHARS} printable characters"
        )
    if not 0 <= request.node_count <= 1_000_000:  # noqa: PLR2004 - far above any cluster
        raise _malformed("node_count must be 0 to 1000000")
    try:
        version = Version.parse(request.contract)
    except ValueError as error:
        raise _malformed(str(error)) from error
    if not accepts(version):
        detail = f"contract {request.contract[:32]} is not accepted; this hub is {CONTRACT}"
        raise SpokeRequestRefusal(problems.UNSUPPORTED_VERSION, detail)


def _scope(registration: Row[Any]) -> Scope:
    return system_scope(registration.tenant_id, f"spoke:{registration.id}")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _malformed(detail: str) -> SpokeRequestRefusal:
    return SpokeRequestRefusal(problems.MALFORMED_MESSAGE, detail)


def _proof_refused(detail: str, audited: RefusedAttempt | None) -> SpokeRequestRefusal:
    return SpokeRequestRefusal(problems.PROOF_REFUSED, detail, audited=audited)


def _of_token(token: Row[Any], reason: str) -> RefusedAttempt:
    return RefusedAttempt(_JOINING, reason, "JoinToken", str(token.id), token.tenant_id)


def _of_cluster(row: Row[Any] | None, reason: str) -> RefusedAttempt:
    if row is None:
        return RefusedAttempt(_PROOF, reason)
    return RefusedAttempt(_PROOF, reason, "Cluster", str(row.id), row.tenant_id)


def _name_taken(name: str, *, is_bound: bool = False, is_itself: bool | None = False) -> SpokeRequestRefusal:
    """`is_itself`: the live registration with the name is this same cluster's, as after a lost state folder.

    None is not known: a copy of the cluster could call itself the same.
    """
    if is_itself is not False:
        one = "this same cluster" if is_itself else "this same cluster, or one with its kube-system uid,"
        detail = (
            f"{one} is registered as {name!r} already: start the spoke with the state folder it had, "
            f"or revoke that registration with 'periplus clusters revoke {name}'"
        )
    elif is_bound:
        detail = f"the join token is bound to {name!r}, and another cluster has that name: create a token with another"
    else:
        detail = f"another cluster of this fleet is called {name!r}"
    return SpokeRequestRefusal(problems.NAME_TAKEN, detail)
