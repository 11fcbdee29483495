"""What the hub's answers do to the outbox, the pacer and the report. No requests are made here."""

import asyncio
import logging
from collections.abc import Container
from typing import Final

from periplus_contract import problems
from periplus_contract.batch import is_epoch
from periplus_contract.limits import SKEW_WARNING_S
from periplus_contract.messages import BatchAnswer, HeartbeatAnswer
from periplus_contract.problems import Verdict
from periplus_contract.tables import Kind
from periplus_spoke.kit.backoff import spread
from periplus_spoke.outbox.figures import Depth
from periplus_spoke.outbox.model import WINDOWED, BatchId
from periplus_spoke.transport.context import SenderContext
from periplus_spoke.transport.splitting import halve
from periplus_spoke.transport.verdicts import HubRefusal

HOLD_S: Final = 300.0
"""Between questions while the hub does not want us, or not this kind."""
PENDING_S: Final = 10.0
"""Between questions while a person has yet to approve."""
_SNAPSHOT_EVERY_US: Final = 30_000_000
"""Every answer says that a snapshot is wanted, until one has arrived."""
_REQUEUE_EVERY_US: Final = 60_000_000
_UNSETTLED_S: Final = 150
"""A hub without a standby settles within two minutes by default, and a heartbeat brings the word."""
_ASK_EVERY_US: Final = 60_000_000
_OVERTAKE_EVERY_US: Final = 3_600_000_000
"""Two spokes that overtake each other send a snapshot each time, and where they differ the hub's picture changes."""
_LIVES_REMEMBERED: Final = 8
_ONE_SPOKE: Final = problems.BATCH_CONFLICT.remedy

_log: Final = logging.getLogger(__name__)


