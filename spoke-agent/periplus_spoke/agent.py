"""The agent of a cluster, composed: its collectors, one delivery to the hub, and what ends the run."""

import asyncio
import logging
import random
from typing import Final

from periplus_spoke.cluster_source import ClusterSource
from periplus_spoke.delivery import Delivery
from periplus_spoke.health import serve_health
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kit.errors import HubRefusedForGoodError, SpokeError
from periplus_spoke.lifecycle import FinishedError, run_until_signal
from periplus_spoke.progress import REFUSED, Goal, Progress
from periplus_spoke.transport.identity import Registration
from periplus_spoke.transport.report import Report

_ONCE_HEARTBEAT_S: Final = 2.0
_LONGER: Final = "Give it longer with --timeout, or look at the log."

_log: Final = logging.getLogger(__name__)


class Agent:
    """One spoke. `run` until a signal, or `once` until everything is settled."""

    def __init__(self, config: SpokeConfig, join_token: str, timer: Timer, rng: random.Random) -> None:
        self._config = config
        self._join_token = join_token
        self._timer = timer
        self._rng = rng
        self._done = False
        self.report = Report(config.status_file)

    async def run(self) -> None:
        """Collect and send until SIGTERM or SIGINT. Raises SpokeError."""
        await run_until_signal(self._work(Goal(ends=False)), self.report)
        _log.info("stopped; everything sealed is kept")

    async def once(self, *, accepted: bool, timeout_s: float) -> None:
        """Send one complete picture and return when the hub has settled (or only accepted) it. Raises SpokeError."""
        try:
            async with asyncio.timeout(timeout_s):
                await run_until_signal(self._work(Goal(ends=True, needs_settled=not accepted)), self.report)
        except TimeoutError:
            raise self._too_late(timeout_s) from None
        if not self._done:
            raise SpokeError(
                "stopped", "stopped before the hub has everything", "Run it again: what is sealed is kept and sent."
            )

    def _too_late(self, timeout_s: float) -> SpokeError:
        status = self.report.status
        kind = HubRefusedForGoodError if status.reason in REFUSED else SpokeError
        message = status.message or status.conditions.get("dead_letter") or f"still {status.phase}"
        return kind(
            status.reason or "timeout", f"not done after {timeout_s:.0f} s: {message}", status.remedy or _LONGER
        )

    async def _work(self, goal: Goal) -> None:
        config, progress = self._config, Progress(goal)
        quiet_s = min(config.heartbeat_interval_s, _ONCE_HEARTBEAT_S) if goal.ends else config.heartbeat_interval_s
        async with (
            Delivery(config, self._timer, self._rng, self.report) as delivery,
            ClusterSource(config, self._timer, self._rng, self.report) as cluster,
            asyncio.TaskGroup() as group,
        ):
            # First: who probes must not kill what only waits for an API server, a hub or a person.
            group.create_task(serve_health(config, self.report, lambda: progress.is_read))
            collectors = cluster.collectors
            found = await cluster.identify(delivery.stored(), waits=not goal.ends)
            # The cluster is read while the hub is still being asked: neither has to wait for the other.
            group.create_task(cluster.collect(delivery.sink, found, with_flows=not goal.ends))
            if isinstance(found, Registration):
                registration = found
            else:
                registration = await delivery.join(found, self._join_token)
            context = await delivery.open(registration, collectors)
            group.create_task(delivery.send(context, registration, quiet_s))
            await progress.follow(context, collectors, lambda: collectors.objects)
            if goal.ends:
                self._done = True
                raise FinishedError
