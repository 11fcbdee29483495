"""Errors over HTTP, as RFC 9457 problems.

A spoke takes only registered types for a verdict, so an answer that is none (a wrong path, a bug of ours) says
`about:blank` and is retried.
"""

from http import HTTPStatus
from typing import Final

import msgspec
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from periplus_contract import problems
from periplus_hub.kit.db_errors import is_connection_trouble, is_no_room, is_timeout
from periplus_hub.kit.errors import Refusal, Unavailable

_STATUS: Final = {
    "conflict": HTTPStatus.CONFLICT,
    "forbidden": HTTPStatus.FORBIDDEN,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "not-found": HTTPStatus.NOT_FOUND,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
_RETRY_AFTER_S: Final = "5"


def plain_problem(status: int, detail: str, remedy: str = "") -> Response:
    """A problem that is no verdict."""
    body = problems.Problem(
        type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=detail, remedy=remedy
    )
    return _answer(body)


def registered_problem(problem: problems.ProblemType, detail: str) -> Response:
    """One of the contract's."""
    return _answer(
        problems.Problem(
            type=problem.uri, title=problem.title, status=problem.status, detail=detail, remedy=problem.remedy
        )
    )


def problem_for(error: Exception, request_id: str) -> Response:
    """What an exception that reached the outermost layer looks like from outside: nothing of its text, if unknown."""
    if isinstance(error, Unavailable):
        return registered_problem(problems.OVERLOADED, error.message)
    if isinstance(error, Refusal):
        return plain_problem(_STATUS.get(error.slug, HTTPStatus.BAD_REQUEST), error.message, error.remedy)
    if isinstance(error, DBAPIError | OSError) and (
        is_connection_trouble(error) or is_no_room(error) or is_timeout(error)
    ):
        return registered_problem(problems.OVERLOADED, "the store does not answer in time")
    return plain_problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "the hub failed while answering",
        f"Report it with the hub's log lines of request {request_id}.",
    )


async def http_exception(_request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such path, no such method."""
    if not isinstance(error, HTTPException):
        raise error
    answer = plain_problem(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _answer(body: problems.Problem) -> Response:
    headers = {"Cache-Control": "no-store"}
    if body.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _RETRY_AFTER_S
    return Response(msgspec.json.encode(body), body.status, headers, problems.CONTENT_TYPE)
