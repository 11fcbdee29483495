"""POST /graphql, and the websocket at the same path: the door people and programs use.

Strawberry's own views are not used: they accept GET, batches, multipart and two websocket protocols unless told
otherwise. This door knows POST with application/json and graphql-transport-ws, nothing else.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from graphql import OperationType
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope
from starlette.websockets import WebSocket

from periplus_hub.access import service as access
from periplus_hub.access.model_people import SignInRefusal
from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import Authenticator
from periplus_hub.access.service_browser import BrowserSignIn
from periplus_hub.api.credentials import OWN_HEADER, Credential, shown_by, why_foreign
from periplus_hub.api.graphql_answer import Compressor
from periplus_hub.api.graphql_checks import RequestChecks, body_too_large, decode_request, principal, read_body
from periplus_hub.api.graphql_documents import Documents, InvalidDocument
from periplus_hub.api.graphql_limits import LIMITS, GraphQLRefusal, Limits, refusal_of
from periplus_hub.api.graphql_parts import PARTS
from periplus_hub.api.graphql_run import Runner, refusal_body
from periplus_hub.api.graphql_turns import Operations
from periplus_hub.api.graphql_websocket import Connection
from periplus_hub.api.problems import BodyTooLargeError, BodyTooSlowError
from periplus_hub.api.schema import Assembled, assemble
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.events import Events
from periplus_hub.kit.graphql import Context
from periplus_hub.kit.graphql_parts import Part
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.seats import recognised

_JSON: Final = "application/json"
_UNKNOWN: Final = {
    False: (
        "The token is missing, unknown, expired or revoked.",
        "Send 'Authorization: Bearer <token>' with a valid token.",
    ),
    True: ("The session is unknown or has ended.", "Sign in again: open /auth/login in the browser."),
}
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(slots=True)
class GraphQLApp:
    """The ASGI endpoint; mount it at /graphql for http and websocket."""

    db: Database
    clock: Clock
    authenticator: Authenticator
    events: Events | None = None
    settings: object = None
    columns: ColumnStore | None = None
    limits: Limits = LIMITS
    trusted: Iterable[str] = ()
    parts: tuple[Part, ...] = PARTS
    browsers: BrowserSignIn | None = None
    """Those who sign in with a browser; None: no cookie is read."""
    assembled: Assembled = field(init=False)
    checks: RequestChecks = field(init=False)
    runner: Runner = field(init=False)
    compressor: Compressor = field(default_factory=Compressor)

    def __post_init__(self) -> None:
        self.assembled = assemble(self.parts)
        schema = self.assembled.schema._schema  # noqa: SLF001 - Strawberry shows graphql-core's schema nowhere else
        self.checks = RequestChecks(schema, self.limits, Documents(schema, self.limits, self.trusted))
        self.runner = Runner(schema, self.limits, Operations(self.clock, self.db.limits.readers))

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "websocket":
            await Connection(self, WebSocket(scope, receive, send)).serve()
        else:
            response = await self.answer(Request(scope, receive))
            await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """One operation over HTTP."""
        request_id = access.request_id.get() or str(new_id())  # the listener's, which its log lines carry
        before = access.request_id.set(request_id)
        try:
            body, headers = await self._run(request, request_id)
            return _response(body, HTTPStatus.OK, headers | {"x-request-id": request_id})
        except InvalidDocument as invalid:
            return _response(refusal_body(invalid, invalid.as_errors()), invalid.status, {"x-request-id": request_id})
        except (GraphQLRefusal, Refusal) as error:
            refusal = error if isinstance(error, GraphQLRefusal) else refusal_of(error)
            return _response(refusal_body(refusal), refusal.status, refusal.headers | {"x-request-id": request_id})
        finally:
            access.request_id.reset(before)

    async def _run(self, request: Request, request_id: str) -> tuple[bytes, dict[str, str]]:
        """The answer, and the headers that say how it is encoded."""
        check_form(request)
        shown = shown_by(request)
        if shown.cookie and self.browsers is not None:
            self._check_own(request.headers, with_own_header=True)
        scope = await self.authenticate(shown)
        recognised(request.scope, principal(scope))
        message = decode_request(await self._body(request), self.limits)
        ad_hoc = scope.allows(Permission.ADHOC)
        now_s = self.clock.monotonic_s()
        admitted = await self.checks.admit(message, principal(scope), now_s=now_s, ad_hoc=ad_hoc)
        if admitted.prepared.kind.value == "subscription":
            text = "Subscriptions are served over websocket only."
            raise GraphQLRefusal("subscription-over-http", text, "Connect to /graphql with graphql-transport-ws.")
        context = self.context(scope, request_id, shown)
        if admitted.prepared.kind is not OperationType.QUERY:  # what was begun is ended: who left could not tell
            return await self.runner.run(admitted, context), {}
        body = await _while_there(request, self.runner.run(admitted, context))
        body, coding = await self.compressor.encode(body, request.headers.get("accept-encoding", ""))
        return body, {"vary": "accept-encoding"} | ({"content-encoding": coding} if coding else {})

    async def _body(self, request: Request) -> bytes:
        try:
            return await read_body(request.stream(), self.limits)
        except ClientDisconnect:
            raise GraphQLRefusal("malformed-json", "The body ended early.", "Send it again.") from None
        except BodyTooLargeError as error:
            declared = int(request.headers.get("content-length", "0"))
            raise body_too_large(max(declared, self.limits.body_bytes + 1), self.limits) from error
        except BodyTooSlowError as error:
            raise GraphQLRefusal("body-too-slow", f"{str(error).capitalize()}.", "Send it faster.") from error

    def check_own_page(self, socket: HTTPConnection) -> None:
        """Of a websocket that shows a cookie; raises GraphQLRefusal. Its Origin alone can say which page asks."""
        self._check_own(socket.headers, with_own_header=False)

    async def authenticate(self, shown: Credential, *, is_use: bool = True) -> Scope:
        """Who the token or cookie stands for; raises GraphQLRefusal for anybody unknown."""
        try:
            scope = await self._scope_of(shown, is_use=is_use)
        except SignInRefusal as error:
            raise _not_let_in(refusal_of(error)) from None
        if scope is None or not scope.allows(Permission.READ):
            raise _not_let_in(GraphQLRefusal("unauthenticated", *_UNKNOWN[bool(shown.cookie)]))
        return scope

    async def _scope_of(self, shown: Credential, *, is_use: bool) -> Scope | None:
        if shown.token:
            return await self.authenticator.authenticate(shown.token)
        if not shown.cookie or self.browsers is None:
            return None
        found = await self.browsers.sessions.find(shown.cookie, is_use=is_use)
        return None if found is None else found.scope

    def _check_own(self, headers: Headers, *, with_own_header: bool) -> None:
        own = "" if self.browsers is None else self.browsers.public_url
        if why := why_foreign(headers, own, with_own_header=with_own_header):
            message = f"The session's cookie is not taken here: {why}."
            raise GraphQLRefusal("cross-site", message, f"Ask from a page of {own}, with {OWN_HEADER}: 1.")

    def context(self, scope: Scope, request_id: str, shown: Credential) -> Context[Scope]:
        """The surroundings of one operation."""
        check = partial(self._still_holds, shown, scope)
        return Context(
            self.db,
            scope,
            self.clock,
            self.events,
            request_id,
            finders=self.assembled.finders,
            settings=self.settings,
            columns=self.columns,
            still_valid=check,
        )

    async def _still_holds(self, shown: Credential, scope: Scope) -> bool:
        try:
            return await self._scope_of(shown, is_use=False) == scope
        except SignInRefusal:
            return False


def _not_let_in(refusal: GraphQLRefusal) -> GraphQLRefusal:
    if refusal.status is HTTPStatus.UNAUTHORIZED:
        refusal.headers["www-authenticate"] = "Bearer"
    return refusal


async def _while_there(request: Request, answering: Coroutine[Any, Any, bytes]) -> bytes:
    """The answer, for as long as there is somebody to hear it: else its place is for the next."""
    answer = asyncio.ensure_future(answering)  # allowed: ended below, its failure is raised
    left = asyncio.ensure_future(_leaving(request))  # allowed: ended below
    try:
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise GraphQLRefusal("gone", "The asker went away.", "Stay for the answer.")
        return answer.result()
    finally:
        left.cancel()
        answer.cancel()
        await asyncio.gather(answer, left, return_exceptions=True)


async def _leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def check_form(request: Request) -> None:
    """POST with plain JSON only: a browser cannot be made to send that across origins without asking first."""
    if request.method != "POST":
        refusal = GraphQLRefusal("method-not-allowed", f"{request.method} is not served here.", "Send POST with JSON.")
        refusal.headers["allow"] = "POST"
        raise refusal
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != _JSON or charset not in ("", "utf-8"):
        message = f"The content type '{kind.strip()[:60]}' is not served."
        raise GraphQLRefusal("unsupported-media-type", message, f"Send Content-Type: {_JSON}, in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise GraphQLRefusal("unsupported-media-type", "The body is compressed.", "Send it as it is.")


def _response(body: bytes, status: HTTPStatus, headers: dict[str, str]) -> Response:
    return Response(body, status, headers | _HEADERS, media_type=_JSON)
