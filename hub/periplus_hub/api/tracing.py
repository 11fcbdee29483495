"""OpenTelemetry spans of requests, exported only when the environment names a collector (OTEL_EXPORTER_OTLP_…)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def tracing_asked() -> bool:
    """Whether spans have anywhere to go."""
    return any(os.environ.get(name) for name in _VARIABLES) and os.environ.get("OTEL_SDK_DISABLED") != "true"


@contextmanager
def tracing() -> Iterator[None]:
    """Export spans while the block runs; the SDK reads endpoint, headers and sampling from the environment."""
    if not tracing_asked():
        yield
        return
    # Loaded only when asked for: the exporter costs memory that most hubs have no use for.
    from opentelemetry import trace  # noqa: PLC0415 - see above
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see above

    provider = TracerProvider(resource=Resource.create({"service.name": "periplus-hub"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def traced(app: ASGIApp, listener: str) -> ASGIApp:
    """The app with one server span per request; the app itself when nobody collects spans."""
    return _Traced(app, listener) if tracing_asked() else app


class _Traced:
    def __init__(self, app: ASGIApp, listener: str) -> None:
        from opentelemetry import propagate, trace  # noqa: PLC0415 - as in `tracing`

        self._app = app
        self._listener = listener
        self._tracer = trace.get_tracer("periplus_hub")
        self._extract = propagate.extract
        self._server = trace.SpanKind.SERVER

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = self._extract(dict(Headers(scope=scope).items()))
        attributes = {
            "http.request.method": scope["method"],
            "url.path": scope["path"],
            "periplus.listener": self._listener,
        }
        name = f"{scope['method']} {scope['path']}"
        with self._tracer.start_as_current_span(name, parent, kind=self._server, attributes=attributes) as span:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, answer)
