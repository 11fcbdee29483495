"""The spokes' listener for spokes with a credential: batches and heartbeats."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from periplus_contract import limits, problems
from periplus_contract.messages import BATCH_CONTENT_TYPE, BatchAnswer, Heartbeat, HeartbeatAnswer
from periplus_hub.access.service_refusal_trail import RefusalTrail
from periplus_hub.fleet.model import SpokePrincipal
from periplus_hub.fleet.service_authentication import SpokeAuthenticator
from periplus_hub.ingest.service import Intake
from periplus_hub.kit.seats import recognised
from periplus_hub.spoke_http.answers import answering
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal
from periplus_hub.spoke_http.requests import read_bounded, read_message


def batch_routes(authenticator: SpokeAuthenticator, intake: Intake, refusals: RefusalTrail) -> list[BaseRoute]:
    """Routes that need a credential: who asks is known before the body is read.

    Plain ones: FastAPI's own would look for parameters and dependencies in every request, and there are none.
    """

    async def batches(request: Request) -> Response:
        return await answering(_batch(request, authenticator, intake), refusals)

    async def heartbeat(request: Request) -> Response:
        return await answering(_heartbeat(request, authenticator, intake), refusals)

    return [Route("/v1/batches", batches, methods=["POST"]), Route("/v1/heartbeat", heartbeat, methods=["POST"])]


async def _known(request: Request, authenticator: SpokeAuthenticator) -> SpokePrincipal:
    principal = await authenticator.authenticate(request.headers.get("authorization", ""))
    recognised(request.scope, f"spoke/{principal.sender_id}")
    return principal


async def _batch(request: Request, authenticator: SpokeAuthenticator, intake: Intake) -> BatchAnswer:
    principal = await _known(request, authenticator)
    if request.headers.get("content-type", "") != BATCH_CONTENT_TYPE:
        raise SpokeRequestRefusal(problems.MALFORMED_BATCH, f"the content type is not {BATCH_CONTENT_TYPE}")
    with intake.admission.slot(principal):
        sealed = await read_bounded(request, limits.MAX_COMPRESSED_BYTES)
        return await intake.receive(principal, sealed)


async def _heartbeat(request: Request, authenticator: SpokeAuthenticator, intake: Intake) -> HeartbeatAnswer:
    principal = await _known(request, authenticator)
    return await intake.heartbeat(principal, await read_message(request, Heartbeat))
