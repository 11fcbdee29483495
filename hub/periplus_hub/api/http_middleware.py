"""What every listener does around a request.

An id, a bound on its body, counts and times, the headers no answer should lack, and an answer even when the code
below fails.
"""

import asyncio
from http import HTTPStatus
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from periplus_hub.access.service import request_id as current_request
from periplus_hub.access.service import source_address
from periplus_hub.api.problems import BodyTooLargeError, BodyTooSlowError, problem_for
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.metrics import counter, histogram

BODY_TIMEOUT_S: Final = 15.0
"""For the whole body: slow senders must not hold memory."""
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""No answer lacks them."""
_SHOWN_PATH: Final = 200
_CLIENT_CLOSED: Final = 499
"""As others count it."""
_TRANSPORT_SECURITY: Final = "max-age=31536000"

_STOPPING: Final = Unavailable("the hub is stopping", "Try again shortly.")

_requests: Final = counter(
    "periplus_http_requests_total", "Requests answered, by listener and status code.", ("listener", "status")
)
_duration: Final = histogram("periplus_http_request_duration_seconds", "How long answers took.", ("listener",))
_log: Final = structlog.get_logger(__name__)


class Observed:
    """ASGI middleware, outermost on every listener. `most_bytes` is the listener's largest body."""

    def __init__(self, app: ASGIApp, listener: str, clock: Clock, most_bytes: int) -> None:
        self._app = app
        self._listener = listener
        self._clock = clock
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        came_from = source_address.set((scope.get("client") or ("",))[0])
        try:
            await self._observe(scope, receive, send)
        finally:
            source_address.reset(came_from)

    async def _observe(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = str(new_id())
        before = current_request.set(identity)
        with structlog.contextvars.bound_contextvars(request_id=identity, listener=self._listener):
            try:
                await self._answer(scope, receive, _Answer(send, identity, secure=scope["scheme"] == "https"))
            finally:
                current_request.reset(before)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        began_s = self._clock.monotonic_s()
        try:
            await self._app(scope, _Body(scope, receive, self._most_bytes), answer)
        except asyncio.CancelledError:  # only the server cancels requests, at the end of its patience with them
            await self._fail(_STOPPING, scope, receive, answer)
        except ClientDisconnect:  # there is nobody to answer, and strangers do not fill the log
            answer.status = _CLIENT_CLOSED
        except Exception as error:  # noqa: BLE001 - the last resort: the client gets an answer and we get the traceback
            await self._fail(error, scope, receive, answer)
        finally:
            _requests.labels(self._listener, str(answer.status)).inc()
            _duration.labels(self._listener).observe(self._clock.monotonic_s() - began_s)

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        response = problem_for(error, answer.identity)
        if error is _STOPPING:
            _log.warning("request_cut_off", method=scope["method"], path=scope["path"][:_SHOWN_PATH])
        elif response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            fault = response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
            log = _log.error if fault else _log.warning
            log("request_failed", method=scope["method"], path=scope["path"][:_SHOWN_PATH], exc_info=error)
        if not answer.started:
            await response(scope, receive, answer)


class _Body:
    """`receive`, counted and timed. What it refuses is raised where the body is read, and worded for that reader."""

    def __init__(self, scope: Scope, receive: Receive, most_bytes: int) -> None:
        declared = Headers(scope=scope).get("content-length", "")
        self._declared = int(declared) if declared.isdigit() else 0
        self._receive = receive
        self._most_bytes = most_bytes
        self._seen = 0
        self._complete = False
        self._until = asyncio.get_running_loop().time() + BODY_TIMEOUT_S

    async def __call__(self) -> Message:
        if self._complete:  # what is awaited now is the client's leaving, and that may take its time
            return await self._receive()
        # Here and not before: who reads no body, like a refusal of the token, need not refuse it either.
        self._refuse_larger(self._declared)
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyTooSlowError(f"the body was not complete after {BODY_TIMEOUT_S:g} s") from error
        self._seen += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        self._refuse_larger(self._seen)
        return message

    def _refuse_larger(self, found: int) -> None:
        if found > self._most_bytes:
            raise BodyTooLargeError(f"the body is larger than {self._most_bytes} bytes")


class _Answer:
    """`send`, with the headers every answer carries."""

    def __init__(self, send: Send, identity: str, *, secure: bool) -> None:
        self._send = send
        self._secure = secure
        self.identity = identity
        self.started = False
        self.status = int(HTTPStatus.INTERNAL_SERVER_ERROR)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("X-Request-ID", self.identity)
            if self._secure:
                headers.setdefault("Strict-Transport-Security", _TRANSPORT_SECURITY)
            message = {**message, "headers": headers.raw}
        await self._send(message)
