"""Runs an admitted operation and words its outcome; the same for HTTP and websocket."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final, cast

import msgspec
import structlog
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    VariableDefinitionNode,
    create_source_event_stream,
    execute,
)
from strawberry.execution import optimized_is_awaitable

from periplus_hub.access.scope import Scope
from periplus_hub.api.graphql_answer import with_cost
from periplus_hub.api.graphql_checks import Admitted
from periplus_hub.api.graphql_documents import COMPARE
from periplus_hub.api.graphql_executor import CompiledExecutor
from periplus_hub.api.graphql_limits import GraphQLRefusal, Limits
from periplus_hub.api.graphql_turns import Operations, busy
from periplus_hub.kit.db_errors import is_store_trouble
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.events import Event
from periplus_hub.kit.graphql import Context

_log: Final = structlog.get_logger(__name__)
_DECLARED: Final = "Send a value of the type the operation declares for this variable."
_KEPT_INTROSPECTIONS: Final = 8


@dataclass(slots=True)
class Runner:
    """Executes on our executor within the deadline and serialises."""

    schema: GraphQLSchema
    limits: Limits
    operations: Operations
    introspections: OrderedDict[tuple[str, bytes], bytes] = field(default_factory=OrderedDict)

    async def run(self, admitted: Admitted, context: Context[Scope]) -> bytes:
        """The response body; raises GraphQLRefusal for the deadline and the size of the answer."""
        if admitted.prepared.introspects:
            async with self._turn(admitted, context):
                return with_cost(await self._introspect(admitted), admitted.cost, admitted.left)
        async with self._turn(admitted, context):
            result = await self._execute(admitted, context)
        return with_cost(self.serialise(result, context.request_id), admitted.cost, admitted.left)

    async def events(self, admitted: Admitted, context: Context[Scope]) -> AsyncGenerator[Event, None] | bytes:
        """What a subscription listens to, or the body that says why it cannot."""
        built = CompiledExecutor.build(
            self.schema,
            admitted.prepared.document,
            context_value=context,
            raw_variable_values=admitted.variables,
            hide_suggestions=True,
        )
        if isinstance(built, list):
            return self.serialise(ExecutionResult(None, errors=built), context.request_id)
        found = create_source_event_stream(built)
        if isawaitable(found):
            found = await found
        if isinstance(found, ExecutionResult):
            return self.serialise(found, context.request_id)
        return cast("AsyncGenerator[Event, None]", found)

    async def run_event(
        self, admitted: Admitted, context: Context[Scope], read: Callable[[], Awaitable[object | None]]
    ) -> bytes | None:
        """The answer to one event of a subscription: `read` finds what it is about, None when there is nothing to say.

        An event is bounded like any operation.
        """
        async with self._turn(admitted, context):
            found = await read()
            result = None if found is None else await self._execute(admitted, context, found)
        return None if result is None else self.serialise(result, context.request_id)

    @asynccontextmanager
    async def _turn(self, admitted: Admitted, context: Context[Scope]) -> AsyncIterator[None]:
        """A place to run on, within the deadline: waiting counts. Nothing of the operation goes on after it."""
        limit = self.limits.execution_s
        waits = True
        try:
            async with asyncio.timeout(limit), self.operations.turn(context.scope, admitted.cost):
                waits = False
                context.begin()
                try:
                    yield
                    await context.settle()
                finally:
                    # Loaders and statements of this operation end here, also after the deadline: they would hold
                    # connections of others.
                    await context.abandon()
        except TimeoutError:
            if waits:
                raise busy(f"The operation waited {limit:g} s for its turn.", limit=limit) from None
            message = f"The operation took longer than {limit:g} s and was stopped."
            raise GraphQLRefusal("deadline-exceeded", message, "Ask for less at once.", limit=limit) from None

    async def _execute(
        self, admitted: Admitted, context: Context[Scope], root: object | None = None
    ) -> ExecutionResult:
        result = execute(
            self.schema,
            admitted.prepared.document,
            root,
            context_value=context,
            variable_values=admitted.variables,
            executor_class=CompiledExecutor,
            is_awaitable=cast("Any", optimized_is_awaitable),  # a bool where graphql-core declares a TypeGuard
            hide_suggestions=True,
        )
        if isawaitable(result):
            result = await result
        return result

    async def _introspect(self, admitted: Admitted) -> bytes:
        """In a worker thread, because it is long and purely computing; the answer is kept."""
        document, variables = admitted.prepared.document, admitted.variables
        asked = (admitted.prepared.digest, msgspec.json.encode(variables))
        kept = self.introspections.get(asked)
        if kept is None:
            # Without a context: introspection reads the schema and nothing of a tenant, so answers may be kept for
            # everybody.
            result = await asyncio.to_thread(execute, self.schema, document, variable_values=variables)
            kept = self.serialise(cast("ExecutionResult", result), "")
            self.introspections[asked] = kept
            while len(self.introspections) > _KEPT_INTROSPECTIONS:
                self.introspections.popitem(last=False)
        return kept

    def serialise(self, result: ExecutionResult, request_id: str) -> bytes:
        """JSON of the result, errors worded for callers; raises GraphQLRefusal when it is too long."""
        payload: dict[str, object] = {"data": result.data}
        if result.errors:
            payload["errors"] = error_entries(result.errors, request_id)
        body = msgspec.json.encode(payload)
        if len(body) > self.limits.response_bytes:
            limit = self.limits.response_bytes
            message = f"The answer has {len(body):,} bytes; at most {limit:,} are sent."
            remedy = "Ask for smaller pages (first) or fewer fields."
            raise GraphQLRefusal("response-too-large", message, remedy, limit=limit, found=len(body))
        return body


def error_entries(errors: Sequence[GraphQLError], request_id: str) -> list[dict[str, object]]:
    """Refusals and GraphQL's own errors in their words; anything else is a bug, logged and masked."""
    broken = [error for error in errors if _is_broken(error)]
    if broken:
        first = broken[0]
        _log.error(
            "graphql_failed",
            path=first.path,
            fields=len(broken),
            request_id=request_id,
            exc_info=first.original_error,
        )
    return [_entry(error, request_id) for error in errors]


