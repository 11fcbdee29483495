"""A spoke without a cluster, as a process that can be killed: `python -m tests.support.spoke_child URL FOLDER RUN`.

Each run seals a snapshot and four windows of flows, writes down which rows' sealing returned, and ends once the hub
has settled everything.
"""

import asyncio
import errno
import os
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from periplus_contract.column_types import TIMESTAMP, UTF8
from periplus_contract.covers import EVERY_ALLOCATION
from periplus_contract.tables import ALLOCATIONS, Column, Kind, Table
from periplus_spoke.conversion.cluster_identity import ClusterIdentity
from periplus_spoke.conversion.records import Cell, Sealable, SectionRows
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.outbox.filesystem import FolderFileSystem
from periplus_spoke.outbox.lock import FolderLock
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.thread import OutboxThread
from periplus_spoke.transport.client import HubClient
from periplus_spoke.transport.context import SenderContext
from periplus_spoke.transport.identity import IdentityStore
from periplus_spoke.transport.pacer import Pacer
from periplus_spoke.transport.report import Report
from periplus_spoke.transport.sender import Sender
from periplus_spoke.transport.session import Session, enrol
from periplus_spoke.transport.sink import OutboxSink

from tests.support.fake_hub import JOIN_TOKEN

FLOWS: Final = Table("flows", (Column("id", UTF8, nullable=False), Column("at", TIMESTAMP)))
WINDOWS: Final = 4
PARTS: Final = 3
ROWS: Final = 4
HOUR_S: Final = 1_767_225_600


def flows(run: str, window: int) -> Sealable:
    """Rows that are unique over all runs."""
    ids = [f"{run}-{window}-{row}" for row in range(ROWS)]
    section = SectionRows(table=FLOWS, columns={"id": list(ids), "at": [HOUR_S * 1_000_000] * ROWS}, rows=ROWS)
    return Sealable(kind=Kind.FLOWS, window_start_s=HOUR_S + 60 * window, window_s=60, sections=(section,))


def statement(run: str) -> Sealable:
    """Allocations that take three batches when a batch takes one row."""
    cidrs: list[Cell] = [f"{run}-range-{row}" for row in range(PARTS)]
    section = SectionRows(table=ALLOCATIONS, columns={"cidr": cidrs}, rows=PARTS)
    return Sealable(kind=Kind.IPAM, window_start_s=HOUR_S, window_s=60, sections=(section,), covers=EVERY_ALLOCATION)


def snapshot(run: str) -> Sealable:
    """A whole picture of one row."""
    section = SectionRows(table=Table("pods", FLOWS.columns), columns={"id": [f"pod-{run}"]}, rows=1)
    return Sealable(kind=Kind.INVENTORY, window_start_s=HOUR_S, window_s=0, sections=(section,), mode="snapshot")


class MoodyFileSystem(FolderFileSystem):
    """Refuses one file of flows once, so that every run goes into memory and back."""

    _refused = False

    def write(self, name: str, data: bytes) -> None:
        if ".flows." in name and not self._refused:
            self._refused = True
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().write(name, data)


class Child:
    """One run."""

    def __init__(self, url: str, folder: Path, run: str) -> None:
        self._url = url
        self._folder = folder
        self._run = run
        self._wanted = asyncio.Event()

    async def work(self) -> None:
        """Enrol, seal, send; return when nothing is held any more."""
        lock = FolderLock(self._folder)
        lock.acquire()
        clock, rng, store, thread, changes = (
            SystemClock(),
            random.SystemRandom(),
            IdentityStore(self._folder),
            OutboxThread(),
            ChangeSignal(),
        )
        async with HubClient(self._url, clock) as client:
            facts = ClusterIdentity(uid="uid-1", name="prod-1")
            registration = store.registration() or await enrol(client, store, facts, JOIN_TOKEN)
            files = MoodyFileSystem(self._folder / "outbox")
            outbox = await thread.run(Outbox, files, clock, rng, registration.registration)
            sink = OutboxSink(thread, outbox, changes, clock)
            self._rows_one_by_one = OutboxSink(thread, outbox, changes, clock)
            while self._rows_one_by_one.shrink():
                pass
            context = SenderContext(
                thread=thread,
                outbox=outbox,
                pacer=Pacer(clock),
                report=Report(),
                changes=changes,
                timer=clock,
                rng=rng,
                request_snapshot=self._wanted.set,
                shrink=sink.shrink,
            )
            sender = Sender(context, client, Session(client, store, registration, clock), quiet_s=0.2)
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(sender.run())
                again = group.create_task(self._snapshots(sink))
                await self._seal(sink, lambda: thread.run(outbox.recover_disk))
                while await thread.run(outbox.held) or outbox.snapshot_needed:
                    await changes.next_change().wait()
                sending.cancel()
                again.cancel()
        thread.close()
        lock.release()

    async def _seal(self, sink: OutboxSink, make_durable: Callable[[], Awaitable[bool]]) -> None:
        await sink.emit(snapshot(self._run))
        await self._rows_one_by_one.emit(statement(self._run))
        with (self._folder / "returned").open("a") as oracle:
            for window in range(WINDOWS):
                await sink.emit(flows(self._run, window))
                await make_durable()
                oracle.writelines(f"{self._run}-{window}-{row}\n" for row in range(ROWS))
                oracle.flush()

    async def _snapshots(self, sink: OutboxSink) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await sink.emit(snapshot(self._run))
            await self._rows_one_by_one.emit(statement(self._run))


if __name__ == "__main__":
    asyncio.run(Child(sys.argv[1], Path(sys.argv[2]), sys.argv[3]).work())
