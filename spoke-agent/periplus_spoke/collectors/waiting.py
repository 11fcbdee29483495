"""Waits of collectors that tell what changed a moment after it did."""

import asyncio
from collections.abc import Coroutine

from periplus_spoke.kit.clock import Timer

_MICROS = 1_000_000


async def changed_or_due(changed: asyncio.Event, timer: Timer, due_us: int) -> None:
    """Return at `due_us` of the monotonic clock, or once something changed."""
    left_s = max(due_us - timer.monotonic_us(), 0) / _MICROS
    await first_of(changed.wait(), timer.sleep(left_s))


async def first_of(*waits: Coroutine[object, object, object]) -> None:
    """Wait until the first of some coroutines ends; cancel the others."""
    tasks = [asyncio.create_task(wait) for wait in waits]  # allowed: ended and awaited right below
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
