"""One connection to a gRPC server, for a few calls at a time.

A reader that is slow makes the server wait: the window of HTTP/2 opens again only for what was taken. So what is held
is one window of whole messages and one message that is not whole yet, for each call.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, Self
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from periplus_spoke.grpc.address import Address
from periplus_spoke.grpc.framing import CompressedMessage, FrameLengths, LongFrame, Unframer, framed

_READ_BYTES: Final = 65_536
_WINDOW_BYTES: Final = 262_144
_MOST_MESSAGE_BYTES: Final = 1_048_576
_MOST_ANSWER_BYTES: Final = 8_388_608
"""Of a call that has one answer: there is never more than that one."""
_HEALTH: Final = "/grpc.health.v1.Health/Check"
_MOST_HEADER_BYTES: Final = 65_536
_LONGEST_REASON: Final = 300
_STATUSES: Final = {
    "1": "cancelled",
    "2": "unknown",
    "3": "invalid argument",
    "4": "deadline exceeded",
    "5": "not found",
    "7": "permission denied",
    "8": "resource exhausted",
    "12": "unimplemented",
    "13": "internal",
    "14": "unavailable",
    "16": "unauthenticated",
}


class CallFailed(Exception):
    """The server ended a call, or does not speak gRPC. The message is for people."""


class Channel:
    """Made with `open`; every call ends when it is closed."""

    def __init__(self, address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._address = address
        self._reader = reader
        self._writer = writer
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self._h2 = h2.connection.H2Connection(config)
        self._calls: dict[int, Call] = {}
        self._pump: asyncio.Task[None] | None = None
        self._end: Exception | None = None

    @classmethod
    async def open(cls, address: Address) -> Self:
        """Connect. Raises OSError; also where TLS cannot be agreed on."""
        context = None if address.tls is None else await asyncio.to_thread(address.tls.context)
        name = (address.tls.server_name if address.tls else "") or address.host
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=context, server_hostname=name if context else None
        )
        channel = cls(address, reader, writer)
        channel._start()
        return channel

    def _start(self) -> None:
        codes = h2.settings.SettingCodes
        wanted = {
            codes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES,
            codes.MAX_HEADER_LIST_SIZE: _MOST_HEADER_BYTES,
            codes.ENABLE_PUSH: 0,
        }
        self._h2.local_settings = h2.settings.Settings(client=True, initial_values=wanted)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(2 * _WINDOW_BYTES)
        self._flush()
        self._pump = asyncio.create_task(self._read())  # allowed: its failure ends every call, and `close` ends it

    async def close(self) -> None:
        """End it; never raises for what the connection does then."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        self._fail(CallFailed("the connection is closed"))
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def answers(self) -> None:
        """Return once the server says anything at all, were it that nobody knows how it is. Raises CallFailed."""
        with suppress(CallFailed):
            await self.unary(_HEALTH, b"")
        if self._end is not None:
            raise self._end

    def call(self, method: str, request: bytes, most_bytes: int = _MOST_MESSAGE_BYTES) -> "Call":
        """Begin a call; its answers are read from it, but for larger ones. Raises CallFailed."""
        if self._end is not None:
            raise self._end
        headers = [
            (":method", "POST"),
            (":scheme", "https" if self._address.tls else "http"),
            (":path", method),
            (":authority", self._address.authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "periplus-spoke"),
        ]
        number = self._h2.get_next_available_stream_id()
        try:
            self._h2.send_headers(number, headers)
            self._h2.send_data(number, framed(request), end_stream=True)
        except h2.exceptions.ProtocolError as error:
            raise CallFailed(f"the server takes no call: {str(error)[:_LONGEST_REASON]}") from None
        call = self._calls[number] = Call(self, number, most_bytes)
        self._flush()
        return call

    async def unary(self, method: str, request: bytes) -> bytes:
        """The one answer of a call that has one. Raises CallFailed."""
        call = self.call(method, request, _MOST_ANSWER_BYTES)
        try:
            answer = None
            async for message in call.messages():
                if answer is not None:
                    raise CallFailed(f"{method} answered with more than one message")
                answer = message
        finally:
            call.cancel()
        if answer is None:
            raise CallFailed(f"{method} answered without a message")
        return answer

    async def _read(self) -> None:
        lengths = FrameLengths()
        guess = "" if self._address.tls else " before it said anything: it may speak TLS"
        try:
            while data := await self._reader.read(_READ_BYTES):
                guess = ""
                lengths.feed(data)
                for event in self._h2.receive_data(data):
                    self._handle(event)
                self._flush()
                await self._writer.drain()
            self._fail(CallFailed(f"the server closed the connection{guess}"))
        except (h2.exceptions.ProtocolError, LongFrame) as error:
            self._fail(CallFailed(f"the server does not speak HTTP/2: {str(error)[:_LONGEST_REASON]}"))
        except OSError as error:
            self._fail(CallFailed(f"the connection broke: {error.strerror or error}"))
        finally:
            self._fail(CallFailed("the connection cannot be read"))  # whatever ended it, nobody waits for ever

    def _handle(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.DataReceived():
                self._data(event)
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                call = self._calls.get(event.stream_id)
                if call is not None:
                    call.heard({name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers})
            case h2.events.StreamEnded():
                self._ended(event.stream_id, None)
            case h2.events.StreamReset():
                self._ended(event.stream_id, CallFailed("the server broke off"))
            case h2.events.ConnectionTerminated():
                said = (event.additional_data or b"").decode("utf-8", "replace")[:_LONGEST_REASON]
                self._fail(CallFailed(f"the server ends the connection {said}".strip()))

    def _data(self, event: h2.events.DataReceived) -> None:
        call = self._calls.get(event.stream_id)
        length = event.flow_controlled_length or 0
        if call is None:
            self.acknowledge(length, event.stream_id)
            return
        try:
            call.feed(event.data or b"", length)
        except CompressedMessage:
            self._ended(event.stream_id, CallFailed("the server compresses its messages, unasked"))
            self._reset(event.stream_id)

    def _ended(self, number: int, error: Exception | None) -> None:
        call = self._calls.pop(number, None)
        if call is not None:
            call.end(error)

    def _fail(self, error: Exception) -> None:
        self._end = self._end or error
        for number in list(self._calls):
            self._ended(number, self._end)

    def acknowledge(self, length: int, number: int) -> None:
        """So much more may come."""
        if length:
            with suppress(h2.exceptions.ProtocolError):  # the stream is over, or the connection
                self._h2.acknowledge_received_data(length, number)
            self._flush()

    def forget(self, number: int) -> None:
        """Nobody reads this call any more."""
        if self._calls.pop(number, None) is not None:
            self._reset(number)

    def _reset(self, number: int) -> None:
        with suppress(h2.exceptions.ProtocolError):  # it is over anyway
            self._h2.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        self._flush()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._writer.is_closing():
            self._writer.write(data)


class Call:
    """One call, and what it answered so far."""

    def __init__(self, channel: Channel, number: int, most_bytes: int) -> None:
        self._channel = channel
        self._number = number
        self._unframer = Unframer(most_bytes)
        self._waiting: deque[bytes] = deque()
        self._owed = 0
        self._changed = asyncio.Event()
        self._is_over = False
        self._has_succeeded = False
        self._failure: Exception | None = None

    def take_passed_over(self) -> int:
        """How many messages were too large to be kept, since it was last asked."""
        passed_over, self._unframer.passed_over = self._unframer.passed_over, 0
        return passed_over

    async def messages(self) -> AsyncIterator[bytes]:
        """Every message, until the call ends. Raises CallFailed where it ends with anything but success."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            self._acknowledge()
            if self._is_over:
                break
            self._changed.clear()
            await self._changed.wait()
        if self._failure is not None:
            raise self._failure

    def cancel(self) -> None:
        """Tell the server that nobody listens any more."""
        self._channel.forget(self._number)

    def heard(self, headers: dict[str, str]) -> None:
        """Headers or trailers."""
        status, code = headers.get(":status", "200"), headers.get("grpc-status")
        if status != "200":
            self._failure = CallFailed(f"the server answers with HTTP status {status[:3]}")
        elif code == "0":
            self._has_succeeded = True
        elif code is not None:
            said = unquote(headers.get("grpc-message", ""))[:_LONGEST_REASON]
            self._failure = CallFailed(f"the server says {_STATUSES.get(code, 'error ' + code[:3])}: {said}")

    def feed(self, data: bytes, length: int) -> None:
        """What came."""
        self._owed += length
        self._waiting.extend(self._unframer.feed(data))
        if self._waiting:
            self._changed.set()
        else:
            self._acknowledge()

    def end(self, error: Exception | None) -> None:
        """Nothing more comes."""
        if not self._has_succeeded:
            self._failure = self._failure or error or CallFailed("the server ended without a word")
        self._is_over = True
        self._changed.set()

    def _acknowledge(self) -> None:
        owed, self._owed = self._owed, 0
        self._channel.acknowledge(owed, self._number)
