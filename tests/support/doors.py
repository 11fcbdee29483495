"""The hub's three listeners without a hub behind them: real sockets, and an application that says what it was asked."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from periplus_hub.api.config import HubConfig
from periplus_hub.api.http_middleware import Observed
from periplus_hub.api.listeners import Listener, bind, serving
from periplus_hub.api.problems import HANDLERS
from periplus_hub.kit.clock import SystemClock

MOST_BYTES = 1024 * 1024
BEGINNINGS = (
    b"",
    b"G",
    b"GET /echo HTTP/1.1\r\nHost: x\r\nA:",
    b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx",
)


async def echo(request: Request) -> Response:
    """Read the body, and tell of the request."""
    body = await request.body()
    return JSONResponse({"host": request.headers.get("host"), "path": request.url.path, "bytes": len(body)})


async def refuse(_: Request) -> Response:
    """Answer before the body was read."""
    return JSONResponse({"refused": True}, status_code=401)


ROUTES = [Route("/echo", echo, methods=["GET", "POST"]), Route("/refuse", refuse, methods=["GET", "POST"])]


@asynccontextmanager
async def doors(*routes: Route, **settings: Any) -> AsyncIterator[dict[str, Listener]]:
    """The listeners `spokes`, `people` and `metrics` while the block runs."""
    ports = {f"{name}_port": 0 for name in ("spokes", "api", "metrics")}
    config = HubConfig.model_validate({"database_url": "postgresql://h/d", "drain_s": 0} | ports | settings)
    app = Starlette(routes=[*ROUTES, *routes], exception_handlers=HANDLERS)
    clock = SystemClock()
    apps = {name: Observed(app, name, clock, MOST_BYTES) for name in ("spokes", "api", "metrics")}
    listeners = bind(config, apps, clock)
    async with serving(listeners):
        yield {listener.name: listener for listener in listeners}


async def dial(listener: Listener, *parts: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A plain connection, on which something was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.socket.getsockname()[1])
    for part in parts:
        writer.write(part)
        await writer.drain()
    return reader, writer


@asynccontextmanager
async def crowd(number: int, *urls: str) -> AsyncIterator[None]:
    """So many connections to each, which begin something and do not end it; they hang up after the block."""
    writers: list[asyncio.StreamWriter] = []
    try:
        for each in range(number * len(urls)):
            place = urlsplit(urls[each % len(urls)])
            _, writer = await asyncio.open_connection(place.hostname, place.port)
            writers.append(writer)
            writer.write(BEGINNINGS[each // len(urls) % len(BEGINNINGS)])
        yield
    finally:
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def until_none_is_open(listener: Listener) -> None:
    """Whatever the clients do."""
    async with asyncio.timeout(20):
        while listener.server.server_state.connections:  # noqa: ASYNC110 - uvicorn's set: nothing to wait on
            await asyncio.sleep(0.01)


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """What comes until the other side hangs up."""
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""


def parsed(answer: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the one answer there is."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    headers = dict(each.lower().split(": ", 1) for each in rest)
    if int(headers.get("content-length", "0")) != len(body):
        raise AssertionError(f"not one whole answer: {answer!r}")
    return int(line.split()[1]), headers, json.loads(body) if body else None
