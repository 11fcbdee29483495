"""The running spoke: cluster and hub wired together, from the first look at the API server to the last seal."""

import asyncio
import logging
import os
import random
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from periplus_contract.rejections import Reason
from periplus_spoke.collectors.config import CollectConfig
from periplus_spoke.collectors.runner import Collectors
from periplus_spoke.fold.cluster_identity import ClusterIdentity
from periplus_spoke.fold.text import DEFAULT_LABEL_KEYS
from periplus_spoke.health import Health
from periplus_spoke.kit.backoff import Backoff
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.kit.clock import Timer
from periplus_spoke.kit.config import SpokeConfig, why_no_token
from periplus_spoke.kit.errors import ConfigError, HubRefusedError, SpokeError
from periplus_spoke.kit.own_files import make_own_folder
from periplus_spoke.kube.client import KubeClient
from periplus_spoke.kube.credentials import Credentials, InClusterCredentials
from periplus_spoke.kube.problems import KubeProblem
from periplus_spoke.outbox.filesystem import FolderFileSystem
from periplus_spoke.outbox.lock import FolderLock
from periplus_spoke.outbox.outbox import Outbox, Policy
from periplus_spoke.outbox.thread import OutboxThread
from periplus_spoke.transport.client import HubClient
from periplus_spoke.transport.context import SenderContext
from periplus_spoke.transport.identity import IdentityStore, Registration, check_cluster, other_name
from periplus_spoke.transport.joining import Joining
from periplus_spoke.transport.pacer import Pacer
from periplus_spoke.transport.report import Report
from periplus_spoke.transport.sender import Sender
from periplus_spoke.transport.session import Session
from periplus_spoke.transport.sink import LateSink, OutboxSink

_PASSING: Final = frozenset({"unreachable", "timeout", "server_error", "throttled"})
"""Problems of an API server that a spoke with something left to send waits out."""
_REFUSED: Final = frozenset({"revoked", "proof_refused", "wrong_identity", "unsupported_version"})
"""Verdicts that waiting does not cure. A pending approval is none of them."""
_ONCE_HEARTBEAT_S: Final = 2.0

_log: Final = logging.getLogger(__name__)


class _Finished(Exception):
    pass


