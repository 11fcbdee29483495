"""Backups by a schedule, in the process that leads. The folder alone says which are there, so any process may go on."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from periplus_hub.backups.config import BackupsConfig
from periplus_hub.backups.kept import Kept, clear_up, name_at, remove, whole_backups
from periplus_hub.backups.service_backup import Source, take
from periplus_hub.backups.sums import verified
from periplus_hub.fleet.repository_enrolment import system_hub_id
from periplus_hub.kit.errors import Refusal
from periplus_hub.kit.metrics import Picture, Samples, counter
from periplus_hub.kit.tenancy import NO_TENANT

RETRY_S: Final = 900.0
"""After one that failed: a dump costs the database more than a look at the folder."""
_TURNS_MISSED: Final = 3

PICTURE: Final = Picture()
_newest: Final = PICTURE.gauge(
    "periplus_backup_newest_timestamp_seconds",
    "Of when the newest whole scheduled backup is, as a Unix time; absent while there is none.",
)
_kept: Final = PICTURE.gauge("periplus_backups", "Whole scheduled backups that are kept.")
_due: Final = PICTURE.gauge(
    "periplus_backup_due_timestamp_seconds",
    "When a scheduled backup was last due, as a Unix time. Where the newest is older, one is missing.",
)
_taken: Final = counter("periplus_backups_taken_total", "Scheduled backups by outcome: done or failed.", ("outcome",))

_log: Final = structlog.get_logger(__name__)


class BackupJob:
    """Takes a backup when one is due, checks it, and then removes those that are too many."""

    name = "backups.take"
    interval_s = 300.0

    def __init__(self, source: Source, folder: Path, config: BackupsConfig) -> None:
        self._source = source
        self._folder = folder.absolute()
        self._schedule = config.backups_due
        self._keep = config.backup_keep
        self._not_before_s = 0.0
        self._is_running = False
        _taken.labels("failed")  # a series that begins with 1 has not risen, for who watches it

    async def run(self, now: datetime) -> None:
        """One turn."""
        self._is_running = True
        try:
            await self._turn(now)
        finally:
            self._is_running = False

    async def _turn(self, now: datetime) -> None:
        due = self._schedule.last(now)
        kept = await self._look(due)
        clock = self._source.db.clock
        is_there = bool(kept) and due is not None and kept[-1].started_at >= due
        if is_there or clock.monotonic_s() < self._not_before_s:
            return
        self._not_before_s = clock.monotonic_s() + RETRY_S
        try:
            await self._take(now)
        except Refusal as refusal:
            self._failed(refusal.message, refusal.remedy)
        except OSError as error:
            why = f"{error.filename or self._folder}: {error.strerror}"
            self._failed(why, "Free some space there, or choose another place (backup_folder).")
        except Exception:
            _taken.labels("failed").inc()
            raise
        else:
            self._not_before_s = 0.0
            _taken.labels("done").inc()
        await self._look(due)

    async def _take(self, now: datetime) -> None:
        await asyncio.to_thread(clear_up, self._folder)
        target = self._folder / name_at(now)
        await take(self._source, target)
        try:
            manifest = await asyncio.to_thread(verified, target)
        except Refusal:
            await asyncio.to_thread(remove, [target])  # the disk does not keep what it is given
            raise
        _log.info("backup_taken", folder=str(target), bytes=manifest.bytes)
        kept = await self._kept()
        await asyncio.to_thread(remove, [each.path for each in kept[: -self._keep]])

    def _failed(self, error: str, remedy: str | None) -> None:
        _taken.labels("failed").inc()
        _log.warning("backup_failed", error=error, remedy=remedy)

    async def _kept(self) -> list[Kept]:
        async with self._source.db.read(NO_TENANT) as c:
            hub_id = await system_hub_id(c)
        return await asyncio.to_thread(whole_backups, self._folder, hub_id or "")

    async def _look(self, due: datetime | None) -> list[Kept]:
        """What is there, also for who watches."""
        samples: Samples = {} if due is None else {_due: {(): due.timestamp()}}
        try:
            kept = await self._kept()
        except Refusal:
            PICTURE.show(samples, self._is_of_now())
            return []  # taking one says the same, and is counted
        newest: Samples = {_newest: {(): kept[-1].started_at.timestamp()}} if kept else {}
        PICTURE.show({**samples, **newest, _kept: {(): len(kept)}}, self._is_of_now())
        return kept

    def _is_of_now(self) -> Callable[[], bool]:
        clock = self._source.db.clock
        until_s = clock.monotonic_s() + _TURNS_MISSED * self.interval_s
        return lambda: self._is_running or clock.monotonic_s() <= until_s
