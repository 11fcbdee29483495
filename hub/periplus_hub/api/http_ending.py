"""How a connection ends: so that the client can read its answer, and soon, whatever the client does."""

import asyncio
from collections.abc import Callable
from typing import Final

LINGER_S: Final = 5.0
"""For a client that was answered before it had sent everything: closed at once, it would lose the answer."""
LINGER_BYTES: Final = 8 * 1024 * 1024
"""What is read of it meanwhile, and thrown away."""
FLUSH_S: Final = 10.0
"""How often a client that does not take what was written is looked at."""
FLUSH_BYTES: Final = 16 * 1024
"""The least it must have taken since."""


class EndingTransport:
    """The transport of one connection, with an end to its end: asyncio waits for a client's reading for ever.

    What is not here is the transport's own.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, still_sends: Callable[[], bool]
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._still_sends = still_sends
        self._closing = False
        self._discarded_bytes = 0
        self._linger: asyncio.TimerHandle | None = None
        self._flush: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Also while it lingers."""
        return self._closing or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Nothing follows the last answer."""
        if not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """After what was written has been sent; a client that still sends gets the time to read it."""
        if self.is_closing():
            return
        self._closing = True
        if self._still_sends():
            self._linger = self._loop.call_later(LINGER_S, self._close)
            # Half closed: the client sees the end of the answer, and what it still sends is read. Bytes that arrive at
            # a closed socket make the kernel send a reset, and the reset throws away what the client had not read yet.
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._close()
        self.watch()

    def discard(self, data: bytes) -> None:
        """What came too late."""
        self._discarded_bytes += len(data)
        if self._discarded_bytes > LINGER_BYTES:
            self._close()

    def hurry(self) -> None:
        """Linger no longer."""
        if self._closing:
            self._close()

    def watch(self) -> None:
        """From now on the client must take what is written for it."""
        if self._flush is None:
            self._unsent_bytes = self._transport.get_write_buffer_size()
            self._flush = self._loop.call_later(FLUSH_S, self._look)

    def unwatch(self) -> None:
        """It did."""
        if self._flush is not None and not self._closing:
            self._flush.cancel()
            self._flush = None

    def lost(self) -> None:
        """There is no connection any more."""
        for timer in (self._linger, self._flush):
            if timer is not None:
                timer.cancel()

    def _close(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        self._transport.close()

    def _look(self) -> None:
        self._flush = None
        unsent_bytes = self._transport.get_write_buffer_size()
        if unsent_bytes == 0:
            return
        # `abort`, since `close` would wait for the buffer to empty, and that is what the client refuses.
        if self._unsent_bytes - unsent_bytes < FLUSH_BYTES:
            self._transport.abort()
        else:
            self.watch()
