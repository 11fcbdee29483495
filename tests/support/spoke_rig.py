"""A sender over a real outbox folder, wired to a fake hub."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from periplus_spoke.conversion.cluster_identity import ClusterIdentity
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.thread import OutboxThread
from periplus_spoke.transport import keys
from periplus_spoke.transport.client import HubClient
from periplus_spoke.transport.context import SenderContext
from periplus_spoke.transport.identity import IdentityStore
from periplus_spoke.transport.pacer import Pacer
from periplus_spoke.transport.report import Report
from periplus_spoke.transport.sender import Sender
from periplus_spoke.transport.session import Session, enrol
from periplus_spoke.transport.signing import Signed

from tests.support.clock import FakeClock
from tests.support.fake_hub import JOIN_TOKEN, FakeHub
from tests.support.spoke_batches import open_outbox


async def sign_here(private: str, message: bytes) -> Signed:
    """Signs in this process: a child's real time would be hours of a test's clock."""
    return Signed(**keys.sign(private, message)._asdict())


FACTS = ClusterIdentity(uid="uid-1", name="prod-1")


@dataclass
class Rig:
    """What a test of the sender handles."""

    hub: FakeHub
    clock: FakeClock
    outbox: Outbox
    sender: Sender
    report: Report
    changes: ChangeSignal
    folder: Path
    snapshots_asked: int = 0
    shrunk: int = 0

    def ask_snapshot(self) -> None:
        self.snapshots_asked += 1

    def shrink(self) -> bool:
        self.shrunk += 1
        return self.shrunk < 3


@contextlib.asynccontextmanager
async def sending(hub: FakeHub, folder: Path, clock: FakeClock, outbox: Outbox | None = None) -> AsyncIterator[Rig]:
    """Enrol, then send in the background until the block ends."""
    outbox = outbox or open_outbox(folder / "outbox", clock)
    report = Report(folder / "status.json")
    thread = OutboxThread()
    async with HubClient(hub.url, clock) as client:
        store = IdentityStore(folder, sign_here)
        registration = store.registration() or await enrol(client, store, FACTS, JOIN_TOKEN)
        rig = Rig(hub, clock, outbox, None, report, ChangeSignal(), folder)  # type: ignore[arg-type]  # set two lines below
        context = SenderContext(
            thread=thread,
            outbox=outbox,
            pacer=Pacer(clock),
            report=report,
            changes=rig.changes,
            timer=clock,
            rng=random.Random(5),
            request_snapshot=rig.ask_snapshot,
            shrink=rig.shrink,
        )
        rig.sender = Sender(context, client, Session(client, store, registration, clock))
        task = asyncio.create_task(rig.sender.run())
        try:
            yield rig
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            thread.close()
