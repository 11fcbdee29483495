"""graphql-transport-ws, for subscriptions alone: queries and mutations go over HTTP.

The token comes in `connection_init` ({"authorization": "Bearer …"}), because a browser cannot set headers here; or it
is the session's cookie, on a page of the hub's own. It is checked again before every event and while the connection is
idle.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, cast

import msgspec
import structlog
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import bearer
from periplus_hub.api.credentials import SESSION_COOKIE, Credential
from periplus_hub.api.graphql_answer import with_cost
from periplus_hub.api.graphql_checks import Admitted, RequestChecks, principal, request_of
from periplus_hub.api.graphql_documents import InvalidDocument
from periplus_hub.api.graphql_limits import GraphQLRefusal, Limits
from periplus_hub.api.graphql_run import Runner
from periplus_hub.api.graphql_subscription import START, change_of
from periplus_hub.api.schema import Assembled
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.events import Event
from periplus_hub.kit.graphql import Context
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.seats import recognised

PROTOCOL: Final = "graphql-transport-ws"
INIT_TIMEOUT_S: Final = 10.0
RECHECK_S: Final = 10.0
MAX_SUBSCRIPTIONS: Final = 10
_ID_CHARS: Final = 100
_BAD, _UNAUTHORIZED, _FORBIDDEN, _NO_PROTOCOL, _INIT_TIMEOUT, _TWICE, _TOO_MANY = (
    4400,
    4401,
    4403,
    4406,
    4408,
    4409,
    4429,
)
_TRY_AGAIN: Final = 1013
_FAILED: Final = GraphQLRefusal(
    "subscription-failed",
    "The hub could not go on with this subscription.",
    "Subscribe again, and read the lists again.",
)

_log: Final = structlog.get_logger(__name__)


class Entrance(Protocol):
    """What the socket needs of the door."""

    checks: RequestChecks
    runner: Runner
    limits: Limits
    clock: Clock
    assembled: Assembled

    def check_own_page(self, socket: HTTPConnection) -> None:
        """Of one that shows a cookie; raises GraphQLRefusal."""
        ...

    async def authenticate(self, shown: Credential, *, is_use: bool = True) -> Scope:
        """Who the token or cookie stands for; raises GraphQLRefusal."""
        ...

    def context(self, scope: Scope, request_id: str, shown: Credential) -> Context[Scope]:
        """The surroundings of one operation."""
        ...


class _Closed(Exception):
    """The connection ends with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True)
