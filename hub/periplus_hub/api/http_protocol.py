"""Limits on what comes before and around a request's body: uvicorn with httptools has none.

A client that sends headers, trailers or requests without end, or one byte a minute, holds a connection and memory
without ever becoming a request that middleware could refuse.
"""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEADER_BYTES: Final = 8 * 1024
"""Request line and headers together."""
HEADER_TIMEOUT_S: Final = 10.0
"""From the first byte (of the connection, or of the next request on it) to the end of the headers."""
MAX_FRAMING_BYTES: Final = 128 * 1024
"""What chunk sizes, their extensions and trailers add to one body."""
MAX_PIPELINED: Final = 16
"""Requests that wait for the answers before theirs. Browsers and proxies send none ahead."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Answers 431 to headers that are too large and 408 to headers that come too slowly, and closes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._in_headers = True
        self._in_body = False
        self._body_bytes = 0
        self._framing_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """A connection must bring a whole head in time."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._headers_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the end of the headers, and what comes after it and is no body."""
        in_headers, in_body = self._in_headers, self._in_body
        self._body_bytes = 0
        super().data_received(data)
        if self.transport.is_closing():
            return
        if in_headers and self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
        elif in_body and self._in_body:
            self._framing_bytes += len(data) - self._body_bytes
            if self._framing_bytes > MAX_FRAMING_BYTES:
                self._refuse(b"400 Bad Request")

    def on_message_begin(self) -> None:
        """The next request on this connection."""
        super().on_message_begin()
        self._header_bytes = self._framing_bytes = 0
        self._await_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are dropped: nothing here reads them, and they would pass for headers."""
        if self._in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; when it came in one piece it was not counted before."""
        self._headers_done()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEADER_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")
        elif len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(b"400 Bad Request")
        if not self.transport.is_closing():
            self._in_body = True
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Bytes that follow a refused head are nobody's."""
        self._body_bytes += len(body)
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """As on_body."""
        self._in_body = False
        if not self.transport.is_closing():
            super().on_message_complete()

    def _await_headers(self) -> None:
        self._headers_done()
        self._in_headers = True
        self._deadline = self.loop.call_later(HEADER_TIMEOUT_S, self._refuse, b"408 Request Timeout")

    def _headers_done(self) -> None:
        self._in_headers = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes) -> None:
        self._headers_done()
        if not self.transport.is_closing():
            head = b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            last = cast(
                "RequestResponseCycle | None", self.cycle
            )  # uvicorn declares it without the None it begins with
            if not self.pipeline and (last is None or last.response_complete == last.response_started):
                self.transport.write(head)  # else it would stand inside or before another answer
            self.transport.close()
