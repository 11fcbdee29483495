"""The spokes' listener before there is a credential: contract, enrolment, challenge, credential."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response

from periplus_contract import limits, problems
from periplus_contract.messages import (
    ChallengeRequest,
    ContractDescription,
    CredentialRequest,
    EnrolRequest,
    KindDescription,
)
from periplus_contract.places import where
from periplus_contract.tables import TABLES
from periplus_contract.version import CONTRACT, OLDEST_ACCEPTED
from periplus_hub.access.service_refusals import Refusals
from periplus_hub.fleet.body import read_bounded
from periplus_hub.fleet.service_enrolment import Enrolment
from periplus_hub.fleet.wire import RefusedError, message_response, problem_response
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.errors import Unavailable

Message = TypeVar("Message", bound=msgspec.Struct)
_BUSY_S: Final = 5


def enrolment_router(enrolment: Enrolment, clock: Clock, refusals: Refusals) -> APIRouter:
    """Routes for spokes that are nobody yet."""
    router = APIRouter(include_in_schema=False)

    @router.get("/v1/contract")
    async def contract() -> Response:
        return await answering(_describe(enrolment, clock), refusals)

    @router.post("/v1/enroll")
    async def enroll(request: Request) -> Response:
        return await answering(_handle(request, EnrolRequest, enrolment.enrol), refusals)

    @router.post("/v1/challenge")
    async def challenge(request: Request) -> Response:
        return await answering(_handle(request, ChallengeRequest, enrolment.challenge), refusals)

    @router.post("/v1/credential")
    async def credential(request: Request) -> Response:
        return await answering(_handle(request, CredentialRequest, enrolment.credential), refusals)

    return router


async def answering(work: Awaitable[msgspec.Struct], refusals: Refusals) -> Response:
    """The answer, or the verdict. A store that is away is an honest 503, not a verdict on the spoke."""
    try:
        return message_response(await work)
    except RefusedError as refused:
        if refused.audited is not None:
            refusals.note(refused.audited)
        return problem_response(refused)
    except Unavailable as unavailable:
        return problem_response(RefusedError(problems.OVERLOADED, unavailable.message, retry_after_s=_BUSY_S))


async def read_message(request: Request, kind: type[Message]) -> Message:
    """A JSON message of the contract; raises RefusedError: malformed-message, too-large."""
    body = await read_bounded(request, limits.MAX_MESSAGE_BYTES)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(
            problems.MALFORMED_MESSAGE, f"the {kind.__name__} is not as the contract says{where(error)}"
        ) from error


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
