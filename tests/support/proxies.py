"""Small proxies in this process: http with CONNECT, the same behind TLS, and SOCKS 5, with or without a login."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

Pipe: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_SOCKS_LOGIN = 2
_SOCKS_NOBODY_LISTENS = 5


class TurnedAwayError(Exception):
    """The client is refused, and has been told."""


@dataclass
class SmallProxy:
    """Connects to `behind` by name, as somebody who sees another network, and to nothing else."""

    behind: dict[str, tuple[str, int]]
    """Address by "host:port", as clients say it."""
    login: str = ""
    """name:password that it wants."""
    asked: list[str] = field(default_factory=list)
    """What it was asked for, in order."""

    @asynccontextmanager
    async def http(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Yields its URL."""
        async with self._serving(self._http, tls) as port:
            yield f"{'https' if tls else 'http'}://{self._userinfo}127.0.0.1:{port}"

    @asynccontextmanager
    async def socks(self, kind: str = "socks5") -> AsyncIterator[str]:
        """Yields its URL."""
        async with self._serving(self._socks, None) as port:
            yield f"{kind}://{self._userinfo}127.0.0.1:{port}"

    @property
    def _userinfo(self) -> str:
        return f"{self.login}@" if self.login else ""

    @asynccontextmanager
    async def _serving(
        self, greet: Callable[[Pipe], Awaitable[tuple[str, bytes]]], tls: ssl.SSLContext | None
    ) -> AsyncIterator[int]:
        served: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            served.add(task)
            with suppress(OSError, asyncio.IncompleteReadError, TurnedAwayError, asyncio.CancelledError):
                async with _closing(writer):
                    target, first = await greet((reader, writer))
                    from_ahead, ahead = await asyncio.open_connection(*self.behind[target])
                    async with _closing(ahead):
                        ahead.write(first)
                        await asyncio.gather(_pour(reader, ahead), _pour(from_ahead, writer))

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in served:
                task.cancel()
            await asyncio.gather(*served, return_exceptions=True)

    async def _http(self, pipe: Pipe) -> tuple[str, bytes]:
        reader, writer = pipe
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        tunnel = method == "CONNECT"
        place = target if tunnel else urlsplit(target).netloc
        self.asked.append(place)
        wanted = f"proxy-authorization: basic {b64encode(self.login.encode()).decode()}".lower().encode()
        if self.login and wanted not in head.lower():
            await _say(writer, b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            raise TurnedAwayError
        if place not in self.behind:
            await _say(writer, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            raise TurnedAwayError
        if tunnel:
            await _say(writer, b"HTTP/1.1 200 Connection established\r\n\r\n")
        return place, b"" if tunnel else head.replace(f"http://{place}".encode(), b"", 1)

    async def _socks(self, pipe: Pipe) -> tuple[str, bytes]:
        reader, writer = pipe
        _, count = await reader.readexactly(2)
        ways = await reader.readexactly(count)
        way = _SOCKS_LOGIN if self.login else 0
        await _say(writer, bytes([5, way if way in ways else 0xFF]))
        if self.login:
            await reader.readexactly(1)
            said = ":".join([(await _counted(reader)).decode(), (await _counted(reader)).decode()])
            await _say(writer, bytes([1, said != self.login]))
        kind = (await reader.readexactly(4))[3]
        host = (await _counted(reader)).decode() if kind == 3 else ".".join(map(str, await reader.readexactly(4)))
        target = f"{host}:{int.from_bytes(await reader.readexactly(2), 'big')}"
        self.asked.append(target)
        reply = 0 if target in self.behind else _SOCKS_NOBODY_LISTENS
        await _say(writer, bytes([5, reply, 0, 3, 4]) + b"here" + b"\x00\x00")
        if reply:
            raise TurnedAwayError
        return target, b""


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()


async def _say(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(content)
    await writer.drain()


async def _counted(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly((await reader.readexactly(1))[0])


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
