"""Limits on what comes before and around a request's body: uvicorn with httptools has none.

A client that sends headers, trailers or requests without end, or one byte a minute, holds a connection and memory
without ever becoming a request that middleware could refuse.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from periplus_hub.api import http_head
from periplus_hub.api.http_ending import EndingTransport
from periplus_hub.api.http_error_answer import error_answer
from periplus_hub.api.http_head import Head, Trouble, bad_request
from periplus_hub.api.refused_connections import RefusedConnections
from periplus_hub.kit.seats import Seat

MAX_HEADER_BYTES: Final = 8 * 1024
"""Request line and headers together."""
HEADER_TIMEOUT_S: Final = 10.0
"""From the first byte (of the connection, or of the next request on it) to the end of the headers."""
BODY_PACE_S: Final = 10.0
"""How often a body that is not whole is looked at."""
BODY_PACE_BYTES: Final = 10 * 1024
"""The least that must have come of it since."""
MAX_FRAMING_BYTES: Final = 128 * 1024
"""What chunk sizes, their extensions and trailers add to one body."""
MAX_PIPELINED: Final = 16
"""Requests that wait for the answers before theirs. Browsers and proxies send none ahead."""

_TOO_LARGE: Final = Trouble(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "large-head",
    f"request line and headers are larger than {MAX_HEADER_BYTES} bytes",
    "Send fewer or shorter headers.",
)
_TOO_SLOW: Final = Trouble(
    HTTPStatus.REQUEST_TIMEOUT, "slow-head", "the headers were not complete in time", "Send them faster."
)
_SLOW_BODY: Final = Trouble(
    HTTPStatus.REQUEST_TIMEOUT,
    "slow-body",
    f"less than {BODY_PACE_BYTES} bytes of the body came in {BODY_PACE_S:g} s",
    "Send it faster.",
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Answers what is no request by RFC 9112, or too large or slow, with a problem, and closes.

    An answer that goes out before the body has come whole ends the connection, too: the rest would hold it.
    """

    def __init__(self, *args: Any, seat: Seat, refusals: RefusedConnections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seat = seat
        self._refusals = refusals
        self._ending: EndingTransport | None = None
        self._stays_open = False
        self._stopping = False
        self._paced_bytes = 0
        self._pace: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._in_headers = True
        self._in_body = False
        self._body_bytes = 0
        self._framing_bytes = 0
        self._deaf = False
        self._handed_over = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """A connection must bring a whole head in time."""
        self._ending = EndingTransport(transport, self.loop, self._still_sends)
        self._seat.end = transport.abort
        if self._seat.free:  # it was needed for another meanwhile
            transport.abort()
        super().connection_made(cast("asyncio.Transport", self._ending))
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines, and free the place."""
        self._seat.leave()
        self._headers_done()
        self._body_done()
        if self._ending is not None:
            self._ending.lost()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client takes its answer slower than it is made: it must take some."""
        super().pause_writing()
        if self._ending is not None:
            self._ending.watch()

    def resume_writing(self) -> None:
        """It did."""
        super().resume_writing()
        if self._ending is not None:
            self._ending.unwatch()

    def shutdown(self) -> None:
        """The answer under way is the last one."""
        self._stopping = True
        super().shutdown()
        if self._ending is not None:
            self._ending.hurry()

    def data_received(self, data: bytes) -> None:
        """Count what comes before the end of the headers, and what comes after it and is no body."""
        if self._over:
            if self._ending is not None and self._ending.is_closing():
                self._ending.discard(data)
            return
        in_headers, in_body = self._in_headers, self._in_body
        self._body_bytes = 0
        self._unset_keepalive_if_required()
        self._parse(data)
        if self._over:
            return
        if in_headers and self._in_headers:
            self._header_bytes += len(data)
            # Counted as it comes, for a head that never ends; one that came whole is measured in `_too_much`.
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(_TOO_LARGE)
        elif in_body and self._in_body:
            self._paced_bytes += len(data)
            # What the parser took without giving it on as body: the body has its own limit in the application, and this
            # has none.
            self._framing_bytes += len(data) - self._body_bytes
            if self._framing_bytes > MAX_FRAMING_BYTES:
                self._refuse(bad_request("chunk sizes and trailers are too long", "Send larger chunks."))
        elif not (self._in_headers or self._in_body or self._answering):  # empty lines between requests
            self._await_headers()

    def send_400_response(self, msg: str) -> None:
        """As every refusal: uvicorn's own would stand in the middle of another answer."""
        self._refuse(bad_request(msg))

    def on_message_begin(self) -> None:
        """The next request on this connection."""
        if self._over:
            return
        super().on_message_begin()
        self._header_bytes = self._framing_bytes = 0
        if not self._in_headers:
            self._await_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are dropped: nothing here reads them, and they would pass for headers."""
        if self._in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; when it came in one piece it was not counted before."""
        if self._over:
            return
        self._headers_done()
        head = self._head()
        trouble = self._too_much() or http_head.trouble_with(head)
        if trouble is not None:
            self._refuse(trouble, to_head=head.method == "HEAD")
        if not self._over:
            self._obey_absolute_target()
            self._in_body = True
            self._seat.begin()
            super().on_headers_complete()
            if head.has_body:
                self._await_body()

    def on_body(self, body: bytes) -> None:
        """Bytes that follow a refused head are nobody's."""
        self._body_bytes += len(body)
        if not self._over:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """As on_body."""
        if not self._over:
            self._in_body = False
            # Kept open only if the body came whole before the answer began: else its rest would be read as the next
            # request.
            if self._pace is not None and not self.cycle.response_started:
                self.cycle.keep_alive = self._stays_open and not self._stopping
            self._body_done()
            if not (self.parser.should_upgrade() and self._should_upgrade()):
                self._seat.work()
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Nothing to do, unless more requests are waiting."""
        if not self.pipeline:
            self._seat.rest()
        super().on_response_complete()

    def _parse(self, data: bytes) -> None:
        """Feed the parser; it stops after a request that names another protocol, and is given the rest again."""
        while data and not self._over:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if self._over:
                    return
                if self._should_upgrade():
                    self._headers_done()
                    self._handed_over = True
                    self.handle_websocket_upgrade()
                    return
                data = data[upgrade.args[0] :]
            except httptools.HttpParserInvalidMethodError:
                self._refuse(http_head.bad_method())
            except httptools.HttpParserError:
                other = self.parser.get_http_version() not in {"0.0", *http_head.VERSIONS}
                self._refuse(http_head.bad_version() if other else bad_request("this is not HTTP"))
            else:
                return

    def _should_upgrade(self) -> bool:
        """To websocket alone, which HTTP/1.0 has not; other protocols are not spoken here, and need not be refused."""
        return self.parser.get_http_version() == "1.1" and super()._should_upgrade()

    def _head(self) -> Head:
        parser = self.parser
        return Head(
            method=parser.get_method().decode("ascii"),
            target=self.url,
            version=parser.get_http_version(),
            headers=self.headers,
            upgrades=parser.should_upgrade(),
        )

    def _too_much(self) -> Trouble | None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEADER_BYTES:
            return _TOO_LARGE
        if len(self.pipeline) >= MAX_PIPELINED:
            return bad_request("too many requests ahead of their answers", "Wait for answers.")
        return None

    def _obey_absolute_target(self) -> None:
        host = http_head.host_of_target(self.url)
        if host is not None:
            # RFC 9112 3.2.2: an absolute target says which host is meant, whatever the header says.
            self.headers[:] = [(b"host", host), *(each for each in self.headers if each[0] != b"host")]

    def _await_headers(self) -> None:
        self._headers_done()
        self._in_headers = True
        self._deadline = self.loop.call_later(HEADER_TIMEOUT_S, self._refuse, _TOO_SLOW)

    def _headers_done(self) -> None:
        self._in_headers = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _await_body(self) -> None:
        self._stays_open, self.cycle.keep_alive = self.cycle.keep_alive, False
        self._paced_bytes = 0
        self._pace = self.loop.call_later(BODY_PACE_S, self._check_pace)

    def _body_done(self) -> None:
        if self._pace is not None:
            self._pace.cancel()
            self._pace = None

    def _check_pace(self) -> None:
        # A client that may not send more, because we have not taken what is here, is not slow.
        waits_for_us = self.flow.read_paused or bool(self.cycle.body) or self.cycle.waiting_for_100_continue
        if self._paced_bytes < BODY_PACE_BYTES and not waits_for_us:
            self._refuse(_SLOW_BODY)
        elif not self._over:
            self._paced_bytes = 0
            self._pace = self.loop.call_later(BODY_PACE_S, self._check_pace)

    def _still_sends(self) -> bool:
        return self._in_body or self._deaf

    @property
    def _answering(self) -> bool:
        last = cast("RequestResponseCycle | None", self.cycle)  # uvicorn declares it without the None it begins with
        return last is not None and not last.response_complete

    @property
    def _over(self) -> bool:
        """Whether whatever else comes is nobody's, or a websocket's, for which no deadline of ours counts."""
        return self._deaf or self._handed_over or self.transport.is_closing()

    def _refuse(self, trouble: Trouble, *, to_head: bool = False) -> None:
        """Answer and close. An earlier request's answer that is under way goes out first, and stays alone."""
        self._headers_done()
        if self._over:
            return
        # Before the answer is written: it may call back into this very protocol.
        self._deaf = True
        self._refusals.count(trouble.reason)
        if not self._answering:
            self._end_with(error_answer(trouble, to_head=to_head))
        elif not self._in_body:
            self.cycle.keep_alive = False
        else:
            unanswered = not (self.pipeline or self.cycle.response_started)
            self._end_with(error_answer(trouble) if unanswered else b"")
            # The application waits for a body that will not come: it is told that the client left, or it would wait for
            # ever.
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _end_with(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.transport.close()
