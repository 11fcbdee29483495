"""Tell any number of waiters that something changed."""

import asyncio


class ChangeSignal:
    """Take `next_change` before looking, then wait on it: no change between the two is missed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def next_change(self) -> asyncio.Event:
        """Set at the next `notify_all`."""
        return self._event

    def notify_all(self) -> None:
        """Wake everybody who waits now."""
        # Set and cleared, one event would race: a waiter that runs late would find it cleared and sleep on.
        passed, self._event = self._event, asyncio.Event()
        passed.set()
