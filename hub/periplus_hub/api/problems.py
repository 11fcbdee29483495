"""Errors over HTTP, as RFC 9457 problems.

A spoke takes only registered types for a verdict, so an answer that is none (a wrong path, a bug of ours) says
`about:blank` and is retried.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from periplus_contract import problems
from periplus_hub.access.service import request_id
from periplus_hub.kit.db_errors import is_store_trouble
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


class BodyTooLargeError(Exception):
    """More bytes came than the listener takes; the message says how many it takes."""


class BodyTooSlowError(Exception):
    """The body was not complete in time; the message says what that is."""


def problem_for(error: Exception, request_id: str) -> Response:
    """What an exception that reached the outermost layer looks like from outside: nothing of its text, if unknown."""
    if isinstance(error, BodyTooLargeError):
        return registered_problem(problems.TOO_LARGE, str(error))
    if isinstance(error, BodyTooSlowError):
        return plain_problem(HTTPStatus.REQUEST_TIMEOUT, str(error), "Send it faster.")
    if isinstance(error, Unavailable):
        return registered_problem(problems.OVERLOADED, error.message)
    if isinstance(error, Refusal):
        return plain_problem(_STATUS.get(error.slug, HTTPStatus.BAD_REQUEST), error.message, error.remedy)
    if is_store_trouble(error):
        return registered_problem(problems.OVERLOADED, "the store does not answer in time")
    return plain_problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "the hub failed while answering",
        f"Report it with the hub's log lines of request {request_id}.",
    )


async def _http_exception(_request: Request, error: HTTPException) -> Response:
    """Starlette's own refusals: no such path, no such method."""
    answer = plain_problem(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _failure(_request: Request, error: Exception) -> Response:
    return problem_for(error, request_id.get())


def _answer(body: problems.Problem) -> Response:
    headers = {"Cache-Control": "no-store"}
    if body.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _RETRY_AFTER_S
    return Response(msgspec.json.encode(body), body.status, headers, problems.CONTENT_TYPE)


HANDLERS: Final[dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]] = {
    HTTPException: _http_exception,
    BodyTooLargeError: _failure,
    BodyTooSlowError: _failure,
    Exception: _failure,
}
"""For every Starlette application: without them it answers in plain text before anything around it can."""
