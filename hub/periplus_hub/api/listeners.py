"""The three listeners: their sockets, their servers, and how they end."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp

from periplus_hub.api.acceptor import Acceptor
from periplus_hub.api.config import HubConfig
from periplus_hub.api.http_protocol import BoundedHttpProtocol
from periplus_hub.api.listener_connections import ListenerConnections
from periplus_hub.api.open_files import METRICS_CONNECTIONS
from periplus_hub.api.websocket_protocol import SeatedSocketProtocol
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.loopback import is_loopback
from periplus_hub.kit.seats import STATE, Seat, Seats, Sizes

_BACKLOG: Final = 512
_KEEP_ALIVE_S: Final = 75
_SOCKET_MESSAGE_BYTES: Final = 64 * 1024
_POLL_S: Final = 0.01
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - named to be shown as loopback, not bound


class Server(uvicorn.Server):
    """Several servers share one loop, so signals are the process's to handle."""

    def __init__(self, config: uvicorn.Config, connections: ListenerConnections) -> None:
        super().__init__(config)
        self.servers = []
        self._connections = connections

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Until `should_exit`, or until it is cancelled: then, too, nothing more is taken."""
        try:
            await super().serve(sockets)
        finally:
            for server in self.servers:
                server.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, with our own hand on every connection."""
        taking = [Acceptor(each, self._protocol, self.config.ssl, self._connections) for each in sockets or ()]
        self.servers = cast("list[asyncio.base_events.Server]", taking)
        self.started = True

    @property
    def seats(self) -> Seats:
        """Who is connected."""
        return self._connections.seats

    def _protocol(self, seat: Seat) -> BoundedHttpProtocol:
        return BoundedHttpProtocol(
            self.config, self.server_state, {STATE: seat}, seat=seat, refusals=self._connections.refusals
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


@dataclass(frozen=True, slots=True)
class Listener:
    """One bound socket with its server; `url` is where a client on this machine reaches it."""

    name: str
    socket: socket.socket
    server: Server
    url: str


def bind(config: HubConfig, apps: Mapping[str, ASGIApp], clock: Clock) -> list[Listener]:
    """Take every address before anything else starts; raises Refusal naming what cannot be used."""
    listeners: list[Listener] = []
    try:
        for name, app in apps.items():
            listeners.append(_listener(config, name, app, clock))
    except BaseException:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


@contextlib.asynccontextmanager
async def serving(listeners: list[Listener]) -> AsyncIterator[None]:
    """Answer while the block runs; then take nothing new and let what is in flight finish, for at most `drain_s`."""
    async with asyncio.TaskGroup() as group:
        for listener in listeners:
            group.create_task(listener.server.serve([listener.socket]), name=f"listener:{listener.name}")
        try:
            await _all_started(listeners)
            yield
        finally:
            for listener in listeners:
                listener.server.should_exit = True


async def _all_started(listeners: list[Listener]) -> None:
    while True:  # uvicorn has a flag for this, and nothing to wait on
        if all(listener.server.started for listener in listeners):
            return
        await asyncio.sleep(_POLL_S)


def _listener(config: HubConfig, name: str, app: ASGIApp, clock: Clock) -> Listener:
    # Metrics are for scrapers on the machine or the pod's network, which know no certificate of ours; they hold no
    # names of tenants unless somebody lets them.
    secure = name != "metrics" and config.tls_certificate is not None
    server = Server(
        _server_config(config, app, secure=secure), ListenerConnections.of(name, _sizes(config, name), clock)
    )
    try:
        server.config.load()
    except (OSError, ssl.SSLError) as error:
        raise Refusal(
            f"the certificate {config.tls_certificate} with the key {config.tls_key} cannot be used: {error}",
            "Give a PEM chain and the private key that belongs to it.",
            slug="tls",
        ) from error
    bound = _bound(config, name) if name != "spokes" or config.spokes_fd is None else _inherited(config)
    host, port = bound.getsockname()[:2]
    shown = _ANY.get(host, host)
    shown = f"[{shown}]" if ":" in shown else shown
    return Listener(name, bound, server, f"{'https' if secure else 'http'}://{shown}:{port}")


def _sizes(config: HubConfig, name: str) -> Sizes:
    most = METRICS_CONNECTIONS if name == "metrics" else config.connections
    return Sizes(
        all=most,
        each_address=min(most, config.connections_per_address),
        each_principal=config.connections_per_principal,
        proxies=config.proxy_networks,
    )


def _bound(config: HubConfig, name: str) -> socket.socket:
    host, port = getattr(config, f"{name}_host"), getattr(config, f"{name}_port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise Refusal(
            f"the {name} listener cannot use {host}:{port}: {error.strerror or error}",
            f"Give another with {name}_host and {name}_port (PERIPLUS_{name.upper()}_PORT), or stop who has it.",
            slug="address",
        ) from error


def _inherited(config: HubConfig) -> socket.socket:
    """The listening socket that whoever started the hub opened for spokes; our own children do not get it."""
    remedy = "Hand over a listening TCP socket, or leave spokes_fd (PERIPLUS_SPOKES_FD) and give spokes_port."
    try:
        found = socket.socket(fileno=config.spokes_fd)
    except OSError as error:
        message = f"spokes_fd = {config.spokes_fd} is no socket: {error.strerror}"
        raise Refusal(message, remedy, slug="address") from error
    trouble = _trouble(found, config)
    if trouble:
        found.close()
        raise Refusal(f"spokes_fd = {config.spokes_fd} is {trouble}", remedy, slug="address")
    found.set_inheritable(False)
    return found


def _trouble(found: socket.socket, config: HubConfig) -> str:
    if found.family not in {socket.AF_INET, socket.AF_INET6}:
        return "no TCP socket"
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "not listening"
    plain = config.tls_certificate is None and not config.allow_plain_http
    if plain and not is_loopback(found.getsockname()[0]):
        return "a socket others can reach, and there is no TLS: set tls_certificate and tls_key, or allow_plain_http"
    return ""


def _server_config(config: HubConfig, app: ASGIApp, *, secure: bool) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=BoundedHttpProtocol,
        ws=SeatedSocketProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        # Nothing that a client writes about itself is believed; proxies that may are named in `proxies` and looked at
        # in `seats`.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(config.drain_s),
        ws_max_size=_SOCKET_MESSAGE_BYTES,
        ssl_certfile=config.tls_certificate if secure else None,
        ssl_keyfile=config.tls_key if secure else None,
    )
