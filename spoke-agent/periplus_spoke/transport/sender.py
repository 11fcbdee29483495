"""The sender: two lanes, heartbeats and upkeep around one outbox.

No batch is ever given up on because of time. Everything that is not a verdict puts the batch back, and the same
bytes are sent again after a jittered wait.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Mapping
from typing import Final, TypeVar

import msgspec

from periplus_contract.messages import BATCH_CONTENT_TYPE, BatchAnswer, Heartbeat, HeartbeatAnswer
from periplus_contract.problems import Verdict
from periplus_spoke.kit.backoff import Backoff
from periplus_spoke.kit.crashpoint import crashpoint
from periplus_spoke.kit.errors import SpokeError
from periplus_spoke.kit.version import VERSION
from periplus_spoke.outbox.accounts import Hour, Total
from periplus_spoke.outbox.figures import Depth, EpochDepth
from periplus_spoke.outbox.model import BatchId
from periplus_spoke.outbox.planning import Lane
from periplus_spoke.transport.answers import HOLD_S, Answers
from periplus_spoke.transport.client import HubClient, NoAnswerError
from periplus_spoke.transport.context import SenderContext
from periplus_spoke.transport.report import RowCount
from periplus_spoke.transport.session import ForgottenError, HubRefusalError, Session
from periplus_spoke.transport.verdicts import HubRefusal, NoVerdict, judge

QUIET_S: Final = 30.0
_FIRST_BEAT_US: Final = 500_000
"""Right after the start heartbeats come quicker, so that what was sent first is soon known to be settled."""
_REFUSED_BASE_S: Final = 0.1
_REFUSED_CAP_S: Final = 5.0
"""After a refused batch the next one has its turn: shortly, as most are fine, and seldom while none is."""
_MOST_OLDER: Final = 8
"""Epochs of earlier lives that one beat asks after, oldest first: a spoke that was started often is no burst."""
UPKEEP_S: Final = 5.0
_NOT_ABOUT_CONTENT: Final = frozenset({Verdict.RENEW, Verdict.RETRY})
_EXHAUSTED: Final = "Look at the limits of this process for open files and memory."
_IN_MEMORY: Final = (
    "the state folder takes no writes ({}); batches are kept in memory and would not survive a restart. "
    "Make room or give the spoke a writable --state-dir."
)

T = TypeVar("T", bound=msgspec.Struct)


class Waits:
    """How long one sender waits: after no verdict, and after a refusal. Nothing repeats without a wait."""

    def __init__(self, rng: random.Random) -> None:
        self.retry = Backoff(rng)
        self.refused = Backoff(rng, base_s=_REFUSED_BASE_S, cap_s=_REFUSED_CAP_S)

    def reset(self) -> None:
        """After a success."""
        self.retry.reset()
        self.refused.reset()


def row_counts(accounts: Mapping[Hour, tuple[Total, int]]) -> Mapping[RowCount, int]:
    """The accounts of all hours together: collected = settled + queued + folded + every reason of dropping."""
    rows: Counter[RowCount] = Counter()
    for hour, (total, queued) in accounts.items():
        found = {"collected": total.collected, "settled": total.settled, "queued": queued, "folded": total.folded}
        for outcome, count in (found | total.dropped).items():
            rows[RowCount(hour.kind.value, outcome)] += count
    return rows


class Sender:
    """Sends until cancelled."""

    def __init__(
        self, context: SenderContext, client: HubClient, session: Session, *, quiet_s: float = QUIET_S
    ) -> None:
        self._context = context
        self._client = client
        self._session = session
        self._quiet_us = int(quiet_s * 1_000_000)
        self._answers = Answers(context)
        self._beat_us = _FIRST_BEAT_US
        self._heard_at_us: int | None = None

    async def run(self) -> None:
        """Send, beat and look after the outbox until cancelled. Raises SpokeError when the hub is another one."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lane(Lane.FRESH))
            group.create_task(self._lane(Lane.BACKLOG))
            group.create_task(self._heartbeats())
            group.create_task(self._upkeep())

    # ---- lanes

    async def _lane(self, lane: Lane) -> None:
        waits = Waits(self._context.rng)
        while True:
            # Asked for before the turn: what is sealed during the turn would otherwise wake nobody.
            changed = self._context.changes.next_change()
            pause_s = self._context.pacer.wait_s() or await self._turn(lane, waits)
            if pause_s is None:
                await changed.wait()
            elif pause_s > 0:
                await self._context.timer.sleep(pause_s)

    async def _turn(self, lane: Lane, waits: Waits) -> float | None:
        """Send one batch. Seconds to wait before the next turn, or None: wait for the next change."""
        pacer, thread, outbox = self._context.pacer, self._context.thread, self._context.outbox
        # A place before a batch: one that is chosen counts as in flight, and would hold up its kind while it waits for
        # a place.
        if not pacer.reserve():
            return None
        try:
            identity = await thread.run(outbox.next, lane, pacer.withheld())
            if identity is None:
                return None
            pacer.started()
            try:
                return await self._guarded(self._deliver(identity), waits)
            finally:
                # Whatever happened, a batch without a verdict is offered again.
                await thread.run(outbox.put_back, identity)
                self._context.changes.notify_all()
        finally:
            pacer.free()

    async def _guarded(self, request: Awaitable[bool], waits: Waits) -> float:
        """Await a request to the hub, and whether it was a success; seconds to wait after it."""
        backoff = waits.retry
        try:
            done = await request
        except HubRefusalError as error:
            return self._refused(error.refusal, backoff)
        except NoAnswerError as error:
            wait_s = backoff.next_s(error.retry_after_s)
            if error.retry_after_s is not None:
                self._context.pacer.pause_for(wait_s)
            self._context.report.counters["retries"] += 1
            self._context.report.trouble(error.reason, error.message, error.remedy or "Nothing: the spoke tries again.")
            return wait_s
        except ForgottenError:
            raise
        except SpokeError as error:
            # Another hub answers at this address, or nothing can be signed: keep everything, look again later.
            self._context.pacer.pause_for(HOLD_S)
            self._context.report.trouble(error.reason, error.message, error.remedy)
            return 0.0
        self._heard_at_us = self._context.timer.monotonic_us()
        if not done:
            return waits.refused.next_s()
        waits.reset()
        return 0.0

    def _refused(self, refusal: HubRefusal, backoff: Backoff) -> float:
        """Verdicts that are not about one batch's content."""
        match refusal.problem.verdict:
            case Verdict.HOLD:
                self._answers.held(refusal)
                return 0.0
            case Verdict.RENEW:
                return backoff.next_s()
            case _:
                wait_s = backoff.next_s(refusal.retry_after_s)
                self._context.pacer.pause_for(wait_s)
                self._context.report.trouble(refusal.reason, refusal.message, refusal.problem.remedy)
                return wait_s

    async def _deliver(self, identity: BatchId) -> bool:
        """Whether the hub took the batch, or there is none any more."""
        outbox, thread = self._context.outbox, self._context.thread
        opened = await thread.run(outbox.read, identity)
        if opened is None:
            if await thread.run(outbox.is_held, identity):
                raise NoAnswerError("unreadable", "a batch cannot be read now", remedy=_EXHAUSTED)
            await self._answers.look_after_chain()
            return True
        judged = await self._authorised(BatchAnswer, "/v1/batches", opened.sealed, BATCH_CONTENT_TYPE)
        if isinstance(judged, HubRefusal):
            if judged.problem.verdict in _NOT_ABOUT_CONTENT:
                raise HubRefusalError(judged)
            await self._answers.refused(identity, opened.header.kind, judged)
            return False
        # The answer to another request would mark this batch as accepted, and the hub may never have seen it.
        if judged.epoch != identity.epoch:
            raise NoAnswerError("hub_unreachable", "the hub answered for another epoch")
        await self._answers.accepted(identity, judged)
        return True

    async def _authorised(self, answer: type[T], path: str, body: bytes, content_type: str) -> T | HubRefusal:
        """POST with a credential. One that is refused is renewed and the same bytes are sent again, once."""
        bearer = await self._session.bearer()
        judged = await self._once(answer, path, body, content_type, bearer)
        if isinstance(judged, HubRefusal) and judged.problem.verdict is Verdict.RENEW:
            # By its text: the other lane may have renewed it meanwhile, and that one is good.
            self._session.reject(bearer)
            judged = await self._once(answer, path, body, content_type, await self._session.bearer())
        return judged

    async def _once(self, answer: type[T], path: str, body: bytes, content_type: str, bearer: str) -> T | HubRefusal:
        crashpoint("transport_before_send")
        reply = await self._client.post(path, body, bearer=bearer, content_type=content_type)
        crashpoint("transport_after_answer")
        judged = judge(reply, answer)
        if isinstance(judged, NoVerdict):
            raise NoAnswerError("hub_unreachable", judged.message, judged.retry_after_s)
        return judged

    # ---- heartbeats

    async def _heartbeats(self) -> None:
        waits = Waits(self._context.rng)
        while True:
            wait_s = max(self._context.pacer.wait_s(), self._until_quiet_s())
            if wait_s <= 0:
                wait_s = await self._guarded(self._beat(), waits)
                self._beat_us = min(self._beat_us * 2, self._quiet_us)
            await self._context.timer.sleep(wait_s)

    def _until_quiet_s(self) -> float:
        if self._heard_at_us is None:
            return 0.0
        return (self._heard_at_us + self._beat_us - self._context.timer.monotonic_us()) / 1_000_000

    async def _beat(self) -> bool:
        """Tell where we stand, per epoch of which the hub has something that is not settled yet."""
        depth = await self._context.thread.run(self._context.outbox.depth)
        now = EpochDepth(epoch=depth.epoch, last_seq=depth.last_seq, oldest_held_seq=depth.oldest_held_seq)
        older = [epoch for epoch in depth.older if epoch.accepted]
        for epoch in (now, *older[:_MOST_OLDER]):
            body = msgspec.json.encode(self._heartbeat(depth, epoch))
            judged = await self._authorised(HeartbeatAnswer, "/v1/heartbeat", body, "application/json")
            if isinstance(judged, HubRefusal):
                raise HubRefusalError(judged)
            await self._answers.heard(judged)
        self._context.changes.notify_all()
        return True

    def _heartbeat(self, depth: Depth, epoch: EpochDepth) -> Heartbeat:
        return Heartbeat(
            epoch=epoch.epoch,
            last_seq=epoch.last_seq,
            oldest_held_seq=epoch.oldest_held_seq,
            queued_batches=depth.queued_batches,
            queued_bytes=depth.queued_bytes,
            wall_us=self._context.timer.wall_us(),
            monotonic_us=self._context.timer.monotonic_us(),
            spoke_version=VERSION,
        )

    # ---- upkeep

    async def _upkeep(self) -> None:
        """What nothing else triggers: a disk that takes writes again, settlement that never came, ended holds."""
        thread, outbox = self._context.thread, self._context.outbox
        while True:
            await thread.run(outbox.recover_disk)
            await self._answers.look_after_uncut()
            await self._answers.look_after_accepted()
            depth = await thread.run(outbox.depth)
            self._context.report.depth = depth
            self._context.report.rows = row_counts(await thread.run(outbox.accounts))
            self._context.report.condition("state_folder", depth.refusal and _IN_MEMORY.format(depth.refusal))
            await self._answers.look_after_chain()
            self._context.changes.notify_all()
            await self._context.timer.sleep(UPKEEP_S)
