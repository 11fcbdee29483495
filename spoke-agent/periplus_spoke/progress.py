"""How the first complete picture gets on, and when a run that is to end has done its work."""

import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from periplus_contract.rejections import Reason
from periplus_spoke.collectors.group import CollectorGroup
from periplus_spoke.kit.errors import HubRefusedForGoodError, SpokeError
from periplus_spoke.transport.context import SenderContext

REFUSED: Final = frozenset({"revoked", "proof_refused", "wrong_identity", "unsupported_version"})
"""Verdicts that waiting does not cure. A pending approval is none of them."""

_log: Final = logging.getLogger(__name__)


class Goal(NamedTuple):
    """What ends a run."""

    ends: bool
    """Whether anything but a signal does: that the hub has the first complete picture."""
    needs_settled: bool = True
    """Whether the hub must have settled it, not only accepted it."""


class Progress:
    """Follows one run. `is_read` once the collectors have told everything for the first time."""

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        self._told_of_waiting = False
        self.is_read = False

    async def follow(
        self, context: SenderContext, collectors: CollectorGroup, count_objects: Callable[[], int | None]
    ) -> None:
        """Report, and return when the hub has everything. Raises SpokeError when a run that is to end cannot."""
        await collectors.wait_until_settled()
        self.is_read = True
        report = context.report
        pending = report.status.phase == "pending"
        report.update(phase="pending" if pending else "sending", objects=count_objects())
        while True:
            # Taken before the figures are read: a change in between would otherwise be waited for in vain.
            changed = context.changes.next_change()
            depth = await context.thread.run(context.outbox.depth)
            status = report.status
            if self._goal.ends and status.reason in REFUSED:
                raise HubRefusedForGoodError(status.reason, status.message, status.remedy)
            if collectors.is_settled and not context.outbox.snapshot_needed and depth.queued_batches == 0:
                if depth.held_batches == 0 or not self._goal.needs_settled:
                    break
                self._say_what_it_waits_for()
            await changed.wait()
        if self._goal.ends:
            _check_clock(context)
        report.update(phase="settled")

    def _say_what_it_waits_for(self) -> None:
        if self._goal.ends and not self._told_of_waiting:
            self._told_of_waiting = True
            _log.info(
                "the hub has accepted everything; waiting until it is safe there for good, which takes a hub without "
                "a standby about two minutes (its settle_after_s); --accepted ends without this wait"
            )


def _check_clock(context: SenderContext) -> None:
    """A hub takes rows of its future out of the way; a picture of which nothing is seen is not done."""
    rows = context.report.rejected[Reason.CLOCK_AHEAD]
    if rows:
        raise SpokeError(
            "clock_ahead",
            f"the hub has set {rows} rows aside, as they are of its future",
            "Set this machine's clock, or the hub's, and run it again.",
        )
