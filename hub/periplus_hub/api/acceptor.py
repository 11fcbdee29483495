"""Take connections from a listening socket: the loop, to which uvicorn leaves it, waits a minute for a handshake."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from periplus_hub.api.listener_connections import ListenerConnections
from periplus_hub.kit.seats import Seat

HANDSHAKE_S: Final = 10.0
"""For the whole TLS handshake: as for the head of a request."""
SHUTDOWN_S: Final = 5.0
"""For the client's part of the end of TLS."""
_AT_ONCE: Final = 64
_PAUSE_S: Final = 1.0
"""When the process or the machine has no room for another connection."""

_log: Final = structlog.get_logger(__name__)


class Acceptor:
    """One listening socket; behaves to uvicorn as the servers of asyncio do."""

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[Seat], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        connections: ListenerConnections,
    ) -> None:
        self._listening = listening
        self._protocol = protocol
        self._tls = {} if tls is None else {"ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": SHUTDOWN_S}
        self._context = tls
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False
        listening.settimeout(0)
        self._open()

    def close(self) -> None:
        """Take nothing more; may be said twice."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._listening)
        for task in self._opening:
            task.cancel()

    async def wait_closed(self) -> None:
        """Until nothing is being opened."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _open(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listening, self._take)

    def _take(self) -> None:
        """Some of those who wait; the loop comes again while there are more."""
        for _ in range(_AT_ONCE):
            try:
                found, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._connections.refusals.count("no-room")
                _log.debug("not_accepted", error=str(error))
                self._loop.remove_reader(self._listening)
                # The connection stays in the queue, and the loop would call again at once, and again, at full speed.
                self._loop.call_later(_PAUSE_S, self._open)
                return
            found.settimeout(0)
            seat = self._connections.seats.take(address[0], partial(_cut, found))
            if seat is None:
                found.close()
                continue
            task = self._loop.create_task(self._begin(found, seat))  # allowed: ended by close and wait_closed
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _begin(self, found: socket.socket, seat: Seat) -> None:
        """Until the protocol has its connection."""
        begun = False
        try:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            make = partial(self._protocol, seat)
            await self._loop.connect_accepted_socket(make, found, ssl=self._context, **self._tls)
            begun = True
        except OSError as error:  # also of TLS
            slow = isinstance(error, ConnectionAbortedError | TimeoutError)
            if not seat.free:
                self._connections.refusals.count("slow-handshake" if slow else "handshake")
        finally:
            if not begun:
                seat.leave()


def _cut(found: socket.socket) -> None:
    """While TLS is being agreed on there is nothing else to take hold of."""
    with contextlib.suppress(OSError):
        found.shutdown(socket.SHUT_RDWR)
