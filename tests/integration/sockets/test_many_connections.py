"""Hundreds of strangers at a door that holds fewer: who is known gets in and stays, and the others are served too."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from periplus_hub.api.listeners import Listener
from periplus_hub.kit import metrics
from periplus_hub.kit.seats import recognised

from tests.support.certificates import self_signed
from tests.support.doors import crowd, doors, until_none_is_open

PLACES = 40
STRANGERS = 300


async def known(request: Request) -> Response:
    """Somebody with a credential."""
    recognised(request.scope, request.headers.get("authorization", ""))
    return Response(str(len(await request.body())))


async def known_socket(socket: WebSocket) -> None:
    """A subscription of somebody with a credential."""
    await socket.accept()
    recognised(socket.scope, "token/socket")
    await socket.send_text("known")
    while True:
        await socket.send_text(await socket.receive_text())


ROUTES = (Route("/known", known, methods=["GET", "POST"]), WebSocketRoute("/socket", known_socket))


@pytest.fixture(params=["plain", "tls"])
async def found(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[dict[str, Listener]]:
    settings: dict[str, Any] = {"connections": PLACES, "proxies": ()}
    if request.param == "tls":
        certificate, key = self_signed(tmp_path, "localhost", "127.0.0.1")
        settings |= {"tls_certificate": certificate, "tls_key": key}
    async with doors(*ROUTES, **settings) as listeners:
        yield listeners


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=False, trust_env=False, timeout=20, headers={"Authorization": "token/1"})


def connections(http: httpx.AsyncClient) -> list[Any]:
    """Those that the client holds open."""
    transport: Any = http._transport
    return list(transport._pool.connections)


@pytest.mark.promise("strangers-shut-no-door")
async def test_who_is_known_gets_in_and_keeps_its_connection(found: dict[str, Listener]) -> None:
    door = found["api"]
    async with crowd(STRANGERS, door.url), client() as http:
        assert (await http.post(f"{door.url}/known", content=b"abc")).text == "3"
        kept = connections(http)
        async with crowd(STRANGERS, door.url):
            assert (await http.post(f"{door.url}/known", content=b"abcd")).text == "4"
            assert connections(http) == kept
            async with client() as another:
                assert (await another.get(f"{door.url}/echo")).status_code == 200, "a stranger that is quick is served"
            assert len(door.server.server_state.connections) <= PLACES


@pytest.mark.promise("strangers-shut-no-door")
async def test_a_subscription_of_somebody_known_stays_and_leaves_its_place() -> None:
    async with doors(*ROUTES, connections=PLACES) as found:
        door = found["api"]
        async with connect(door.url.replace("http", "ws") + "/socket", proxy=None) as socket:
            assert await socket.recv() == "known"
            async with crowd(STRANGERS, door.url):
                await socket.send("still there")
                assert await socket.recv() == "still there"
        await until_none_is_open(door)
        assert door.server.seats.held == 0


@pytest.mark.promise("strangers-shut-no-door")
async def test_the_door_of_probes_is_its_own(found: dict[str, Listener]) -> None:
    async with crowd(STRANGERS, found["api"].url, found["spokes"].url), client() as http:
        assert (await http.get(f"{found['metrics'].url}/echo")).status_code == 200


def ended() -> float:
    labels = {"listener": "spokes", "reason": "idle"}
    return metrics.REGISTRY.get_sample_value("periplus_http_connections_refused_total", labels) or 0.0


async def test_an_idle_connection_makes_room_and_what_was_ended_is_counted() -> None:
    before = ended()
    async with doors(*ROUTES, connections=2) as found:
        door = found["spokes"]
        async with client() as one, client() as other, client() as third:
            for each in (one, other, third):
                assert (await each.get(f"{door.url}/known")).status_code == 200
            assert door.server.seats.held == 2
    assert ended() - before == 1
