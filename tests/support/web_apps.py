"""Applications of aiohttp over real sockets, while a block runs."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


@asynccontextmanager
async def listening(
    app: web.Application, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None, **runner: Any
) -> AsyncIterator[tuple[str, int]]:
    """Its host and port; `runner` is what the runner gets."""
    serving = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, **runner)
    await serving.setup()
    await web.TCPSite(serving, host, port, ssl_context=tls).start()
    try:
        yield serving.addresses[0][:2]
    finally:
        await serving.cleanup()
