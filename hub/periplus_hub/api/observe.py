"""What every listener does around a request: counts and times it, and sends the headers no answer should lack."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from periplus_hub.kit.clock import Clock
from periplus_hub.kit.metrics import counter, histogram

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_requests: Final = counter(
    "periplus_http_requests_total", "Requests answered, by listener and status code.", ("listener", "status")
)
_duration: Final = histogram("periplus_http_request_duration_seconds", "How long answers took.", ("listener",))


class Observed:
    """ASGI middleware; request bodies are bounded by whoever reads them."""

    def __init__(self, app: ASGIApp, listener: str, clock: Clock) -> None:
        self._app = app
        self._listener = listener
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began_s = self._clock.monotonic_s()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message.get("headers", ())}
                extra = [header for header in _HEADERS if header[0] not in present]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            _requests.labels(self._listener, str(status)).inc()
            _duration.labels(self._listener).observe(self._clock.monotonic_s() - began_s)
