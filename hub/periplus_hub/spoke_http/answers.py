"""Answers to spokes: messages of the contract, and refusals as problems (RFC 9457)."""

from collections.abc import Awaitable
from typing import Final

import msgspec
from fastapi import Response

from periplus_contract import problems
from periplus_hub.access.service_refusal_trail import RefusalTrail
from periplus_hub.kit.errors import Unavailable
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

_BUSY_S: Final = 5
_ENCODER: Final = msgspec.json.Encoder()


async def answering(work: Awaitable[msgspec.Struct], refusals: RefusalTrail) -> Response:
    """The answer, or the verdict. A store that is away is an honest 503, not a verdict on the spoke."""
    try:
        return _message(await work)
    except SpokeRequestRefusal as refused:
        if refused.audited is not None:
            refusals.note(refused.audited)
        return _problem(refused)
    except Unavailable as unavailable:
        return _problem(SpokeRequestRefusal(problems.OVERLOADED, unavailable.message, retry_after_s=_BUSY_S))


def _message(message: msgspec.Struct) -> Response:
    return Response(_ENCODER.encode(message), media_type="application/json")


def _problem(refused: SpokeRequestRefusal) -> Response:
    problem = refused.problem
    body = problems.Problem(
        type=problem.uri,
        title=problem.title,
        status=problem.status,
        detail=refused.detail[:500],
        remedy=problem.remedy,
    )
    headers = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
    return Response(
        _ENCODER.encode(body), status_code=problem.status, media_type=problems.CONTENT_TYPE, headers=headers
    )
