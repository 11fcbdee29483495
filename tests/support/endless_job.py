"""A job that runs until it is stopped."""

import asyncio
from datetime import datetime


class EndlessJob:
    """Says when it started, and when it was stopped."""

    name = "test.endless"
    interval_s = 3_600.0

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()

    async def run(self, now: datetime) -> None:
        """As `periplus_hub.kit.jobs.Job`."""
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()
