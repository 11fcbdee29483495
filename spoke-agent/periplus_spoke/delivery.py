"""From what collectors tell to what the hub has: one state folder, one registration, one outbox, one sender.

Nothing here reads a cluster. Every agent is made of this and of collectors of its own.
"""

import random
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from periplus_spoke.collectors.group import CollectorGroup
from periplus_spoke.conversion.node_identity import NodeIdentity
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig, why_no_token
from periplus_spoke.kit.errors import ConfigError, SpokeError
from periplus_spoke.kit.own_files import make_own_folder
from periplus_spoke.outbox.filesystem import FolderFileSystem
from periplus_spoke.outbox.lock import FolderLock
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.planning import Policy
from periplus_spoke.outbox.thread import OutboxThread
from periplus_spoke.transport.client import HubClient
from periplus_spoke.transport.context import SenderContext
from periplus_spoke.transport.folding import fold_flows
from periplus_spoke.transport.identity import IdentityStore, Registration, check_node, other_name
from periplus_spoke.transport.joining import Joining
from periplus_spoke.transport.pacer import Pacer
from periplus_spoke.transport.report import Report
from periplus_spoke.transport.sender import Sender
from periplus_spoke.transport.session import Identity, Session
from periplus_spoke.transport.sink import LateSink, OutboxSink


class Delivery:
    """Use as an async context manager: the state folder is its own from entering to leaving.

    `join` (unless `stored` is good enough), then `open`, then `send`. Collectors may tell `sink` from the beginning:
    a cluster is read while the hub is still being asked.
    """

    def __init__(self, config: SpokeConfig, timer: Timer, rng: random.Random, report: Report) -> None:
        self._config = config
        self._timer = timer
        self._rng = rng
        self._report = report
        self._store = IdentityStore(config.state_dir)
        self._client = HubClient(config.hub, timer, config.hub_ca)
        self._thread = OutboxThread()
        self._held = AsyncExitStack()
        self.sink = LateSink()

    async def __aenter__(self) -> Self:
        lock = self._lock()
        async with AsyncExitStack() as stack:
            stack.callback(lock.release)
            await stack.enter_async_context(self._client)
            stack.callback(self._thread.close)
            self._held = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._held.aclose()

    def _lock(self) -> FolderLock:
        folder = self._config.state_dir
        lock = FolderLock(folder)
        try:
            make_own_folder(folder, "outbox")
            lock.acquire()
        except OSError as error:
            raise ConfigError(
                "bad_config",
                f"state_dir = '{folder}' cannot be used: {error.filename or folder}: {error.strerror or error}",
                "Name a folder with --state-dir that only this spoke's account may write into.",
            ) from error
        return lock

    def stored(self) -> Registration | None:
        """The registration of an earlier life, good or not."""
        return self._store.registration()

    async def join(self, who: Identity, join_token: str) -> Registration:
        """Stay the registration the hub knows, or enrol, however long that takes. Raises SpokeError.

        With a `NodeIdentity` it is an agent of that node, of the cluster that the join token is for.
        """
        joining = Joining(
            client=self._client,
            store=self._store,
            join_token=join_token,
            why_no_token=why_no_token(self._config),
            report=self._report,
            timer=self._timer,
            rng=self._rng,
        )
        stored = self._store.registration()
        if stored is not None and isinstance(who, NodeIdentity):
            check_node(stored, who.name)
        if stored is not None and await joining.stay(stored):
            return stored
        self._report.update(phase="enrolling")
        return await joining.enrol(who)

    async def open(self, registration: Registration, collectors: CollectorGroup) -> SenderContext:
        """Open the outbox and let the sink lead into it. Raises SpokeError."""
        self._report.update(
            phase="listing", registration=registration.registration, cluster_name=registration.cluster_name
        )
        self._report.condition("cluster_name", other_name(registration, self._config.cluster_name))
        outbox = await self._thread.run(self._open_outbox, registration)
        changes = ChangeSignal()
        sink = OutboxSink(self._thread, outbox, changes, self._timer)
        self.sink.lead_to(sink)
        return SenderContext(
            thread=self._thread,
            outbox=outbox,
            pacer=Pacer(self._timer),
            report=self._report,
            changes=changes,
            timer=self._timer,
            rng=self._rng,
            request_snapshot=collectors.request_snapshot,
            shrink=sink.shrink,
        )

    def _open_outbox(self, registration: Registration) -> Outbox:
        config = self._config
        folder = config.state_dir / "outbox"
        policy = Policy(
            max_bytes=config.outbox_max_bytes,
            max_files=config.outbox_max_files,
            max_memory_bytes=config.memory_max_bytes,
            fold=fold_flows,
        )
        try:
            return Outbox(FolderFileSystem(folder), self._timer, self._rng, registration.registration, policy)
        except OSError as error:
            raise SpokeError(
                "bad_state", f"the outbox {folder} cannot be read: {error}", "Check its permissions."
            ) from error

    async def send(self, context: SenderContext, registration: Registration, quiet_s: float) -> None:
        """Send what is sealed until cancelled; never silent for longer than `quiet_s`. Raises SpokeError."""
        session = Session(self._client, self._store, registration, self._timer)
        await Sender(context, self._client, session, quiet_s=quiet_s).run()