class Answers:
    """Applies them, one at a time."""

    def __init__(self, context: SenderContext) -> None:
        self._context = context
        self._settled: dict[str, int] = {}
        self._asked_at_us: int | None = None
        self._requeued_at_us: int | None = None
        self._overtook_at_us: int | None = None
        self._asked_after_us: int | None = None

    async def accepted(self, identity: BatchId, answer: BatchAnswer) -> None:
        """The batch is committed."""
        context = self._context
        if answer.result == "accepted" and await context.thread.run(context.outbox.is_known_to_hub, identity):
            await self._send_again()  # the hub had it once, and what else it lost is not known
        await context.thread.run(context.outbox.accept, identity)
        context.report.counters[f"batches_{answer.result}"] += 1
        if answer.rejected:
            context.report.counters["rows_rejected"] += sum(answer.rejected.values())
            _log.warning("the hub set rows aside", extra={"seq": identity.seq, "rejected": answer.rejected})
            context.report.set_aside(answer.rejected)
        await self.heard(answer)

    async def heard(self, answer: BatchAnswer | HeartbeatAnswer) -> None:
        """What every good answer carries: watermark, pace, time, and whether the hub needs a snapshot."""
        context = self._context
        context.pacer.set_pace(answer.pace)
        context.report.well()
        depth = await context.thread.run(context.outbox.depth)
        await self._settle(depth, answer.epoch, answer.settled_through)
        await self._compare_epochs(depth, answer.newest_epoch)
        self._compare_clocks(answer.time_us)
        if answer.wants_snapshot:
            self._ask_snapshot()
        await self.look_after_chain()

    async def _settle(self, depth: Depth, epoch: str, through: int) -> None:
        context = self._context
        # How far the numbers of an earlier life went nobody knows any more; only what was accepted is let go of anyway.
        known = {depth.epoch: depth.last_seq, **{older.epoch: through for older in depth.older}}
        if epoch not in known and self._settled.get(epoch, -1) >= through >= 0:
            return  # the other lane's answer has settled the last of it
        if epoch not in known or not 0 <= through <= known[epoch]:
            context.report.counters["bogus_watermarks"] += 1
            return
        settled = self._remembered(known)
        lower = through < settled.get(epoch, 0)
        if lower and await context.thread.run(context.outbox.is_known_to_hub, BatchId(epoch, through + 1)):
            self._settled = settled | {epoch: through}
            await self._send_again()
            return
        if not lower:
            self._settled = settled | {epoch: through}
        gone = await context.thread.run(context.outbox.settle, epoch, through)
        context.report.counters["batches_settled"] += gone

    def _remembered(self, known: Container[str]) -> dict[str, int]:
        """Lives that hold something, and the last few that do not: the other lane's word of them may come late."""
        gone = [name for name in self._settled if name not in known]
        forgotten = set(gone[:-_LIVES_REMEMBERED])
        return {name: seq for name, seq in self._settled.items() if name not in forgotten}

    async def _send_again(self) -> None:
        """The hub lost commits (a failover, a restore): it gets what we still hold.

        Only a batch it had accepted shows that: one beyond a lower watermark, or one it takes a second time. A lower
        watermark alone may stem from a header sealed before a batch between was dropped.
        """
        context = self._context
        if not self._is_due(self._requeued_at_us, _REQUEUE_EVERY_US):
            return
        self._requeued_at_us = context.timer.monotonic_us()
        count = await context.thread.run(context.outbox.requeue_accepted)
        _log.warning("the hub lost batches it had accepted; sending what is held again", extra={"batches": count})

    async def look_after_accepted(self) -> None:
        """A watermark that stands still may mean that the hub lost the next batch: one at a time is asked for."""
        context, due = self._context, self._is_due(self._asked_after_us, _ASK_EVERY_US)
        if due and await context.thread.run(context.outbox.ask_for_accepted, _UNSETTLED_S):
            self._asked_after_us = context.timer.monotonic_us()

    async def _compare_epochs(self, depth: Depth, newest: str) -> None:
        """The hub ignores batches of an epoch earlier than its newest, and does not say so."""
        context = self._context
        if newest <= depth.epoch or not is_epoch(newest) or not self._is_due(self._overtook_at_us, _OVERTAKE_EVERY_US):
            return
        if await context.thread.run(context.outbox.overtake, newest):
            self._overtook_at_us = context.timer.monotonic_us()
            _log.error("the hub has later inventory of this cluster; starting a later epoch", extra={"epoch": newest})
            told = "another spoke writes as this cluster, or wrote from a later copy of this state folder"
            context.report.condition("second_writer", f"{told}. {_ONE_SPOKE}")

    def _is_due(self, last_us: int | None, every_us: int) -> bool:
        return last_us is None or self._context.timer.monotonic_us() - last_us >= every_us

    def _compare_clocks(self, hub_us: int) -> None:
        if hub_us <= 0:
            return
        skew_s = (self._context.timer.wall_us() - hub_us) / 1_000_000
        off = abs(skew_s) > SKEW_WARNING_S
        message = f"this cluster's clock and the hub's are {abs(skew_s):.0f} s apart; check time synchronisation"
        self._context.report.condition("clock_skew", message if off else "")

    async def look_after_chain(self) -> None:
        """Ask for a snapshot when queued inventory was let go of."""
        if self._context.outbox.snapshot_needed and self._ask_snapshot():
            self._context.outbox.snapshot_needed = False

    def _ask_snapshot(self) -> bool:
        if not self._is_due(self._asked_at_us, _SNAPSHOT_EVERY_US):
            return False
        self._asked_at_us = self._context.timer.monotonic_us()
        self._context.request_snapshot()
        return True

    def held(self, refusal: HubRefusal) -> None:
        """The hub does not want this spoke now: wait, keep collecting, ask again."""
        context = self._context
        pending = refusal.problem is problems.PENDING
        wait_s = PENDING_S if pending else HOLD_S
        context.pacer.pause_for(spread(max(wait_s, min(refusal.retry_after_s or 0, HOLD_S)), context.rng))
        context.report.trouble(refusal.reason, refusal.message, refusal.problem.remedy)
        if pending:
            context.report.update(phase="pending")

    async def refused(self, identity: BatchId, kind: Kind, refusal: HubRefusal) -> None:
        """A verdict that settles what happens to this batch. RENEW and RETRY only put it back."""
        context = self._context
        context.report.counters[f"refused_{refusal.reason}"] += 1
        match refusal.problem.verdict:
            case Verdict.DEAD_LETTER:
                _log.error("the hub refuses a batch for good", extra={"seq": identity.seq, "why": refusal.message})
                context.report.condition("dead_letter", f"the hub refuses batches for good: {refusal.message}")
                await context.thread.run(context.outbox.dead_letter, identity)
            case Verdict.RESNAPSHOT:
                await context.thread.run(context.outbox.resnapshot, identity)
            case Verdict.NEW_EPOCH:
                await self._second_writer(identity, refusal)
            case Verdict.SPLIT:
                await self._too_large(identity, kind)
            case Verdict.HOLD if refusal.problem is problems.UNSUPPORTED_KIND:
                context.pacer.withhold(kind, HOLD_S)
                await context.thread.run(context.outbox.put_back, identity)
            case Verdict.HOLD:
                self.held(refusal)
                await context.thread.run(context.outbox.put_back, identity)
            case Verdict.RENEW | Verdict.RETRY:
                await context.thread.run(context.outbox.put_back, identity)
        await self.look_after_chain()

    async def _second_writer(self, identity: BatchId, refusal: HubRefusal) -> None:
        _log.error("another spoke writes as this cluster; starting a new epoch", extra={"seq": identity.seq})
        self._context.report.condition("second_writer", f"{refusal.message}. {refusal.problem.remedy}")
        await self._context.thread.run(self._context.outbox.conflict, identity)

    async def _too_large(self, identity: BatchId, kind: Kind) -> None:
        """Inventory and ipam are told again in smaller batches; what cannot get smaller is set aside."""
        context = self._context
        if kind not in WINDOWED and context.shrink():
            await context.thread.run(context.outbox.resnapshot, identity)
        elif kind not in WINDOWED or not await self._split(identity):
            await self._cannot_be_smaller(identity)

    async def look_after_uncut(self) -> None:
        """Cut what was found too large while the disk took no halves; the hub need not be asked again."""
        for identity in await self._context.thread.run(self._context.outbox.uncut):
            if not await self._split(identity):
                await self._cannot_be_smaller(identity)

    async def _cannot_be_smaller(self, identity: BatchId) -> None:
        self._context.report.condition("dead_letter", "the hub refuses batches that cannot be smaller")
        await self._context.thread.run(self._context.outbox.dead_letter, identity, "too_large")

    async def _split(self, identity: BatchId) -> bool:
        """False when it cannot be cut. What is gone, or cannot be read now, is judged another time."""
        thread, outbox = self._context.thread, self._context.outbox
        opened = await thread.run(outbox.read, identity)
        if opened is None:
            return True
        try:
            halves = await asyncio.to_thread(halve, opened)
        except Exception:  # noqa: BLE001 - rows that cannot be read, as of another release, must not stop the others
            _log.exception("a batch cannot be cut in halves", extra={"seq": identity.seq})
            halves = ()
        if halves:
            await thread.run(outbox.split, identity, halves)
        return bool(halves)