def _is_broken(error: GraphQLError) -> bool:
    cause = error.original_error
    return cause is not None and not isinstance(cause, Refusal | GraphQLError) and not is_store_trouble(cause)


def _entry(error: GraphQLError, request_id: str) -> dict[str, object]:
    cause = error.original_error
    entry: dict[str, object] = {"message": error.message[:500]}
    extensions: dict[str, Any] = {"code": "invalid-operation", "remedy": COMPARE}
    if error.nodes and isinstance(error.nodes[0], VariableDefinitionNode):
        extensions = {"code": "invalid-variable", "remedy": _DECLARED}
    elif isinstance(cause, Refusal):
        extensions = {"code": cause.slug, "remedy": cause.remedy}
    elif cause is not None and is_store_trouble(cause):
        _log.warning("store_not_answering", path=error.path, request_id=request_id, exc_info=cause)
        entry["message"] = "The store does not answer in time."
        extensions = {"code": "unavailable", "remedy": "Try again shortly, or see the hub's log."}
    elif _is_broken(error):
        entry["message"] = f"Something broke inside the hub; its log tells more under {request_id}."
        extensions = {"code": "internal", "remedy": "Report it with the request id.", "requestId": request_id}
    if error.path:
        entry["path"] = error.path
    if error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return {**entry, "extensions": extensions}


def refusal_body(refusal: GraphQLRefusal, entries: Sequence[Mapping[str, object]] | None = None) -> bytes:
    """The response body of a refused request."""
    return msgspec.json.encode({"errors": entries or [refusal.as_error()]})
