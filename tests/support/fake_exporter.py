"""A page of metrics over a real socket: what it says may differ each time it is read."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.real_prometheus import Line
from tests.support.web_apps import listening

Counters = Mapping[str, list[tuple[dict[str, str], float]]]
"""Name of a metric to its series and what they are at."""


def page(counters: Counters, started: float | None = 1_767_000_000.5) -> str:
    """As an exporter writes it; `started` is when its process began."""
    lines = [f"process_start_time_seconds {started!r}\n"] if started is not None else []
    for name, series in counters.items():
        lines += [f"# HELP {name} Of a test.\n", f"# TYPE {name} counter\n"]
        lines += [Line(name, labels, value).text() for labels, value in series]
    return "".join(lines)


@dataclass
class FakeExporter:
    """`says` gets how often it was read before; what it returns is the page, or a response."""

    says: Callable[[int], str | web.Response]
    url: str = ""
    asked: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        said = self.says(len(self.asked) - 1)
        return web.Response(text=said) if isinstance(said, str) else said


@asynccontextmanager
async def exposing(says: Callable[[int], str | web.Response]) -> AsyncIterator[FakeExporter]:
    """Its `url` is set while the block runs."""
    exporter = FakeExporter(says)
    app = web.Application()
    app.router.add_get("/metrics", exporter.answer)
    async with listening(app) as (host, port):
        exporter.url = f"http://{host}:{port}/metrics"
        yield exporter
