"""Tell any number of waiters that something changed."""

import asyncio


class News:
    """`current` before looking, then wait on it: nothing told in between is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def current(self) -> asyncio.Event:
        """Set at the next `tell`."""
        return self._event

    def tell(self) -> None:
        """Wake everybody who waits now."""
        told, self._event = self._event, asyncio.Event()
        told.set()
