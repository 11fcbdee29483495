"""What an answer means. Pure.

Only `application/problem+json` with a registered type is a verdict. A proxy's error page, an unknown type, a body
that does not decode: all of those say nothing about our batch, so it is sent again.
"""

from typing import Final, NamedTuple, TypeVar

import msgspec

from periplus_contract.problems import CONTENT_TYPE, Problem, ProblemType, by_uri
from periplus_spoke.transport.client import Reply

_OK: Final = 200
_CLIENT_ERROR: Final = 400
_NOT_JSON: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_PROBLEM: Final = msgspec.json.Decoder(Problem)

T = TypeVar("T", bound=msgspec.Struct)


class HubRefusal(NamedTuple):
    """The hub's signed no."""

    problem: ProblemType
    detail: str
    retry_after_s: float | None

    @property
    def reason(self) -> str:
        """A slug for machines."""
        return self.problem.slug.replace("-", "_")

    @property
    def message(self) -> str:
        """For people."""
        return f"{self.problem.title}: {self.detail}" if self.detail else self.problem.title


class NoVerdict(NamedTuple):
    """An answer that says nothing about the request."""

    message: str
    retry_after_s: float | None


def judge(reply: Reply, answer: type[T]) -> T | HubRefusal | NoVerdict:
    """The decoded answer, the refusal, or neither."""
    if reply.status == _OK:
        try:
            return msgspec.json.decode(reply.body, type=answer)
        except _NOT_JSON:
            return NoVerdict(f"the answer is no {answer.__name__}", reply.retry_after_s)
    # A proxy's 413 or 403 must not give up a batch: only the hub decides what is dropped, and it says so in its own
    # words.
    if reply.status >= _CLIENT_ERROR and reply.content_type == CONTENT_TYPE:
        refusal = _refusal(reply)
        if refusal is not None:
            return refusal
    return NoVerdict(f"HTTP {reply.status} without a verdict of the hub", reply.retry_after_s)


def _refusal(reply: Reply) -> HubRefusal | None:
    try:
        problem = _PROBLEM.decode(reply.body)
    except _NOT_JSON:
        return None
    known = by_uri(problem.type)
    return HubRefusal(known, problem.detail[:500], reply.retry_after_s) if known is not None else None
