"""Group commit: batches that wait for the database go in together.

Most of what a small batch costs is not its rows but its transaction: round trips, statements, the flush of the log.
So while one group is being written the next one gathers, and groups do not start closer together than a moment. A
batch that comes alone goes at once; the busier the hub, the larger the groups and the cheaper each batch.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.ingest.service_apply import Applied, Verdict
from periplus_hub.kit.db_errors import DATABASE_ERRORS, is_connection_trouble, is_denied, is_no_room

LANES: Final = 2
"""Groups written at the same time: one is in the database while the next is made ready."""
GATHER_S: Final = 0.02
"""Groups do not start closer together than this for each batch of the last one: the busier the hub, the longer."""
MAX_GATHER_S: Final = 0.15
"""So long may a batch wait for company."""
MAX_BATCHES: Final = 32
MAX_ROWS: Final = 50_000
"""Of all batches of a group but the first: a lock is held until the last of them is written."""

Commit = Callable[[Sequence[DecodedBatch]], Awaitable[dict[UUID, Verdict]]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    batch: DecodedBatch
    verdict: "asyncio.Future[Applied]"

    def answer(self, verdict: Verdict | Exception) -> None:
        if self.verdict.done():  # who asked has gone
            return
        if isinstance(verdict, Exception):
            self.verdict.set_exception(verdict)
        else:
            self.verdict.set_result(verdict)


class Groups:
    """The batches of one process on their way into the database. `commit` writes a group, all or nothing."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiting: list[_Waiting] = []
        self._writing: set[UUID] = set()
        self._lanes: set[asyncio.Task[None]] = set()
        self._next_start_s = 0.0
        self._gather_s = GATHER_S

    async def store(self, batch: DecodedBatch) -> Applied:
        """Committed; raises the batch's own refusal, or what kept its group from being written."""
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if len(self._lanes) < LANES:
            # Not in the context of the request that happens to be first: its log lines and counts are its own.
            lane = asyncio.create_task(self._drain(), context=contextvars.Context())  # allowed: who waits is told
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await waiting.verdict

    async def _drain(self) -> None:
        while self._may_start():
            loop = asyncio.get_running_loop()
            start_s = max(self._next_start_s, loop.time())
            self._next_start_s = start_s + self._gather_s
            await asyncio.sleep(start_s - loop.time())
            group = self._take()
            if group:
                self._gather_s = min(GATHER_S * len(group), MAX_GATHER_S)
                await self._write(group)

    def _may_start(self) -> bool:
        return any(each.batch.principal.registration_id not in self._writing for each in self._waiting)

    def _take(self) -> list[_Waiting]:
        """Oldest first: batches of one tenant, one of each registration, none of a registration being written."""
        group: dict[UUID, _Waiting] = {}
        rows, left = 0, []
        for each in self._waiting:
            batch = each.batch
            first = not group
            fits = first or (len(group) < MAX_BATCHES and rows + batch.header.rows <= MAX_ROWS)
            mine, tenant = batch.principal.registration_id, batch.principal.tenant_id
            same = first or tenant == next(iter(group.values())).batch.principal.tenant_id
            if fits and same and mine not in group and mine not in self._writing:
                group[mine] = each
                rows += batch.header.rows
            elif not each.verdict.done():
                left.append(each)
        self._waiting = left
        return list(group.values())

    async def _write(self, group: Sequence[_Waiting]) -> None:
        mine = {each.batch.principal.registration_id for each in group}
        self._writing |= mine
        try:
            await self._settle(group)
        finally:
            self._writing -= mine

    async def _settle(self, group: Sequence[_Waiting]) -> None:
        try:
            verdicts = await self._commit([each.batch for each in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, everyone who waits hears of it
            await self._settle_alone(group, error)
            return
        for each in group:
            each.answer(verdicts[each.batch.principal.registration_id])

    async def _settle_alone(self, group: Sequence[_Waiting], error: Exception) -> None:
        """A group that fails may fail for one of its batches: each tries again alone, unless it is no batch's fault."""
        if len(group) == 1 or _fails_for_all(error):
            for each in group:
                each.answer(error)
            return
        for each in group:
            await self._settle([each])


def _fails_for_all(error: Exception) -> bool:
    """The database is away, full or takes nothing from us, or it is a bug: asking for each batch would not help."""
    known = isinstance(error, DATABASE_ERRORS)
    return not known or is_connection_trouble(error) or is_no_room(error) or is_denied(error)
