"""How a spoke becomes a registration.

The join token decides the tenant, the hub decides name, id and state: what a request says of itself is a wish or a
fact to show, never an authority. Answers to strangers do not tell whether a registration exists.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from periplus_contract import limits, problems
from periplus_contract.messages import (
    MAX_FACT_CHARS,
    EnrolAnswer,
    EnrolRequest,
    is_fact,
)
from periplus_contract.names import MAX_CLUSTER_NAME, why_no_name
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service import audit
from periplus_hub.fleet import repository_enrolment as store
from periplus_hub.fleet.model import CLUSTERS_TOPIC, Machines, State, is_same_cluster
from periplus_hub.fleet.repository_changes import record_change
from periplus_hub.fleet.repository_domains import add_implicit_domain
from periplus_hub.fleet.repository_names import cluster_alike
from periplus_hub.fleet.service_agents import AgentEnrolment
from periplus_hub.fleet.service_credentials import Credentials, why_pending
from periplus_hub.fleet.service_placement import landing_domain, told
from periplus_hub.fleet.service_refusals import (
    POLL_AFTER_S,
    check_contract,
    check_key,
    known_token,
    malformed,
    of_token,
    proof_refused,
)
from periplus_hub.kit.db import Database, ReadConnection, WriteConnection
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.events import Events
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.node_ids import node_id
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

_WRITERS: Final = 2
"""Writing transactions these calls hold at once: strangers may knock, and must not take an ingest's last connection."""

MachinesNow: TypeAlias = Callable[[ReadConnection, Scope, Sequence[UUID]], Awaitable[Mapping[UUID, Machines]]]
"""By registration what is known now of its nodes."""

_log: Final = structlog.get_logger(__name__)


class Enrolment:
    """The calls of spokes and agents that have no credential: `agents` and `credentials` are parts of it."""

    def __init__(self, db: Database, events: Events, machines: MachinesNow) -> None:
        self._db = db
        self._machines = machines
        self._events = events
        self._hub_id: str | None = None
        self._room = asyncio.Semaphore(_WRITERS)
        self.agents = AgentEnrolment(db, events, self._room, self.hub_id)
        self.credentials = Credentials(db, self._room, self.hub_id)

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
            token = await known_token(c, request.join_token)
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
            subject = await store.system_subject_by_id(c, row.id)
            held_up = "" if subject is None else await why_pending(c, subject)
        return "; ".join(filter(None, (named, placed, held_up)))

    async def _enrol(
        self, c: WriteConnection, scope: Scope, request: EnrolRequest, registration_id: UUID
    ) -> tuple[Row[Any], bool]:
        """The registration, and whether it is new."""
        token = await known_token(c, request.join_token)
        if token.registration_id is not None:
            detail = f"join token {token.public_id} is for agents of nodes, not for the spoke of a cluster"
            raise proof_refused(detail, of_token(token, "a spoke with a token for agents"))
        now = self._db.clock.now()
        # One statement that uses the token if nobody has: of two spokes with one token only one comes further.
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
        # A token that approves by itself is for a new cluster. It is no word on whether a second spoke may speak for an
        # old one.
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


async def _earlier_use(c: WriteConnection, public_id: str, public_key: str) -> Row[Any]:
    """The registration this token and key made before, else the reason why the token is no good."""
    token = await store.system_token_by_public_id(c, public_id)
    if token is None or token.used_at is None:
        raise proof_refused(f"join token {public_id} has expired", token and of_token(token, "expired"))
    row = await store.system_registration_by_id(c, token.used_by_registration)
    if row is None or row.public_key != public_key:
        raise proof_refused(f"join token {public_id} was used already", of_token(token, "used by another key"))
    if row.state == State.REVOKED.value:
        raise SpokeRequestRefusal(problems.REVOKED, f"registration {row.id} ({row.name}) is revoked")
    return row


def check_request(request: EnrolRequest) -> None:
    """Raise SpokeRequestRefusal for facts that cannot be stored or shown."""
    check_key(request.public_key)
    if why := why_no_name(request.cluster_name, MAX_CLUSTER_NAME):
        raise SpokeRequestRefusal(problems.BAD_NAME, f"the name {request.cluster_name[:MAX_CLUSTER_NAME]!r} {why}")
    facts = (request.cluster_uid, request.spoke_version, request.kubernetes_version, request.api_ca_sha256, request.way)
    if not request.cluster_uid or any(not is_fact(fact) for fact in facts):
        raise malformed(f"cluster_uid, versions and hashes are at most {MAX_FACT_CHARS} printable characters")
    if len(request.machines) > limits.MAX_MACHINES or any(not is_fact(each) for each in request.machines):
        raise malformed(
            f"machines are at most {limits.MAX_MACHINES} texts of at most {MAX_FACT_CHARS} printable characters"
        )
    if not 0 <= request.node_count <= 1_000_000:  # noqa: PLR2004 - far above any cluster
        raise malformed("node_count must be 0 to 1000000")
    check_contract(request.contract)


def _scope(registration: Row[Any]) -> Scope:
    return system_scope(registration.tenant_id, f"spoke:{registration.id}")


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
