"""The outbox behind a thread of its own: a slow disk stalls neither the event loop nor the heartbeat."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class OutboxThread:
    """Runs one operation after another; the operations themselves need no locks."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")

    async def run(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an operation to its end, even when the caller is cancelled meanwhile."""
        loop = asyncio.get_running_loop()
        # Cancelling would leave the thread at work while its caller believes that nothing happened.
        return await asyncio.shield(loop.run_in_executor(self._thread, partial(operation, *args, **kwargs)))

    def close(self) -> None:
        """Wait for what runs, then end the thread."""
        self._thread.shutdown(wait=True)
