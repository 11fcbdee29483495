"""Several collectors, as the rest of an agent sees them. It does not matter what they read."""

import asyncio
from collections.abc import Sequence

from periplus_spoke.collectors.base import Collector, Sink


class CollectorGroup:
    """Runs them side by side; what one of them raises ends all."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self._collectors = tuple(collectors)

    @property
    def is_settled(self) -> bool:
        """Whether each has emitted everything that was asked of it."""
        return all(each.settled.is_set() for each in self._collectors)

    async def wait_until_settled(self) -> None:
        """Return once each has."""
        while not self.is_settled:  # a later one may take long, and an earlier be asked again meanwhile
            for each in self._collectors:
                await each.settled.wait()

    def request_snapshot(self) -> None:
        """Have everything told again, soon."""
        for each in self._collectors:
            each.request_snapshot()

    async def run(self, sink: Sink) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._collectors:
                group.create_task(each.run(sink), name=each.name)
