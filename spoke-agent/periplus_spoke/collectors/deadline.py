"""Waiting for something, and not for ever, by the clock that is given."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from periplus_spoke.kit.clock import Timer

T = TypeVar("T")


async def within(timer: Timer, seconds: float, work: Awaitable[T]) -> T:
    """What `work` gives; raises TimeoutError, and ends the work, when it takes longer."""
    task = asyncio.ensure_future(work)  # allowed: ended below
    limit = asyncio.create_task(timer.sleep(seconds))  # allowed: ended below
    try:
        await asyncio.wait((task, limit), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        task.cancel()
        limit.cancel()
        await asyncio.gather(task, limit, return_exceptions=True)
