"""A port for the kubelet and for Prometheus: /healthz, /readyz, /metrics. Says nothing else, to anybody.

Ready means that the cluster has been read and batches are held; an unreachable hub does not make a spoke unready,
because a restart would not help.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kit.errors import ConfigError
from periplus_spoke.transport.report import Report

_log: Final = logging.getLogger(__name__)
_REQUEST_S: Final = 5.0
_REASONS: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
_TEXT: Final = "text/plain; charset=utf-8"
_METRICS_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """Serves until cancelled."""

    def __init__(self, report: Report, is_ready: Callable[[], bool]) -> None:
        self._report = report
        self._is_ready = is_ready

    async def run(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        server = await asyncio.start_server(self._serve, host, port, limit=8192)
        async with server:
            _log.info("health port open", extra={"port": server.sockets[0].getsockname()[1]})
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError):
            pass  # whoever asked is gone or is no HTTP client
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response(405, "only GET\n")
        match path:
            case b"/healthz":
                return _response(200, "ok\n")
            case b"/readyz":
                ready = self._is_ready()
                return _response(200 if ready else 503, "ready\n" if ready else f"{self._report.status.phase}\n")
            case b"/metrics":
                return _response(200, metrics(self._report), _METRICS_TEXT)
            case _:
                return _response(404, "not here\n")


async def serve_health(config: SpokeConfig, report: Report, is_ready: Callable[[], bool]) -> None:
    """Serve until cancelled, if a port is configured. Raises ConfigError when it is taken."""
    port = config.health_port
    if port is None:
        return
    try:
        await Health(report, is_ready).run(config.health_host, port)
    except OSError as error:
        raise ConfigError(
            "bad_config", f"health_port = {port} cannot be used: {error}", "Choose another --health-port."
        ) from error


def metrics(report: Report) -> str:
    """Prometheus text format."""
    lines = []
    depth = report.depth
    if depth is not None:
        lines += _gauge("periplus_spoke_outbox_held_batches", "Batches held until settled.", depth.held_batches)
        lines += _gauge("periplus_spoke_outbox_held_bytes", "Bytes of the batches held.", depth.held_bytes)
        lines += _gauge("periplus_spoke_outbox_queued_batches", "Batches the hub does not have.", depth.queued_batches)
        lines += _gauge(
            "periplus_spoke_outbox_queued_bytes", "Bytes of the batches the hub does not have.", depth.queued_bytes
        )
        lines += _gauge(
            "periplus_spoke_outbox_in_memory", "1 while the disk takes no writes.", int(bool(depth.refusal))
        )
    name = "periplus_spoke_rows"
    text = "Rows of the last seven days: collected = settled + queued + folded + every reason of dropping."
    lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    lines += [
        f'{name}{{kind="{row.kind}",outcome="{row.outcome}"}} {rows}' for row, rows in sorted(report.rows.items())
    ]
    name = "periplus_spoke_condition"
    lines += [f"# HELP {name} Conditions a person should look at.", f"# TYPE {name} gauge"]
    lines += [f'{name}{{condition="{condition}"}} 1' for condition in sorted(report.status.conditions)]
    name = "periplus_spoke_events_total"
    lines += [f"# HELP {name} Events since the spoke started.", f"# TYPE {name} counter"]
    lines += [f'{name}{{event="{event}"}} {count}' for event, count in sorted(report.counters.items())]
    return "\n".join(lines) + "\n"


def _gauge(name: str, text: str, value: int) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value}"]


def _response(status: int, text: str, content_type: str = _TEXT) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
