"""A Prometheus over a real socket that answers what a test wants, well or badly."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.web_apps import listening

Rises = Mapping[str, list[tuple[dict[str, str], float]]]
"""Name of a counter to what its series rose by."""
Misbehaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


def vector(elements: list[tuple[dict[str, str], float]], **more: Any) -> dict[str, Any]:
    """The document of an instant vector."""
    result = [{"metric": labels, "value": [1_767_225_600.1, str(value)]} for labels, value in elements]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


@dataclass
class FakePrometheus:
    """What it has. `misbehave` answers instead, when it is set."""

    rises: Rises = field(default_factory=dict)
    rates: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)
    misbehave: Misbehaviour | None = None
    misbehaves_for: str = ""
    """Only for questions with this text."""
    url: str = ""
    asked: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        query = request.query["query"]
        if self.misbehave is not None and self.misbehaves_for in query:
            return await self.misbehave(request)
        return web.json_response(vector(self._found(query), **({"warnings": self.warnings} if self.warnings else {})))

    def _found(self, query: str) -> list[tuple[dict[str, str], float]]:
        if query.startswith("group by (__name__)"):
            return [({"__name__": name}, 1) for name in self.rises]
        if query.startswith("count_values"):
            return [({"rate": each}, 3) for each in self.rates]
        # As a server does, a question is answered by the counter that it names, and by the side that it wants.
        return [each for name, rises in self.rises.items() if f'"{name}"' in query for each in rises]


@asynccontextmanager
async def serving(fake: FakePrometheus, path: str = "", host: str = "127.0.0.1") -> AsyncIterator[FakePrometheus]:
    """Its `url` is set while the block runs."""
    app = web.Application()
    app.router.add_get(f"{path}/api/v1/query", fake.answer)
    async with listening(app, host) as (_, port):
        fake.url = f"http://{host}:{port}{path}"
        yield fake


async def never(request: web.Request) -> web.StreamResponse:
    """Takes the question and says nothing."""
    del request
    await asyncio.Event().wait()
    raise AssertionError


async def endless(request: web.Request) -> web.StreamResponse:
    """Begins well, and does not end."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"status":"success","data":{"resultType":"vector","result":[')
    element = json.dumps({"metric": {"a": "b" * 60_000}, "value": [1, "1"]}).encode()
    while True:
        await response.write(element + b",")


def saying(text: str, status: int = 200) -> Misbehaviour:
    """Answers with just this."""

    async def answer(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(text=text, status=status)

    return answer
