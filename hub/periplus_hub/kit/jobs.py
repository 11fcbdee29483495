"""Work that comes round again: detectors, the overlap register, upkeep."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import AdvisoryLock, Database, lock_number
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.metrics import counter, gauge, histogram
from periplus_hub.kit.tenancy import NO_TENANT

T = TypeVar("T")

_LEADER_KEY: Final = "periplus.work"
_ASK_S: Final = 5.0
_HELD: Final = text(
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND datname = current_database() "
    "AND (classid::int8 << 32 | objid::int8) = :key)"
)
"""A session lock of one 64-bit key, as pg_locks shows it: in two halves."""

_runs: Final = counter("periplus_job_runs_total", "Job runs by their outcome: done or failed.", ("job", "outcome"))
_duration: Final = histogram("periplus_job_duration_seconds", "How long job runs took.", ("job",))
_last_success: Final = gauge(
    "periplus_job_last_success_timestamp_seconds", "When the job last ended well, as a Unix time.", ("job",)
)
_interval: Final = gauge("periplus_job_interval_seconds", "How often the job has its turn.", ("job",))
_leading: Final = gauge("periplus_leader", "1 while this process runs the fleet-wide jobs, else 0.")

_log: Final = structlog.get_logger(__name__)


class Job(Protocol):
    """One recurring piece of work. It must be safe to cut off anywhere and to run again."""

    @property
    def name(self) -> str:
        """`slice.verb`, as it appears in logs and metrics."""
        ...

    @property
    def interval_s(self) -> float:
        """Pause between the end of a run and the start of the next."""
        ...

    async def run(self, now: datetime) -> None:
        """Do it once."""
        ...


class JobRunner:
    """Runs every job in its own rhythm; one that fails is logged, counted, and tried again at its next turn."""

    def __init__(self, jobs: Iterable[Job], clock: Clock) -> None:
        self._jobs = tuple(jobs)
        self._clock = clock
        self._nudges = {job.name: asyncio.Event() for job in self._jobs}

    def nudge(self, name: str) -> None:
        """Run a job now, or once more when it is running."""
        self._nudges[name].set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for job in self._jobs:
                tasks.create_task(self._repeat(job), name=f"job:{job.name}")

    async def run_once(self, job: Job) -> bool:
        """One run; whether it ended well."""
        started_s = self._clock.monotonic_s()
        _interval.labels(job.name).set(job.interval_s)
        failed = _runs.labels(job.name, "failed")  # a series that begins with 1 has not risen, for who watches it
        try:
            await job.run(self._clock.now())
        except Exception:  # noqa: BLE001 - whatever a job met, the others go on, and it gets its next turn
            failed.inc()
            _log.exception("job_failed", job=job.name)
            return False
        _runs.labels(job.name, "done").inc()
        _duration.labels(job.name).observe(self._clock.monotonic_s() - started_s)
        _last_success.labels(job.name).set(self._clock.now().timestamp())
        return True

    async def _repeat(self, job: Job) -> None:
        nudge = self._nudges[job.name]
        while True:
            nudge.clear()  # before the run, so that a nudge during it means one more run
            began_s = self._clock.monotonic_s()
            await self.run_once(job)
            # Nudged without end, as by a fleet that enrols, a job takes half of the time and not all of it.
            await asyncio.sleep(min(self._clock.monotonic_s() - began_s, job.interval_s))
            with suppress(TimeoutError):
                async with asyncio.timeout(job.interval_s):
                    await nudge.wait()


async def one_after_another(work: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Run all of it, whatever fails; raises what failed at the end, so that one tenant's trouble is no other's."""
    _, failed = await done_and_failed(work)
    raise_failed(failed)


async def done_and_failed(work: Iterable[Coroutine[Any, Any, T]]) -> tuple[list[T], list[Exception]]:
    """Run all of it, whatever fails: what ended well, and why the rest did not."""
    done: list[T] = []
    failed: list[Exception] = []
    for each in work:
        # In a task of its own, so that what fails is held and a cancellation of the whole still gets through.
        outcomes: tuple[T | BaseException] = await asyncio.gather(each, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                failed.append(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                done.append(outcome)
    return done, failed


def raise_failed(failed: Sequence[Exception]) -> None:
    """Raise all of it together, when there is any: the run of the job failed."""
    if failed:
        msg = f"{len(failed)} parts of the job failed"
        raise ExceptionGroup(msg, failed)


async def somebody_leads(db: Database) -> bool:
    """Whether a process runs the fleet-wide jobs of this database."""
    async with db.read(NO_TENANT) as c:
        return bool(await c.scalar(_HELD, {"key": lock_number(_LEADER_KEY)}))


async def lead(db: Database, runner: JobRunner, *, ask_s: float = _ASK_S) -> None:
    """Until cancelled: run the jobs while this process is the one leader among all replicas.

    Leadership is a session lock in the database: it ends with the session, and the jobs are stopped within `ask_s`.
    """
    while True:
        await _lead_once(db, runner, ask_s)
        _leading.set(0)
        await asyncio.sleep(ask_s)


class _LeadershipLost(Exception):
    """Ends the task group of a leader."""


async def _lead_once(db: Database, runner: JobRunner, ask_s: float) -> None:
    try:
        async with db.advisory_lock(_LEADER_KEY) as lock:
            if lock is None:
                return
            _leading.set(1)
            _log.info("leading")
            await _run_while_held(lock, runner, ask_s)
    except (SQLAlchemyError, OSError, Unavailable) as error:
        _log.warning("leadership_not_asked", error=str(error))


async def _run_while_held(lock: AdvisoryLock, runner: JobRunner, ask_s: float) -> None:
    async def watch() -> None:
        while True:
            await asyncio.sleep(ask_s)
            if not await lock.still_held():
                raise _LeadershipLost

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(runner.run())
            tasks.create_task(watch())
    except* _LeadershipLost:
        _log.warning("leadership_lost")
