"""Spans reach a collector when the environment names one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.hub_process import config_for, hub

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(BaseHTTPRequestHandler):
    """Takes OTLP over HTTP."""

    taken: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        """Nothing on stderr."""


@contextmanager
def collecting() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """In a thread of its own, because the hub flushes its spans while its loop ends."""
    taken: list[tuple[str, bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Collector,), {"taken": taken}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_request_becomes_a_span_of_its_callers_trace(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as (url, taken):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        async with hub(config_for(database_url, tmp_path)) as ready, httpx.AsyncClient() as client:
            headers = {"traceparent": f"00-{CALLER}-00f067aa0ba902b7-01", "authorization": "Bearer canary"}
            assert (await client.get(f"{ready['api_url']}/graphql", headers=headers)).status_code == 405
    assert {path for path, _ in taken} == {"/v1/traces"}
    sent = b"".join(body for _, body in taken)
    assert b"canary" not in sent
    resources = [each for _, body in taken for each in ExportTraceServiceRequest.FromString(body).resource_spans]
    spans = {span.name: span for each in resources for scope in each.scope_spans for span in scope.spans}
    span = spans["GET /graphql"]
    assert span.trace_id.hex() == CALLER
    told = {each.key: each.value for each in span.attributes}
    assert told["periplus.listener"].string_value == "api"
    assert told["http.response.status_code"].int_value == 405
    names = {each.key: each.value.string_value for each in resources[0].resource.attributes}
    assert names["service.name"] == "periplus-hub"
