"""What every operation passes before anything runs. The order matters: cheap checks guard dear ones."""

from collections import OrderedDict
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from graphql import GraphQLSchema

from periplus_contract.decode_errors import where_decoding_stopped
from periplus_hub.access.scope import Scope
from periplus_hub.api.graphql_cost import check_cost
from periplus_hub.api.graphql_documents import Documents, Prepared
from periplus_hub.api.graphql_limits import GraphQLRefusal, Limits, over
from periplus_hub.api.graphql_shape import check_storable

_PRINCIPALS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """A decoded request body."""

    query: str
    variables: Mapping[str, object]
    operation_name: str | None


@dataclass(frozen=True, slots=True)
class Admitted:
    """An operation that may run."""

    prepared: Prepared
    variables: dict[str, object]
    cost: float
    left: float
    """Of the asker's budget, once it is paid."""


async def read_body(chunks: AsyncIterable[bytes], limits: Limits) -> bytes:
    """The whole body; stops reading at the limit whatever Content-Length said."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limits.body_bytes:
            raise body_too_large(len(body), limits)
    return bytes(body)


def body_too_large(found: int, limits: Limits) -> GraphQLRefusal:
    """The refusal of a body of `found` bytes or more."""
    remedy = "Send large inputs in several requests."
    return over("body-too-large", "or more bytes", limit=limits.body_bytes, found=found, remedy=remedy)


def decode_request(body: bytes, limits: Limits) -> Request:
    """Decode and measure the JSON body; raises GraphQLRefusal."""
    try:
        message = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        detail = f"The body is not JSON{where_decoding_stopped(error)}."
        raise GraphQLRefusal("malformed-json", detail, "Send a JSON object in UTF-8 with 'query'.") from None
    return request_of(message, limits)


def request_of(message: object, limits: Limits) -> Request:
    """The request inside a decoded JSON value; used for websocket payloads too."""
    if isinstance(message, list):
        raise GraphQLRefusal("batching", "Batches of operations are not served.", "Send one operation per request.")
    if not isinstance(message, dict):
        raise GraphQLRefusal("malformed-json", "The body is not a JSON object.", 'Send {"query": "…"}.')
    query, variables = message.get("query"), message.get("variables") or {}
    name = message.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise GraphQLRefusal("malformed-json", "'query' is missing or not a text.", "Send the operation as 'query'.")
    if not isinstance(variables, dict):
        raise GraphQLRefusal("malformed-json", "'variables' is not an object.", "Send variables by name.")
    if name is not None and not isinstance(name, str):
        raise GraphQLRefusal("malformed-json", "'operationName' is not a text.", "Leave it out: one operation is sent.")
    check_variables(variables, limits)
    return Request(query, variables, name)


def check_variables(variables: Mapping[str, object], limits: Limits) -> None:
    """Bound the number of values, their nesting and the length of texts, without recursion."""
    level: list[object] = [variables]
    values = depth = 0
    while level:
        depth += 1
        if depth > limits.variables_depth + 1:
            remedy = "Flatten the variables."
            limit = limits.variables_depth
            raise over("variables-too-deep", "or more levels in its variables", limit=limit, found=depth, remedy=remedy)
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
            elif isinstance(value, str):
                _check_text(value, limits)
        values += len(inner)
        if values > limits.variables:
            remedy = "Send fewer values at once."
            raise over("too-many-variables", "values", limit=limits.variables, found=values, remedy=remedy)
        level = inner


def _check_text(text: str, limits: Limits) -> None:
    if len(text) > limits.text_chars:
        what = "characters in one variable"
        raise over("text-too-long", what, limit=limits.text_chars, found=len(text), remedy="Shorten the text.")
    check_storable(text)


def principal(scope: Scope) -> str:
    """Whose bucket an operation spends from."""
    return f"{scope.tenant_id}/{scope.actor}"


class Buckets:
    """A token bucket per principal, in units of cost."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, principal: str, cost: float, now_s: float) -> float:
        """Take `cost` from the principal's bucket and say what is left; raises GraphQLRefusal when it holds less."""
        limits = self._limits
        # Taken out and put back at the end: the front of the dict is who has not asked for the longest.
        level, at_s = self._levels.pop(principal, (limits.bucket, now_s))
        level = min(limits.bucket, level + (now_s - at_s) * limits.refill_per_s)
        enough = level >= cost
        self._levels[principal] = (level - cost if enough else level, now_s)
        while len(self._levels) > _PRINCIPALS:
            self._levels.popitem(last=False)
        if not enough:
            wait_s = max(1, round((cost - level) / limits.refill_per_s))
            message = f"This token spent its budget: the operation costs {cost:.0f} and {level:.0f} are left."
            remedy = f"Wait {wait_s} s, or ask for less."
            refusal = GraphQLRefusal("budget-exhausted", message, remedy, limit=limits.bucket, found=round(cost))
            refusal.headers["retry-after"] = str(wait_s)
            raise refusal
        return level - cost


class RequestChecks:
    """Document, permission, cost and budget, in this order."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, documents: Documents) -> None:
        self.limits = limits
        self._schema = schema
        self._documents = documents
        self._buckets = Buckets(limits)

    def charge(self, principal: str, cost: float, now_s: float) -> float:
        """Take the price of what was admitted before and happens again, and say what is left; raises GraphQLRefusal."""
        return self._buckets.spend(principal, cost, now_s)

    async def admit(self, request: Request, principal: str, *, now_s: float, ad_hoc: bool) -> Admitted:
        """Let the operation in or raise GraphQLRefusal. `ad_hoc` says whether unknown documents are allowed."""
        # Before it is parsed: a document that is refused afterwards has cost the hub as much as one that is not.
        if not self._documents.knows(request.query):
            self._buckets.spend(principal, self.limits.new_document_cost, now_s)
        prepared = await self._documents.prepare(request.query)
        if not (ad_hoc or prepared.trusted):
            message = "This token may only run the operations of the web interface."
            raise GraphQLRefusal("forbidden", message, "Use a token with the permission 'adhoc'.")
        if request.operation_name not in (None, "", prepared.name):
            message = f"The document has no operation named '{request.operation_name[:60]}'."
            raise GraphQLRefusal("one-operation", message, "Leave operationName out, or spell it as in the document.")
        cost = check_cost(self._schema, prepared.document, request.variables, self.limits)
        left = self._buckets.spend(principal, cost, now_s)
        return Admitted(prepared, dict(request.variables), cost, left)
