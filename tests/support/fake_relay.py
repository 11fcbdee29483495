"""A Hubble Relay on a socket of this machine: gRPC by hand over the server's side of h2. It misbehaves when told to."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from tests.support import hubble_bytes as hubble

GET_FLOWS, GET_NODES = "/observer.Observer/GetFlows", "/observer.Observer/GetNodes"
HEALTH = "/grpc.health.v1.Health/Check"


def frame(message: bytes, *, compressed: int = 0) -> bytes:
    """A message with its prefix."""
    return struct.pack(">BI", compressed, len(message)) + message


@dataclass
class FakeRelay:
    """What it answers, and what it was asked."""

    nodes: bytes = field(default_factory=lambda: hubble.node_list(a=hubble.CONNECTED, b=hubble.CONNECTED))
    flows: list[bytes] = field(default_factory=list)
    """Framed, sent as one after each request of flows."""
    answers: bool = True
    """Anything but those flows."""
    answers_nodes: bool = True
    grpc_status: tuple[str, str] | None = None
    """Ends each stream of flows with this, after `flows`."""
    http_status: str = "200"
    raw: bytes = b""
    """Instead of HTTP/2."""
    ends: bool = True
    """Whether nothing comes after `raw`, or might."""
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    connections: list["Connection"] = field(default_factory=list)
    accepted: int = 0

    async def say(self, *messages: bytes) -> None:
        """Tell everybody who follows."""
        for connection in self.connections:
            await connection.say(b"".join(map(frame, messages)))

    def abort(self) -> None:
        """Let every connection fall."""
        for connection in self.connections:
            connection.writer.transport.abort()


@dataclass
class Connection:
    """One client."""

    relay: FakeRelay
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    side: h2.connection.H2Connection = field(
        default_factory=lambda: h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=None)
        )
    )
    following: set[int] = field(default_factory=set)
    unary: set[int] = field(default_factory=set)
    paths: dict[int, str] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    waiting: dict[int, bytes] = field(default_factory=dict)
    reset: list[int] = field(default_factory=list)

    async def serve(self) -> None:
        if self.relay.raw:
            self.writer.write(self.relay.raw)
            if self.relay.ends:
                self.writer.write_eof()
            while await self.reader.read(65_536):
                pass
            return
        self.side.initiate_connection()
        await self.flush()
        while data := await self.reader.read(65_536):
            for event in self.side.receive_data(data):
                await self.handle(event)
            await self.flush()

    async def handle(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                headers = {name.decode(): value.decode() for name, value in event.headers}
                self.relay.headers.append(headers)
                self.paths[event.stream_id] = headers[":path"]
            case h2.events.DataReceived():
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                self.side.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                await self.answer(event.stream_id)
            case h2.events.StreamReset():
                self.reset.append(event.stream_id)
                self.following.discard(event.stream_id)
                self.unary.discard(event.stream_id)
            case h2.events.WindowUpdated():
                await self.say(b"")

    async def answer(self, stream: int) -> None:
        relay = self.relay
        unary = {GET_NODES: relay.nodes, HEALTH: hubble.put(1, 1)}.get(self.paths[stream])
        if unary is not None and (not relay.answers or (self.paths[stream] == GET_NODES and not relay.answers_nodes)):
            return
        self.side.send_headers(stream, [(":status", relay.http_status), ("content-type", "application/grpc")])
        if unary is not None:
            self.waiting[stream] = frame(unary)
            self.unary.add(stream)
            await self.say(b"")
            return
        relay.requests.append(self.bodies[stream][5:])
        relay.asked.set()
        self.following.add(stream)
        await self.say(b"".join(relay.flows))
        if relay.grpc_status is not None and not self.waiting.get(stream):
            self.following.discard(stream)
            self.end(stream, relay.grpc_status)

    def end(self, stream: int, status: tuple[str, str]) -> None:
        code, text = status
        self.side.send_headers(stream, [("grpc-status", code), ("grpc-message", text)], end_stream=True)

    async def say(self, data: bytes) -> None:
        """As much as the client's window takes; the rest when it opens."""
        for stream in sorted(self.following | self.unary):
            rest = self.waiting.get(stream, b"") + (data if stream in self.following else b"")
            while rest and (
                room := min(self.side.local_flow_control_window(stream), self.side.max_outbound_frame_size)
            ):
                self.side.send_data(stream, rest[:room])
                rest = rest[room:]
            self.waiting[stream] = rest
            if not rest and stream in self.unary:
                self.unary.discard(stream)
                self.end(stream, ("0", ""))
        await self.flush()

    async def flush(self) -> None:
        self.writer.write(self.side.data_to_send())
        await self.writer.drain()


@asynccontextmanager
async def fake_relay(
    relay: FakeRelay, certificate: tuple[Path, Path] | None = None, clients: Path | None = None
) -> AsyncIterator[FakeRelay]:
    """Serve until the block ends; with a certificate over TLS, with `clients` only those whom it signed."""
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
        context.load_cert_chain(*certificate)
        context.set_alpn_protocols(["h2"])
        context.verify_mode = ssl.CERT_REQUIRED if clients else ssl.CERT_NONE

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay.accepted += 1
        connection = Connection(relay, reader, writer)
        relay.connections.append(connection)
        with suppress(OSError, h2.exceptions.ProtocolError):
            await connection.serve()
        relay.connections.remove(connection)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.abort()
        await asyncio.sleep(0)