class Connection:
    """One websocket and its subscriptions."""

    entrance: Entrance
    socket: WebSocket
    shown: Credential = field(default_factory=Credential)
    scope: Scope | None = None
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """Those running, and those that were told to end and have not yet."""

    async def serve(self) -> None:
        """Until either side ends it."""
        if PROTOCOL not in self.socket.scope.get("subprotocols", []):
            await self.socket.close(_NO_PROTOCOL, f"speak {PROTOCOL}")
            return
        await self.socket.accept(PROTOCOL)
        try:
            await self._init()
            while True:
                await self._handle(await self._next_message())
        except _Closed as closed:
            with contextlib.suppress(RuntimeError):  # closed already by the other side
                await self.socket.close(closed.code, closed.reason)
        except WebSocketDisconnect:
            pass
        finally:
            await self._stop()

    async def _init(self) -> None:
        try:
            async with asyncio.timeout(INIT_TIMEOUT_S):
                message = await self._receive()
        except TimeoutError:
            raise _Closed(_INIT_TIMEOUT, "connection initialisation timeout") from None
        if message.get("type") != "connection_init":
            raise _Closed(_UNAUTHORIZED, "send connection_init first")
        payload = message.get("payload")
        header = payload.get("authorization") if isinstance(payload, dict) else None
        token = bearer(header) if isinstance(header, str) else ""
        self.shown = (
            Credential(token=token) if token else Credential(cookie=self.socket.cookies.get(SESSION_COOKIE, ""))
        )
        await self._check(is_first=True)
        await self._send({"type": "connection_ack"})

    async def _check(self, *, is_first: bool = False) -> None:
        try:
            if is_first and self.shown.cookie:
                self.entrance.check_own_page(self.socket)
            # Looking again is no use of a session: a page that nobody touches ends it in time.
            self.scope = await self.entrance.authenticate(self.shown, is_use=is_first)
        # One word for all, as on HTTP: which of them it is tells a stranger what he got right.
        except GraphQLRefusal:
            raise _Closed(_FORBIDDEN, "the token is missing, unknown, expired or revoked") from None
        except (*DATABASE_ERRORS, Unavailable) as error:  # no word on the token, so neither in nor out
            _log.warning("token_not_checked", error=str(error))
            raise _Closed(_TRY_AGAIN, "the hub cannot check tokens now; connect again") from None
        recognised(self.socket.scope, principal(self.scope))

    async def _next_message(self) -> Mapping[str, Any]:
        """The next message; while there is none, the token is checked again and again."""
        # One receive that is waited for again and again: cancelling it each time would lose the message it was reading.
        waiting = asyncio.ensure_future(self._receive())  # allowed: ended below, its failure is raised
        try:
            while True:
                done, _ = await asyncio.wait({waiting}, timeout=RECHECK_S)
                if done:
                    return waiting.result()
                await self._check()
        finally:
            waiting.cancel()

    async def _receive(self) -> Mapping[str, Any]:
        try:
            text = await self.socket.receive_text()
        except KeyError:
            raise _Closed(_BAD, "messages are text") from None
        if len(text) > self.entrance.limits.body_bytes:
            raise _Closed(_BAD, "the message is too long")
        try:
            message = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            raise _Closed(_BAD, "messages are JSON") from None
        if not isinstance(message, dict):
            raise _Closed(_BAD, "messages are JSON objects")
        return message

    async def _handle(self, message: Mapping[str, Any]) -> None:
        kind, identity = message.get("type"), message.get("id")
        if kind == "ping":
            await self._send({"type": "pong"})
        elif kind == "subscribe" and isinstance(identity, str) and 0 < len(identity) <= _ID_CHARS:
            self._start(identity, message.get("payload"))
        elif kind == "complete" and isinstance(identity, str):
            task = self.running.pop(identity, None)
            if task is not None:
                task.cancel()
        elif kind == "connection_init":
            raise _Closed(_TOO_MANY, "too many initialisation requests")
        elif kind != "pong":
            raise _Closed(_BAD, "unknown message")

    def _start(self, identity: str, payload: object) -> None:
        if identity in self.running:
            raise _Closed(_TWICE, f"subscriber for {identity} already exists")
        # Ended ones count until they are gone: else who subscribes and completes in a loop would hold tasks without
        # end.
        if len(self.running) >= MAX_SUBSCRIPTIONS or len(self.tasks) >= 2 * MAX_SUBSCRIPTIONS:
            raise _Closed(_TOO_MANY, f"at most {MAX_SUBSCRIPTIONS} subscriptions per connection")
        task = asyncio.ensure_future(self._subscription(identity, payload))  # allowed: ended by complete or _stop
        self.running[identity] = task
        self.tasks.add(task)
        task.add_done_callback(partial(self._ended, identity))

    def _ended(self, identity: str, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if self.running.get(identity) is task:  # the name may be another's by now
            del self.running[identity]

    async def _subscription(self, identity: str, payload: object) -> None:
        try:
            await self._stream(identity, payload)
        except InvalidDocument as refusal:
            await self._send({"id": identity, "type": "error", "payload": refusal.as_errors()})
        except GraphQLRefusal as refusal:
            await self._send({"id": identity, "type": "error", "payload": [refusal.as_error()]})
        except Exception:  # noqa: BLE001 - a bug, or the store went away: the listener must hear of it
            _log.exception("subscription_failed")
            await self._send({"id": identity, "type": "error", "payload": [_FAILED.as_error()]})
        else:
            await self._send({"id": identity, "type": "complete"})

    async def _stream(self, identity: str, payload: object) -> None:
        entrance, scope = self.entrance, cast("Scope", self.scope)
        request = request_of(payload, entrance.limits)
        ad_hoc, now_s = scope.allows(Permission.ADHOC), entrance.clock.monotonic_s()
        admitted = await entrance.checks.admit(request, principal(scope), now_s=now_s, ad_hoc=ad_hoc)
        if admitted.prepared.kind.value != "subscription":
            message = "Only subscriptions are served here."
            raise GraphQLRefusal("not-a-subscription", message, "Send queries and mutations with POST /graphql.")
        context = entrance.context(scope, str(new_id()), self.shown)
        found = await entrance.runner.events(admitted, context)
        if isinstance(found, bytes):
            await self._send_next(identity, found)
            return
        async with contextlib.aclosing(found) as stream:
            await self._pass_on(identity, stream, admitted, context)

    async def _pass_on(
        self, identity: str, stream: AsyncIterator[Event], admitted: Admitted, context: Context[Scope]
    ) -> None:
        """Each event is an operation of its own: it is paid for, and has a deadline and a size."""
        entrance = self.entrance
        async for event in stream:
            cost = admitted.cost - START
            left = entrance.checks.charge(principal(context.scope), cost, entrance.clock.monotonic_s())
            read = partial(change_of, entrance.assembled.topics, context, event)
            body = await entrance.runner.run_event(admitted, context, read)
            if body is not None:
                await self._send_next(identity, with_cost(body, cost, left))

    async def _send_next(self, identity: str, body: bytes) -> None:
        await self._send({"id": identity, "type": "next", "payload": msgspec.Raw(body)})

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._send_text(msgspec.json.encode(message))

    async def _send_text(self, body: bytes) -> None:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the other side is gone; the receiver notices
            await self.socket.send_text(body.decode())

    async def _stop(self) -> None:
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
