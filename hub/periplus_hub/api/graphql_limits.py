"""Limits of the GraphQL door, and the one shape every refusal has."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from periplus_hub.kit.errors import Refusal, Unavailable


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound an operation meets, in the order it meets them."""

    body_bytes: int = 32 * 1024
    tokens: int = 1_000
    number_chars: int = 100
    """Of one number: Python turns no longer text than it is told to into one."""
    brackets: int = 40
    """Open brackets at once: keeps the recursive parser far from the interpreter's own limit."""
    fragments: int = 50
    depth: int = 8
    introspection_depth: int = 15
    introspection_lists: int = 3
    """Lists of lists below `__schema` and `__type`; the standard introspection query has three."""
    aliases: int = 30
    root_fields: int = 10
    fields: int = 500
    """Selections after expanding every fragment."""
    same_name: int = 20
    """Selections of one response name in one selection set; validation compares them in pairs."""
    directives: int = 20
    comparisons: int = 20_000
    """Units of work graphql-core may spend on merging overlapping fields."""
    validation_s: float = 0.25
    validation_errors: int = 10
    variables: int = 1_000
    """Values inside `variables`, counting containers."""
    variables_depth: int = 8
    text_chars: int = 8 * 1024
    cost: float = 5_000
    bucket: float = 50_000
    """What one principal may spend at once; it refills at `refill_per_s`."""
    refill_per_s: float = 5_000
    new_document_cost: float = 500
    """For checking a document that is not kept, also when it turns out to be invalid: ten a second for each token."""
    execution_s: float = 10
    response_bytes: int = 4 * 1024 * 1024
    documents: int = 512
    """Validated documents kept."""


LIMITS: Final = Limits()


class GraphQLRefusal(Exception):
    """The operation does not pass: what limit, what was found, and what to do about it."""

    def __init__(
        self, code: str, message: str, remedy: str, *, limit: float | None = None, found: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.limit = limit
        self.found = found
        self.status = _STATUS.get(code, HTTPStatus.BAD_REQUEST)
        self.headers: dict[str, str] = {}

    def as_error(self) -> dict[str, object]:
        """The entry of `errors`; `extensions.code` is the stable part."""
        extensions: dict[str, object] = {"code": self.code, "remedy": self.remedy}
        if self.limit is not None:
            extensions["limit"] = self.limit
        if self.found is not None:
            extensions["found"] = self.found
        return {"message": self.message, "extensions": extensions}


_RETRY_AFTER_S: Final = "5"
_STATUS: Final = {
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "cross-site": HTTPStatus.FORBIDDEN,
    "method-not-allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "body-too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "body-too-slow": HTTPStatus.REQUEST_TIMEOUT,
    "unsupported-media-type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "budget-exhausted": HTTPStatus.TOO_MANY_REQUESTS,
    "busy": HTTPStatus.TOO_MANY_REQUESTS,
    "deadline-exceeded": HTTPStatus.GATEWAY_TIMEOUT,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}


def refusal_of(refusal: Refusal) -> GraphQLRefusal:
    """What was refused before there was an operation, like reading the token while the store is away."""
    found = GraphQLRefusal(refusal.slug, refusal.message, refusal.remedy or "Try again in a few seconds.")
    if isinstance(refusal, Unavailable):
        found.headers["retry-after"] = _RETRY_AFTER_S
    return found


def over(code: str, what: str, *, limit: float, found: float, remedy: str) -> GraphQLRefusal:
    """The refusal of something counted, like "The operation has 31 aliases; at most 30 are allowed."."""
    message = f"The operation has {_figure(found)} {what}; at most {_figure(limit)} are allowed."
    return GraphQLRefusal(code, message, remedy, limit=limit, found=min(found, 2**53))


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value < 10**15 else "more than 10^15"