class Agent:
    """One spoke. `run` until a signal, or `once` until everything is settled."""

    def __init__(self, config: SpokeConfig, join_token: str, timer: Timer, rng: random.Random) -> None:
        self._config = config
        self._join_token = join_token
        self._timer = timer
        self._rng = rng
        self._once = False
        self._needs_settled = True
        self._done = False
        self._told_of_waiting = False
        self._read = False
        self.report = Report(config.status_file)

    async def run(self) -> None:
        """Collect and send until SIGTERM or SIGINT. Raises SpokeError."""
        await self._guarded()
        _log.info("stopped; everything sealed is kept")

    async def once(self, *, accepted: bool, timeout_s: float) -> None:
        """Send one complete picture and return when the hub has settled (or only accepted) it. Raises SpokeError."""
        self._once = True
        self._needs_settled = not accepted
        try:
            async with asyncio.timeout(timeout_s):
                await self._guarded()
        except TimeoutError:
            raise self._too_late(timeout_s) from None
        if not self._done:
            raise SpokeError(
                "stopped", "stopped before the hub has everything", "Run it again: what is sealed is kept and sent."
            )

    def _too_late(self, timeout_s: float) -> SpokeError:
        status = self.report.status
        kind = HubRefusedError if status.reason in _REFUSED else SpokeError
        message = status.message or status.conditions.get("dead_letter") or f"still {status.phase}"
        return kind(
            status.reason or "timeout", f"not done after {timeout_s:.0f} s: {message}", status.remedy or _LONGER
        )

    async def _guarded(self) -> None:
        self.report.update(phase="connecting")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._until_signal())
                group.create_task(self._work())
        except* _Finished:
            pass
        except* SpokeError as errors:
            error = next(_leaves(errors))
            self.report.update(phase="failed", reason=error.reason, message=error.message, remedy=error.remedy)
            raise error from None

    async def _until_signal(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await stop.wait()
        raise _Finished

    # ---- the work

    async def _work(self) -> None:
        config, timer = self._config, self._timer
        lock = self._lock()
        async with AsyncExitStack() as stack:
            stack.callback(lock.release)
            client = await stack.enter_async_context(HubClient(config.hub, timer, config.hub_ca))
            kube = KubeClient(credentials(config), timer)
            stack.push_async_callback(kube.close)
            collectors = Collectors(kube, _collect_config(config), timer, self._rng)
            store = IdentityStore(config.state_dir)
            stored = store.registration()
            found = await self._look(stored, collectors)
            thread, sink = OutboxThread(), LateSink()
            stack.callback(thread.close)
            async with asyncio.TaskGroup() as group:
                # The cluster is read while the hub is still being asked: neither has to wait for the other.
                group.create_task(self._collect(collectors, sink, found))
                registration = found if isinstance(found, Registration) else await self._join(client, store, found)
                self.report.update(
                    phase="listing", registration=registration.registration, cluster_name=registration.cluster_name
                )
                self.report.condition("cluster_name", other_name(registration, config.cluster_name))
                outbox = await thread.run(self._open_outbox, registration)
                session = Session(client, store, registration, timer)
                await self._send(client, session, (thread, outbox), sink, collectors)

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

    async def _look(self, stored: Registration | None, collectors: Collectors) -> ClusterIdentity | Registration:
        """Who the cluster is; or, while it cannot be asked, the registration to go on with."""
        try:
            facts = await self._facts(collectors)
        except KubeProblem as error:
            if stored is None or self._once or error.reason not in _PASSING:
                raise
            self.report.trouble(error.reason, error.message, error.remedy)
            return stored
        if stored is not None:
            check_cluster(stored, facts.uid)
        return facts

    async def _join(self, client: HubClient, store: IdentityStore, facts: ClusterIdentity) -> Registration:
        joining = Joining(
            client=client,
            store=store,
            join_token=self._join_token,
            why_no_token=why_no_token(self._config),
            report=self.report,
            timer=self._timer,
            rng=self._rng,
        )
        stored = store.registration()
        if stored is not None and await joining.stay(stored):
            return stored
        self.report.update(phase="enrolling")
        return await joining.enrol(facts)

    async def _facts(self, collectors: Collectors) -> ClusterIdentity:
        found = await collectors.identity()
        return msgspec.structs.replace(found, name=self._config.cluster_name or found.name)

    def _open_outbox(self, registration: Registration) -> Outbox:
        config = self._config
        folder = config.state_dir / "outbox"
        policy = Policy(
            max_bytes=config.outbox_max_bytes,
            max_files=config.outbox_max_files,
            max_memory_bytes=config.memory_max_bytes,
        )
        try:
            return Outbox(FolderFileSystem(folder), self._timer, self._rng, registration.registration, policy)
        except OSError as error:
            raise SpokeError(
                "bad_state", f"the outbox {folder} cannot be read: {error}", "Check its permissions."
            ) from error

    async def _send(
        self,
        client: HubClient,
        session: Session,
        kept: tuple[OutboxThread, Outbox],
        late: LateSink,
        collectors: Collectors,
    ) -> None:
        changes, (thread, outbox) = ChangeSignal(), kept
        sink = OutboxSink(thread, outbox, changes, self._timer)
        late.lead_to(sink)
        context = SenderContext(
            thread=thread,
            outbox=outbox,
            pacer=Pacer(self._timer),
            report=self.report,
            changes=changes,
            timer=self._timer,
            rng=self._rng,
            request_snapshot=collectors.request_snapshot,
            shrink=sink.shrink,
        )
        quiet_s = self._config.heartbeat_interval_s
        sender = Sender(context, client, session, quiet_s=min(quiet_s, _ONCE_HEARTBEAT_S) if self._once else quiet_s)
        async with asyncio.TaskGroup() as group:
            group.create_task(sender.run())
            group.create_task(self._follow(context, collectors))
            if self._config.health_port is not None:
                group.create_task(self._serve_health(self._config.health_port))

    async def _collect(self, collectors: Collectors, sink: LateSink, found: ClusterIdentity | Registration) -> None:
        backoff = Backoff(self._rng)
        while isinstance(found, Registration):
            await self._timer.sleep(backoff.next_s())
            try:
                facts = await self._facts(collectors)
            except KubeProblem as error:
                self.report.trouble(error.reason, error.message, error.remedy)
            else:
                check_cluster(found, facts.uid)
                found = facts
        await collectors.run(sink)

    async def _follow(self, context: SenderContext, collectors: Collectors) -> None:
        """Report how the first complete picture gets on; in `once`, finish with it."""
        await collectors.settled.wait()
        self._read = True
        pending = self.report.status.phase == "pending"
        self.report.update(phase="pending" if pending else "sending", objects=collectors.objects)
        while True:
            changed = context.changes.next_change()
            depth = await context.thread.run(context.outbox.depth)
            status = self.report.status
            if self._once and status.reason in _REFUSED:
                raise HubRefusedError(status.reason, status.message, status.remedy)
            if collectors.settled.is_set() and not context.outbox.snapshot_needed and depth.queued_batches == 0:
                if depth.held_batches == 0 or not self._needs_settled:
                    break
                self._say_what_it_waits_for()
            await changed.wait()
        if self._once:
            self._check_clock()
        self.report.update(phase="settled")
        if self._once:
            self._done = True
            raise _Finished

    def _say_what_it_waits_for(self) -> None:
        if self._once and not self._told_of_waiting:
            self._told_of_waiting = True
            _log.info(
                "the hub has accepted everything; waiting until it is safe there for good, which takes a hub without "
                "a standby about two minutes (its settle_after_s); --accepted ends without this wait"
            )

    def _check_clock(self) -> None:
        """A hub takes rows of its future out of the way; a picture of which nothing is seen is not done."""
        rows = self.report.rejected[Reason.CLOCK_AHEAD]
        if rows:
            raise SpokeError(
                "clock_ahead",
                f"the hub has set {rows} rows aside, as they are of its future",
                "Set this machine's clock, or the hub's, and run it again.",
            )

    async def _serve_health(self, port: int) -> None:
        try:
            await Health(self.report, lambda: self._read).run(self._config.health_host, port)
        except OSError as error:
            raise ConfigError(
                "bad_config", f"health_port = {port} cannot be used: {error}", "Choose another --health-port."
            ) from error


_LONGER: Final = "Give it longer with --timeout, or look at the log."


def _leaves(errors: BaseExceptionGroup[SpokeError]) -> Iterator[SpokeError]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def credentials(config: SpokeConfig) -> Credentials:
    """Inside a pod its ServiceAccount, unless a kubeconfig or context is named."""
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    if in_pod and config.kubeconfig is None and not config.context:
        return InClusterCredentials()
    from periplus_spoke.kube.kubeconfig import KubeconfigCredentials  # noqa: PLC0415 - a pod needs none of it

    return KubeconfigCredentials(str(config.kubeconfig) if config.kubeconfig else None, config.context or None)


def _collect_config(config: SpokeConfig) -> CollectConfig:
    return CollectConfig(
        delta_interval_s=config.delta_interval_s,
        ipam_interval_s=config.ipam_interval_s,
        label_keys=config.label_keys or DEFAULT_LABEL_KEYS,
        distribution=config.distribution,
    )
