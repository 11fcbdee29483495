"""Whoever is slow loses its own connection: slow heads, bodies, handshakes, readers, and those who do not hang up."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from periplus_hub.api import acceptor, http_ending, http_protocol
from periplus_hub.api.listeners import Listener

from tests.support.certificates import self_signed
from tests.support.doors import dial, doors, parsed, until_closed, until_none_is_open

SOON_S = 0.05
NEVER_S = 1_000_000.0
GET = b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def endless(_: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b"x" * 65_536

    return StreamingResponse(chunks())


async def parrot(peer: WebSocket) -> None:
    await peer.accept()
    await peer.send_text(await peer.receive_text())


@pytest.fixture
async def door() -> AsyncIterator[Listener]:
    async with doors(Route("/endless", endless), WebSocketRoute("/parrot", parrot)) as found:
        yield found["api"]


def _post(path: bytes, rest: bytes) -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + rest


@pytest.mark.parametrize("rest", [b"Content-Length: 1000\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"])
@pytest.mark.promise("slow-clients-end-alone")
async def test_an_answer_before_the_body_is_whole_ends_the_connection(door: Listener, rest: bytes) -> None:
    reader, writer = await dial(door, _post(b"/refuse", rest))
    status, headers, _ = parsed(await until_closed(reader))
    assert (status, headers["connection"]) == (401, "close")
    writer.close()


async def test_an_answer_after_the_whole_body_does_not(door: Listener) -> None:
    whole = _post(b"/refuse", b"Content-Length: 1\r\n\r\nx")
    reader, writer = await dial(door, whole + whole + GET)
    assert (await until_closed(reader)).count(b"HTTP/1.1 401 ") == 2
    writer.close()


async def test_who_sends_everything_before_it_reads_can_read_the_answer(door: Listener) -> None:
    body = b"x" * 4 * 1024 * 1024
    reader, writer = await dial(door, _post(b"/refuse", b"Content-Length: %d\r\n\r\n" % len(body)), body)
    assert parsed(await until_closed(reader))[0] == 401
    writer.close()


@pytest.mark.parametrize(("seconds", "most_bytes"), [(SOON_S, 1_000_000), (NEVER_S, 10_000)])
@pytest.mark.promise("slow-clients-end-alone")
async def test_who_was_answered_and_does_not_hang_up_is_hung_up_on(
    door: Listener, monkeypatch: pytest.MonkeyPatch, seconds: float, most_bytes: int
) -> None:
    monkeypatch.setattr(http_ending, "LINGER_S", seconds)
    monkeypatch.setattr(http_ending, "LINGER_BYTES", most_bytes)
    reader, writer = await dial(door, _post(b"/refuse", b"Content-Length: 1000000\r\n\r\n"))
    await until_closed(reader)
    writer.write(b"x" * 20_000)
    await until_none_is_open(door)
    writer.close()


@pytest.mark.promise("slow-clients-end-alone")
async def test_a_body_that_comes_too_slowly_is_not_waited_for(door: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "BODY_PACE_S", SOON_S)
    reader, writer = await dial(door, _post(b"/echo", b"Content-Length: 100000\r\n\r\nx"))
    status, _, problem = parsed(await until_closed(reader))
    assert (status, problem["remedy"]) == (408, "Send it faster.")
    writer.close()


async def test_a_body_that_the_hub_does_not_read_is_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, read = asyncio.Semaphore(0), asyncio.Event()
    look = http_protocol.BoundedHttpProtocol._check_pace

    def counted(self: http_protocol.BoundedHttpProtocol) -> None:
        look(self)
        looked.release()

    async def late(request: Request) -> Response:
        await read.wait()
        return Response(str(len(await request.body())))

    monkeypatch.setattr(http_protocol, "BODY_PACE_S", 0.01)
    monkeypatch.setattr(http_protocol.BoundedHttpProtocol, "_check_pace", counted)
    async with doors(Route("/late", late, methods=["POST"])) as found:
        head = _post(b"/late", b"Connection: close\r\nContent-Length: 200000\r\n\r\n")
        reader, writer = await dial(found["api"], head + b"x" * 100_000)
        for _ in range(3):
            await looked.acquire()
        monkeypatch.setattr(http_protocol, "BODY_PACE_S", NEVER_S)
        read.set()
        writer.write(b"x" * 100_000)
        assert (await until_closed(reader)).endswith(b"200000")
        writer.close()


@pytest.mark.promise("slow-clients-end-alone")
async def test_empty_lines_between_requests_do_not_keep_a_connection(
    door: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await dial(door, b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"}")
    monkeypatch.setattr(http_protocol, "HEADER_TIMEOUT_S", SOON_S)
    writer.write(b"\r\n")
    assert parsed(await until_closed(reader))[0] == 408
    writer.close()


@pytest.mark.promise("slow-clients-end-alone")
async def test_no_head_is_awaited_of_a_connection_that_became_a_websocket(
    door: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    reader, writer = await dial(door, b"GET /parrot HTTP/1.1\r\n")
    while not door.server.server_state.connections:  # noqa: ASYNC110 - uvicorn's set: nothing to wait on
        await asyncio.sleep(0.01)
    monkeypatch.setattr(http_protocol, "HEADER_TIMEOUT_S", 0.0)
    writer.write(b"Host: x\r\n" + upgrade + b"AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    async with asyncio.timeout(20):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.write(b"\x81\x82\0\0\0\0hi")
        assert await reader.readexactly(4) == b"\x81\x02hi"
    writer.close()


@pytest.mark.promise("slow-clients-end-alone")
async def test_who_does_not_take_its_answer_does_not_keep_a_connection(
    door: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_ending, "FLUSH_S", SOON_S)
    with socket.create_connection(door.socket.getsockname()) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        while not door.server.server_state.connections:  # noqa: ASYNC110 - uvicorn's set: nothing to wait on
            await asyncio.sleep(0.01)
        await until_none_is_open(door)


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, Path]:
    certificate, key = self_signed(tmp_path, "localhost", "127.0.0.1")
    return {"tls_certificate": certificate, "tls_key": key}


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00"])
@pytest.mark.promise("slow-clients-end-alone")
async def test_a_tls_handshake_that_does_not_come_is_not_waited_for(
    tls: dict[str, Path], monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(acceptor, "HANDSHAKE_S", SOON_S)
    async with doors(**tls) as found:
        reader, writer = await dial(found["spokes"], sent)
        await until_closed(reader)
        writer.close()


@pytest.fixture
def client(tls: dict[str, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=tls["tls_certificate"])


@pytest.mark.promise("slow-clients-end-alone")
async def test_an_end_of_tls_that_is_not_answered_is_not_waited_for(
    tls: dict[str, Path], client: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "SHUTDOWN_S", SOON_S)

    def ask(address: tuple[str, int]) -> ssl.SSLSocket:
        plain = socket.create_connection(address)
        secure = client.wrap_socket(plain, server_hostname="localhost")
        secure.sendall(GET)
        assert secure.recv(12) == b"HTTP/1.1 200"
        return secure

    async with doors(**tls) as found:
        door = found["spokes"]
        held = await asyncio.to_thread(ask, door.socket.getsockname())
        await until_none_is_open(door)
        held.close()
