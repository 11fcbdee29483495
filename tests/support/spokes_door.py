"""The spokes' listener in-process, and clients that enrol and send through it as spokes do."""

import base64
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from periplus_contract import problems
from periplus_contract.messages import (
    BATCH_CONTENT_TYPE,
    AgentEnrolRequest,
    BatchAnswer,
    Challenge,
    ChallengeRequest,
    Credential,
    CredentialRequest,
    EnrolAnswer,
    EnrolRequest,
    Heartbeat,
    HeartbeatAnswer,
    proof_bytes,
)
from periplus_hub.access.scope import Scope
from periplus_hub.access.service_refusal_trail import RefusalTrail
from periplus_hub.fleet.routes import enrolment_router
from periplus_hub.fleet.service import create_join_token
from periplus_hub.fleet.service_agents import create_agents_token
from periplus_hub.fleet.service_authentication import SpokeAuthenticator
from periplus_hub.fleet.service_enrolment import Enrolment
from periplus_hub.ingest.config import IngestConfig
from periplus_hub.ingest.routes import batch_routes
from periplus_hub.ingest.service import Intake
from periplus_hub.inventory.repository_machines import machines_by_registration
from periplus_hub.inventory.service import InventoryApplier
from periplus_hub.kit.db import Database
from periplus_hub.kit.events import Events

T = TypeVar("T")


class RefusedByHubError(Exception):
    """The hub answered with a registered problem."""

    def __init__(self, problem: problems.Problem, retry_after: str | None) -> None:
        super().__init__(f"{problem.type}: {problem.detail}")
        self.problem = problem
        self.retry_after = retry_after

    @property
    def slug(self) -> str:
        return self.problem.type.removeprefix(problems.PREFIX)


def read(response: httpx.Response, kind: type[T]) -> T:
    """The message, or the problem as an exception; anything else is a bug of the hub."""
    if response.headers["content-type"] == problems.CONTENT_TYPE:
        problem = msgspec.json.decode(response.content, type=problems.Problem)
        assert problems.by_uri(problem.type) is not None
        assert problem.status == response.status_code
        raise RefusedByHubError(problem, response.headers.get("retry-after"))
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=kind)


@dataclass
class Door:
    """A hub as spokes see it."""

    db: Database
    http: httpx.AsyncClient
    intake: Intake
    authenticator: SpokeAuthenticator
    enrolment: Enrolment
    refusals: RefusalTrail

    async def join_token(self, scope: Scope, **options: Any) -> str:
        async with self.db.write(scope) as c:
            return (await create_join_token(c, scope, self.db.clock, **options)).text

    async def member(self, scope: Scope, name: str = "prod-1", **facts: Any) -> "Member":
        """An enrolled, active spoke with a credential."""
        found = Member(self, name, **facts)
        await found.enrol(await self.join_token(scope, auto_approve=True))
        await found.renew()
        return found

    async def agents_token(self, scope: Scope, cluster: UUID, **options: Any) -> str:
        async with self.db.write(scope) as c:
            return (await create_agents_token(c, scope, self.db.clock, cluster, **options)).text

    async def agent(self, scope: Scope, cluster: UUID, node: str = "node-1") -> "NodeMember":
        """An agent of a node of this cluster, with a credential."""
        found = NodeMember(self, node)
        await found.enrol(await self.agents_token(scope, cluster))
        await found.renew()
        return found


def open_door(
    db: Database,
    config: IngestConfig | None = None,
    listeners: tuple[Any, ...] = (),
    appliers: tuple[Any, ...] = (),
    *,
    events: Events | None = None,
) -> Door:
    enrolment, authenticator = Enrolment(db, events or Events(), machines_by_registration), SpokeAuthenticator(db)
    intake = Intake(db, config or IngestConfig(settle_after_s=0), [InventoryApplier(), *appliers], listeners)
    refusals = RefusalTrail(db)
    app = FastAPI(routes=batch_routes(authenticator, intake, refusals))
    app.include_router(enrolment_router(enrolment, db.clock, refusals))
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://hub")
    return Door(db, http, intake, authenticator, enrolment, refusals)


