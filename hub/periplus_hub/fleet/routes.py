"""The spokes' listener before there is a credential: contract, enrolment, challenge, credential."""

from collections.abc import Awaitable, Callable

import msgspec
from fastapi import APIRouter, Request, Response

from periplus_contract import limits
from periplus_contract.messages import (
    AgentEnrolRequest,
    ChallengeRequest,
    ContractDescription,
    CredentialRequest,
    EnrolRequest,
    KindDescription,
)
from periplus_contract.tables import TABLES
from periplus_contract.version import CONTRACT, OLDEST_ACCEPTED
from periplus_hub.access.service_refusal_trail import RefusalTrail
from periplus_hub.fleet.service_enrolment import Enrolment
from periplus_hub.kit.clock import Clock
from periplus_hub.spoke_http.answers import answering
from periplus_hub.spoke_http.requests import Message, read_message


def enrolment_router(enrolment: Enrolment, clock: Clock, refusals: RefusalTrail) -> APIRouter:
    """Routes for spokes that are nobody yet."""
    router = APIRouter(include_in_schema=False)

    @router.get("/v1/contract")
    async def contract() -> Response:
        return await answering(_describe(enrolment, clock), refusals)

    @router.post("/v1/enroll")
    async def enroll(request: Request) -> Response:
        return await answering(_handle(request, EnrolRequest, enrolment.enrol), refusals)

    @router.post("/v1/enroll-agent")
    async def enroll_agent(request: Request) -> Response:
        return await answering(_handle(request, AgentEnrolRequest, enrolment.agents.enrol), refusals)

    @router.post("/v1/challenge")
    async def challenge(request: Request) -> Response:
        return await answering(_handle(request, ChallengeRequest, enrolment.credentials.challenge), refusals)

    @router.post("/v1/credential")
    async def credential(request: Request) -> Response:
        return await answering(_handle(request, CredentialRequest, enrolment.credentials.credential), refusals)

    return router


async def _handle(
    request: Request, kind: type[Message], handler: Callable[[Message], Awaitable[msgspec.Struct]]
) -> msgspec.Struct:
    return await handler(await read_message(request, kind))


async def _describe(enrolment: Enrolment, clock: Clock) -> ContractDescription:
    return ContractDescription(
        oldest=str(OLDEST_ACCEPTED),
        newest=str(CONTRACT),
        kinds=tuple(
            KindDescription(kind=kind.value, tables=tuple(table.name for table in known))
            for kind, known in TABLES.items()
        ),
        max_compressed_bytes=limits.MAX_COMPRESSED_BYTES,
        max_inflated_bytes=limits.MAX_INFLATED_BYTES,
        max_rows=limits.MAX_ROWS,
        hub_id=await enrolment.hub_id(),
        time_us=int(clock.now().timestamp() * 1_000_000),
    )
