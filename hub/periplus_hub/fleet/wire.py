"""Verdicts on the wire: how the hub says no to a spoke (RFC 9457), the same for enrolment and batches."""

from typing import Final

import msgspec
from fastapi import Response

from periplus_contract import problems
from periplus_hub.access.model import Refused

_ENCODER: Final = msgspec.json.Encoder()


class RefusedError(Exception):
    """The request ends in this registered problem; `detail` names the thing that is wrong.

    `audited` is for the audit trail, where somebody tried to be whom they are not.
    """

    def __init__(
        self,
        problem: problems.ProblemType,
        detail: str,
        *,
        retry_after_s: int | None = None,
        audited: Refused | None = None,
    ) -> None:
        super().__init__(f"{problem.slug}: {detail}")
        self.problem = problem
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.audited = audited


def problem_response(refused: RefusedError) -> Response:
    """The answer a spoke takes for a verdict."""
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


def message_response(message: msgspec.Struct) -> Response:
    """A contract message as JSON."""
    return Response(_ENCODER.encode(message), media_type="application/json")