class Member:
    """A spoke's side of the conversation."""

    def __init__(self, door: Door, name: str, **facts: Any) -> None:
        self.door, self.name = door, name
        self.facts = {"cluster_uid": f"uid-of-{name}", "spoke_version": "0.1.0", "contract": "1.0", **facts}
        self.key = Ed25519PrivateKey.generate()
        self.enrolled: EnrolAnswer | None = None
        self.credential = ""

    @property
    def registration(self) -> UUID:
        assert self.enrolled is not None
        return UUID(self.enrolled.registration)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credential}", "Content-Type": BATCH_CONTENT_TYPE}

    def request(self, join_token: str, **changes: Any) -> EnrolRequest:
        public_key = base64.b64encode(self.key.public_key().public_bytes_raw()).decode()
        facts = {"public_key": public_key, "cluster_name": self.name, **self.facts, **changes}
        return EnrolRequest(method="token", join_token=join_token, **facts)

    async def enrol(self, join_token: str, **changes: Any) -> EnrolAnswer:
        body = msgspec.json.encode(self.request(join_token, **changes))
        self.enrolled = read(await self.door.http.post("/v1/enroll", content=body), EnrolAnswer)
        return self.enrolled

    async def challenge(self) -> str:
        body = msgspec.json.encode(ChallengeRequest(registration=str(self.registration)))
        return read(await self.door.http.post("/v1/challenge", content=body), Challenge).nonce

    def proof(self, nonce: str, **changes: Any) -> CredentialRequest:
        assert self.enrolled is not None
        signature = self.key.sign(proof_bytes(self.enrolled.hub_id, self.enrolled.registration, nonce))
        fields = {
            "registration": self.enrolled.registration,
            "nonce": nonce,
            "signature": base64.b64encode(signature).decode(),
        }
        return CredentialRequest(**{**fields, **changes})

    async def prove(self, request: CredentialRequest) -> Credential:
        return read(await self.door.http.post("/v1/credential", content=msgspec.json.encode(request)), Credential)

    async def renew(self) -> Credential:
        found = await self.prove(self.proof(await self.challenge()))
        self.credential = found.credential
        return found

    async def send(self, sealed: bytes) -> BatchAnswer:
        response = await self.door.http.post("/v1/batches", content=sealed, headers=self.headers)
        return read(response, BatchAnswer)

    async def beat(self, **changes: Any) -> HeartbeatAnswer:
        fields: dict[str, Any] = {
            "epoch": "01950000-0000-7000-8000-000000000001",
            "last_seq": 0,
            "oldest_held_seq": 1,
            "queued_batches": 0,
            "queued_bytes": 0,
            "wall_us": int(self.door.db.clock.now().timestamp() * 1_000_000),
            "monotonic_us": 1,
            "spoke_version": "0.1.0",
        }
        body = msgspec.json.encode(Heartbeat(**{**fields, **changes}))
        response = await self.door.http.post("/v1/heartbeat", content=body, headers=self.headers)
        return read(response, HeartbeatAnswer)


class NodeMember(Member):
    """An agent's side of it: `registration` is its own id."""

    async def enrol(self, join_token: str, **changes: Any) -> EnrolAnswer:
        public_key = base64.b64encode(self.key.public_key().public_bytes_raw()).decode()
        facts = {"public_key": public_key, "node_name": self.name, "spoke_version": "0.1.0", "contract": "1.0"}
        request = AgentEnrolRequest(join_token=join_token, **{**facts, **changes})
        response = await self.door.http.post("/v1/enroll-agent", content=msgspec.json.encode(request))
        self.enrolled = read(response, EnrolAnswer)
        return self.enrolled
