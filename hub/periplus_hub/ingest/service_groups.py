"""Group commit: batches that wait for the database go in together.

Most of what a small batch costs is not its rows but its transaction: round trips, statements, the flush of the log.
So while one group is being written the next one gathers, and groups do not start closer together than a moment. A
batch that comes alone goes at once; the busier the hub, the larger the groups and the cheaper each batch.

Small batches have lanes of their own, so none waits for a snapshot of thousands of rows. In its lane the batch is next
whose tenant, and then whose cluster, wrote least. What is slow goes alone, in the one lane that is patient.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from uuid import UUID

from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.ingest.service_order import Applied, Verdict
from periplus_hub.kit.db_errors import DATABASE_ERRORS, is_connection_trouble, is_denied, is_no_room, is_timeout
from periplus_hub.kit.fair_queue import Turns
from periplus_hub.kit.metrics import counter, gauge

LANES: Final = 2
"""Groups of one sort written at the same time: one is in the database while the next is made ready."""
GATHER_S: Final = 0.02
"""Groups do not start closer together than this for each batch of the last one: the busier the hub, the longer."""
MAX_GATHER_S: Final = 0.15
"""So long may a batch wait for company."""
MAX_BATCHES: Final = 32
SMALL_ROWS: Final = 500
"""A batch with more is none of the small ones."""
MAX_ROWS: Final = 50_000
"""Of all batches of a group but the first: a lock is held until the last of them is written."""
TOGETHER_S: Final = 5.0
"""How long a statement may take that holds up the batches of others; one that needs longer goes alone."""
_LATELY_S: Final = 1.0
_MOST_REST_S: Final = 0.25
_BATCH: Final = 200
"""What a batch costs beside its rows, in rows."""

_waiting: Final = gauge("periplus_ingest_waiting_batches", "Decoded batches that wait for their turn in the database.")
_slow: Final = counter(
    "periplus_ingest_slow_batches_total",
    "Batches that took the database too long together with others, and were written alone.",
)

Commit = Callable[[Sequence[DecodedBatch]], Awaitable[dict[UUID, Verdict]]]


class Lane(Enum):
    """Where a batch is written."""

    SMALL = auto()
    LARGE = auto()
    SLOW = auto()


@dataclass(eq=False, slots=True)
class _Waiting:
    batch: DecodedBatch
    verdict: "asyncio.Future[Applied]"
    number: int
    alone: bool = False

    @property
    def sender_id(self) -> UUID:
        return self.batch.sender_id

    @property
    def tenant(self) -> UUID:
        return self.batch.principal.tenant_id

    def answer(self, verdict: Verdict | Exception) -> None:
        if self.verdict.done():  # who asked has gone
            return
        if isinstance(verdict, Exception):
            self.verdict.set_exception(verdict)
        else:
            self.verdict.set_result(verdict)


@dataclass(slots=True)
class _Pace:
    """Of the groups of one lane."""

    next_start_s: float = 0.0
    gather_s: float = GATHER_S


class Groups:
    """The batches of one process on their way into the database. `commit` writes a group, all or nothing.

    `patient` writes one batch that `commit` had no time for.
    """

    def __init__(self, commit: Commit, patient: Commit) -> None:
        self._commit = commit
        self._patient = patient
        self._turns = Turns()
        self._lines: dict[UUID, deque[_Waiting]] = {}
        """Of each sender, oldest first: the first goes before the second may."""
        self._writing: set[UUID] = set()
        self._slow: set[UUID] = set()
        """Senders whose last batch took too long."""
        self._running: dict[Lane, set[asyncio.Task[None]]] = {lane: set() for lane in Lane}
        self._pace: dict[Lane, _Pace] = {lane: _Pace() for lane in Lane}
        self._numbers = 0
        self._small_at_s = float("-inf")

    async def store(self, batch: DecodedBatch) -> Applied:
        """Committed; raises the batch's own refusal, or what kept its group from being written."""
        self._numbers += 1
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future(), self._numbers)
        self._lines.setdefault(waiting.sender_id, deque()).append(waiting)
        with _waiting.track_inprogress():
            self._start_lanes()
            return await waiting.verdict

    def _start_lanes(self) -> None:
        for lane, running in self._running.items():
            if len(running) < (1 if lane is Lane.SLOW else LANES) and any(self._heads(lane)):
                # Not in the context of the request that happens to be first: its log lines and counts are its own.
                apart, drain = contextvars.Context(), self._drain(lane)
                task = asyncio.create_task(drain, context=apart)  # allowed: who waits is told
                running.add(task)
                task.add_done_callback(running.discard)

    async def _drain(self, lane: Lane) -> None:
        loop, pace = asyncio.get_running_loop(), self._pace[lane]
        while any(self._heads(lane)):
            # Moved on before the sleep: the lane's other task must gather after this one, not at the same moment.
            start_s = max(pace.next_start_s, loop.time())
            pace.next_start_s = start_s + pace.gather_s
            await asyncio.sleep(start_s - loop.time())
            group = self._take(lane)
            if group:  # the lane's other task may have taken them during the sleep
                pace.gather_s = min(GATHER_S * len(group), MAX_GATHER_S)
                began_s = loop.time()
                await self._write(group, lane)
                pace.next_start_s = max(pace.next_start_s, self.rested_s(lane, began_s, loop.time()))

    def rested_s(self, lane: Lane, began_s: float, ended_s: float) -> float:
        """When the lane may go on: while there are small batches, the large ones leave them half of the machine."""
        if lane is Lane.SMALL:
            self._small_at_s = ended_s
        if lane is Lane.LARGE and ended_s - self._small_at_s < _LATELY_S:
            return ended_s + min(ended_s - began_s, _MOST_REST_S)
        return ended_s

    def _heads(self, lane: Lane) -> Iterator[_Waiting]:
        """The next of each sender that is not being written, where it belongs to this lane."""
        for sender_id, line in self._lines.items():
            if sender_id not in self._writing and self._lane_of(line[0]) is lane:
                yield line[0]

    def _lane_of(self, waiting: _Waiting) -> Lane:
        if waiting.sender_id in self._slow:
            return Lane.SLOW
        return Lane.SMALL if waiting.batch.header.rows <= SMALL_ROWS else Lane.LARGE

    def _take(self, lane: Lane) -> list[_Waiting]:
        """In turn: of one tenant, one of each sender, none of a sender being written. Agents share a cluster's turn."""
        heads = sorted(
            self._heads(lane), key=lambda each: (self._turns.rank(each.tenant, each.batch.registration_id), each.number)
        )
        group: list[_Waiting] = []
        rows = 0
        for each in heads:
            if group and (each.alone or each.tenant != group[0].tenant or rows + each.batch.header.rows > MAX_ROWS):
                continue
            line = self._lines[each.sender_id]
            line.popleft()
            if not line:
                del self._lines[each.sender_id]
            if each.verdict.done():  # who asked has gone
                continue
            group.append(each)
            rows += each.batch.header.rows
            self._turns.start(each.tenant, each.batch.registration_id)
            self._turns.charge(each.tenant, each.batch.registration_id, each.batch.header.rows + _BATCH)
            if each.alone or lane is Lane.SLOW or len(group) == MAX_BATCHES:
                break
        return group

    async def _write(self, group: Sequence[_Waiting], lane: Lane) -> None:
        senders = {each.sender_id for each in group}
        self._writing |= senders
        try:
            await self._settle(group, lane)
        finally:
            self._writing -= senders
            # What they sent meanwhile was hidden from all lanes, and a lane that saw nothing else has ended.
            self._start_lanes()

    async def _settle(self, group: Sequence[_Waiting], lane: Lane) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            verdicts = await (self._patient if lane is Lane.SLOW else self._commit)([each.batch for each in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, everyone who waits hears of it
            await self._settle_apart(group, lane, error)
            return
        # Half of the limit: a cluster whose batches take about as long as it would go to and fro between the lanes.
        if lane is Lane.SLOW and loop.time() - began_s < TOGETHER_S / 2:
            self._slow.discard(group[0].sender_id)
        for each in group:
            each.answer(verdicts[each.sender_id])

    async def _settle_apart(self, group: Sequence[_Waiting], lane: Lane, error: Exception) -> None:
        """A group that fails may fail for one of its batches: each tries again alone, unless it is no batch's fault.

        Where time ran out, they do so in turn with all others, and who lacks time alone too gets more, apart.
        """
        if lane is Lane.SLOW or _fails_for_all(error):
            for each in group:
                each.answer(error)
        elif is_timeout(error):
            for each in group:
                self._come_again(each, slow=len(group) == 1)
        elif len(group) == 1:
            group[0].answer(error)
        else:
            for each in group:
                await self._settle([each], lane)

    def _come_again(self, waiting: _Waiting, *, slow: bool) -> None:
        waiting.alone = True
        if slow:
            self._slow.add(waiting.sender_id)
            _slow.inc()
        # In front: what its sender sent later may build on it.
        self._lines.setdefault(waiting.sender_id, deque()).appendleft(waiting)


def _fails_for_all(error: Exception) -> bool:
    """The database is away, full or takes nothing from us, or it is a bug: asking for each batch would not help."""
    known = isinstance(error, DATABASE_ERRORS)
    return not known or is_connection_trouble(error) or is_no_room(error) or is_denied(error)
