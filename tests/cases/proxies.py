"""What may stand between a person and an API server: proxies of both kinds, a tunnel, and a gateway with a path.

Each leads to one API server and nowhere else.
"""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

from tests.cluster.rig.control_plane import ControlPlane

_LOOPBACK: Final = "127.0.0.1"
HIDDEN: Final = "127.0.0.2"
"""Nobody listens there: a proxy takes it for the API server's address, and who asks no proxy is refused."""
_PREFIX: Final = "/k8s/clusters/"
_SOCKS: Final = 5
_CONNECT: Final = 1
_ADDRESS_IPV4, _ADDRESS_NAME = 1, 3
_SOCKS_GRANTED: Final = bytes([_SOCKS, 0, 0, _ADDRESS_IPV4, 0, 0, 0, 0, 0, 0])
_SOCKS_REFUSED: Final = bytes([_SOCKS, 2, 0, _ADDRESS_IPV4, 0, 0, 0, 0, 0, 0])

T = TypeVar("T")
Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Greet: TypeAlias = Callable[[Reader, Writer], Awaitable[bytes]]
"""What is said before bytes go to and fro; the answer is what the API server gets first."""


class RefusedError(Exception):
    """The client asked for what is not here."""


class Proxies:
    """Opens doors to API servers on loopback, all served by one thread; leaving it closes them."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="case-proxies", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def address(self, via: str, plane: ControlPlane, name: str) -> tuple[str, str]:
        """The `server` and the `proxy-url` that a kubeconfig gets, to come to a plane this way."""
        hidden = f"https://{HIDDEN}:{_port(plane)}"
        if via == "socks5":
            return hidden, f"socks5://{_LOOPBACK}:{self._open(plane, _socks5)}"
        if via == "http":
            return hidden, f"http://{_LOOPBACK}:{self._open(plane, _http_connect)}"
        if via == "tunnel":
            return f"https://{_LOOPBACK}:{self._open(plane, _nothing)}", ""
        if via == "path":
            return f"https://{_LOOPBACK}:{self._open_gateway(plane)}{_PREFIX}{name}", ""
        return plane.server, ""

    def _open(self, plane: ControlPlane, greet: Callable[[int], Greet]) -> int:
        return self._serve(greet(_port(plane)), plane)

    def _open_gateway(self, plane: ControlPlane) -> int:
        """It ends TLS, as one that looks at paths must, and has a connection of its own to the API server."""
        inside = ssl.create_default_context(cafile=str(plane.ca_file))
        outside = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        outside.load_cert_chain(plane.serving.certificate, plane.serving.key)
        return self._serve(_without_prefix, plane, outside=outside, inside=inside)

    def _serve(
        self,
        greet: Greet,
        plane: ControlPlane,
        *,
        outside: ssl.SSLContext | None = None,
        inside: ssl.SSLContext | None = None,
    ) -> int:
        async def handle(reader: Reader, writer: Writer) -> None:
            task: asyncio.Task[Any] | None = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, RefusedError):
                first = await greet(reader, writer)
                upstream = await asyncio.open_connection(_LOOPBACK, _port(plane), ssl=inside)
                upstream[1].write(first)
                await _join((reader, writer), upstream)
            writer.close()

        async def start() -> int:
            server = await asyncio.start_server(handle, _LOOPBACK, 0, ssl=outside)
            self._servers.append(server)
            port: int = server.sockets[0].getsockname()[1]
            return port

        return self._run(start())

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _port(plane: ControlPlane) -> int:
    port = urlsplit(plane.server).port
    assert port is not None
    return port


def _nothing(_port: int) -> Greet:
    async def greet(_reader: Reader, _writer: Writer) -> bytes:
        return b""

    return greet


def _http_connect(port: int) -> Greet:
    async def greet(reader: Reader, writer: Writer) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(f"CONNECT {HIDDEN}:{port} HTTP/1.".encode()):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            raise RefusedError
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return b""

    return greet


def _socks5(port: int) -> Greet:
    async def greet(reader: Reader, writer: Writer) -> bytes:
        version, count = await reader.readexactly(2)
        await reader.readexactly(count)
        if version != _SOCKS:
            raise RefusedError
        writer.write(bytes([_SOCKS, 0]))
        if await _asked_of_socks(reader) != (HIDDEN, port):
            writer.write(_SOCKS_REFUSED)
            raise RefusedError
        writer.write(_SOCKS_GRANTED)
        return b""

    return greet


async def _asked_of_socks(reader: Reader) -> tuple[str, int]:
    _, command, _, kind = await reader.readexactly(4)
    if command != _CONNECT or kind not in {_ADDRESS_IPV4, _ADDRESS_NAME}:
        raise RefusedError
    if kind == _ADDRESS_IPV4:
        host = ".".join(map(str, await reader.readexactly(4)))
    else:
        (length,) = await reader.readexactly(1)
        host = (await reader.readexactly(length)).decode()
    return host, int.from_bytes(await reader.readexactly(2), "big")


async def _without_prefix(reader: Reader, writer: Writer) -> bytes:
    """The request as the API server wants it. One a connection, so that only its first bytes have to be read."""
    head = await reader.readuntil(b"\r\n\r\n")
    request, _, fields = head.partition(b"\r\n")
    method, path, version = request.split(b" ")
    name, slash, rest = path.removeprefix(_PREFIX.encode()).partition(b"/")
    if not path.startswith(_PREFIX.encode()) or not name or not slash:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        raise RefusedError
    kept = [line for line in fields.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b" ".join((method, slash + rest, version)) + b"\r\nConnection: close\r\n" + b"\r\n".join(kept)


async def _join(a: tuple[Reader, Writer], b: tuple[Reader, Writer]) -> None:
    """Both ways, until both have ended."""
    try:
        await asyncio.gather(_pour(a[0], b[1]), _pour(b[0], a[1]))
    finally:
        b[1].close()


async def _pour(source: Reader, sink: Writer) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    with suppress(OSError):
        if sink.can_write_eof():
            sink.write_eof()
        else:
            sink.close()
