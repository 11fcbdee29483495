"""A courier over a real outbox folder, wired to a fake hub."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from periplus_spoke.kit.news import News
from periplus_spoke.outbox.desk import Desk
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.transport import keys
from periplus_spoke.transport.answers import Parts
from periplus_spoke.transport.client import HubClient
from periplus_spoke.transport.courier import Courier
from periplus_spoke.transport.gate import Gate
from periplus_spoke.transport.identity import IdentityStore
from periplus_spoke.transport.report import Report
from periplus_spoke.transport.session import ClusterFacts, Session, enrol
from periplus_spoke.transport.signing import Signed

from tests.support.clock import FakeClock
from tests.support.fake_hub import JOIN_TOKEN, FakeHub
from tests.support.spoke_batches import open_outbox


async def sign_here(private: str, message: bytes) -> Signed:
    """Signs in this process: a child's real time would be hours of a test's clock."""
    return Signed(**keys.sign(private, message)._asdict())


FACTS = ClusterFacts(uid="uid-1", name="prod-1")


@dataclass
class Rig:
    """What a test of the sender handles."""

    hub: FakeHub
    clock: FakeClock
    outbox: Outbox
    courier: Courier
    report: Report
    news: News
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
    desk = Desk()
    async with HubClient(hub.url, clock) as client:
        store = IdentityStore(folder, sign_here)
        registration = store.registration() or await enrol(client, store, FACTS, JOIN_TOKEN)
        rig = Rig(hub, clock, outbox, None, report, News(), folder)  # type: ignore[arg-type]  # set two lines below
        parts = Parts(
            desk=desk,
            outbox=outbox,
            gate=Gate(clock),
            report=report,
            news=rig.news,
            timer=clock,
            rng=random.Random(5),
            request_snapshot=rig.ask_snapshot,
            shrink=rig.shrink,
        )
        rig.courier = Courier(parts, client, Session(client, store, registration, clock))
        task = asyncio.create_task(rig.courier.run())
        try:
            yield rig
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            desk.close()
