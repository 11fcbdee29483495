"""The way of a batch: header, admission, worker thread, one transaction, answer.

Nothing of a batch is durable before its transaction commits, and the transaction holds all of it: the ledger row,
the rows themselves, the accounting. So a batch is in once or not at all, whatever dies when, and its answer is sent
only after the commit. Batches of several spokes share a transaction (`periplus_hub.ingest.service_groups`).
"""

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from periplus_contract import batch as contract
from periplus_contract import limits, problems
from periplus_contract.messages import BatchAnswer, Heartbeat, HeartbeatAnswer, Pace
from periplus_contract.rejections import Reason
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.fleet.model import SpokePrincipal
from periplus_hub.fleet.repository_liveness import Heard, touch
from periplus_hub.fleet.service_enrolment import refuse_unless_active
from periplus_hub.fleet.wire import RefusedError
from periplus_hub.ingest import gate, repository, repository_ledger, repository_parts
from periplus_hub.ingest.admission import Admission
from periplus_hub.ingest.appliers import Applier, Listener, Preparing
from periplus_hub.ingest.config import IngestConfig
from periplus_hub.ingest.counting import Counted, counting, timing_group
from periplus_hub.ingest.decode import decode, set_all_aside, waits, with_earlier, with_prepared
from periplus_hub.ingest.model import Committed, DecodedBatch, Place, SealedBatch, WaitingPart, counts_by_reason
from periplus_hub.ingest.service_apply import Applied, Verdict, apply_group
from periplus_hub.ingest.service_groups import SMALL_ROWS, Groups
from periplus_hub.ingest.settlement import Settlement
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.db_errors import (
    DATABASE_ERRORS,
    is_connection_trouble,
    is_contention,
    is_denied,
    is_no_room,
    is_timeout,
    sqlstates,
)
from periplus_hub.kit.fair_queue import Shares
from periplus_hub.kit.places import Places

BUSY_S: Final = 5
_MANY: Final = 100_000
"""Those that wait to be decoded have room each, so they are few already."""
_BAD_DATA: Final = ("22", "23", "54")
"""SQLSTATE classes that blame the rows: data exception, integrity violation, limit of the program exceeded."""
_DENIED_REMEDY: Final = "Give the role in PERIPLUS_DATABASE_URL the rights on the schema that migrations made."

_log: Final = structlog.get_logger(__name__)


class Intake:
    """Takes batches and heartbeats. One per process; knows its appliers only by their kind."""

    def __init__(
        self,
        db: Database,
        config: IngestConfig,
        appliers: Sequence[Applier],
        listeners: Sequence[Listener] = (),
        *,
        slow_db: Database | None = None,
    ) -> None:
        """`slow_db` has more time for a statement, for a batch that goes alone."""
        self._db = db
        self._config = config
        self._appliers = {applier.kind: applier for applier in appliers}
        self._listeners = tuple(listeners)
        self._settlement = Settlement(db.clock, config.settle_after_s)
        self._groups = Groups(partial(self._commit, db), partial(self._commit, slow_db or db))
        threads = config.decode_threads + 1  # one that is never busy with a large batch
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._decoding = Places(
            db.clock,
            Shares(
                total=threads,
                big=config.decode_threads,
                each_tenant=threads,
                each_member=threads,
                waiting_each_tenant=_MANY,
                waiting_each_member=_MANY,
            ),
        )
        self.admission = Admission(
            db.clock, max_bytes=config.max_in_flight_bytes, max_per_spoke=config.max_in_flight_per_spoke
        )

    def close(self) -> None:
        """Let the worker threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def receive(self, principal: SpokePrincipal, sealed: bytes) -> BatchAnswer:
        """Take one sealed batch; the answer means it is committed. Raises RefusedError for every verdict."""
        with counting() as counted:
            unread = self._unread(principal, sealed, counted)
            decoded, applied = await self._store(unread)
            crashpoint("ingest.after_commit")
            await self._tell(decoded, applied)
            counted.answer, counted.rejected = self._answer(decoded, applied), applied.rejected
            crashpoint("ingest.before_answer")
            return counted.answer

    def _unread(self, principal: SpokePrincipal, sealed: bytes, counted: Counted) -> SealedBatch:
        """With a header that can be trusted to be in range."""
        received_at = self._db.clock.now()
        try:
            header, body = contract.split(sealed)
        except contract.DamagedBatchError as error:
            raise RefusedError(problems.MALFORMED_BATCH, str(error)) from error
        counted.kind, counted.rows = header.kind.value, header.rows
        epoch = gate.check(header, principal.registration_id)
        if header.kind not in self._appliers:
            raise RefusedError(problems.UNSUPPORTED_KIND, f"kind {header.kind.value!r} is not taken by this hub")
        return SealedBatch(
            principal=principal,
            header=header,
            epoch=epoch,
            body=body,
            sha256=contract.identity_sha256(sealed),
            sealed_bytes=len(sealed),
            received_at=received_at,
        )

    async def _store(self, unread: SealedBatch) -> tuple[DecodedBatch, Applied]:
        """Decoded and committed."""
        earlier = await self._earlier_parts(unread)
        size = unread.header.inflated_bytes + sum(part.inflated_bytes for part in earlier)
        async with self.admission.room(unread.principal, size):
            decoded = await self._decode_in_turn(unread, earlier, size)
            try:
                return decoded, await self._groups.store(decoded)
            except DATABASE_ERRORS as error:
                raise _verdict_on(error) from error

    async def _earlier_parts(self, unread: SealedBatch) -> Sequence[WaitingPart]:
        """What makes the last part of an ipam statement whole."""
        if unread.header.kind is not Kind.IPAM or unread.header.ipam is None or waits(unread.header):
            return ()
        async with self._db.read() as c:
            return await repository_parts.waiting(c, _scope(unread.principal), unread)

    async def _decode_in_turn(self, unread: SealedBatch, earlier: Sequence[WaitingPart], size: int) -> DecodedBatch:
        who, large = unread.principal, unread.header.rows > SMALL_ROWS
        async with self._decoding.place(who.tenant_id, who.registration_id, big=large, price=size):
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._decode, unread, earlier)

    def _decode(self, unread: SealedBatch, earlier: Sequence[WaitingPart] = ()) -> DecodedBatch:
        """Runs in a worker thread. However a library ends over a stranger's bytes, it is a verdict on this batch."""
        try:
            return self._decoded(unread, earlier)
        except RefusedError:
            raise
        except MemoryError as error:
            raise RefusedError(problems.OVERLOADED, "there is no memory for it now", retry_after_s=BUSY_S) from error
        except BaseException as error:  # a panic of a library in Rust is no Exception
            what = f"{type(error).__name__}: {error}"[:500]
            _log.error("batch_not_read", registration_id=unread.header.registration, seq=unread.header.seq, error=what)
            raise RefusedError(problems.INVALID_BATCH, "the hub cannot read it; its log says why") from error

    def _decoded(self, unread: SealedBatch, earlier: Sequence[WaitingPart]) -> DecodedBatch:
        header = unread.header
        if hashlib.sha256(unread.body).hexdigest() != header.sha256:
            raise RefusedError(problems.MALFORMED_BATCH, "body does not have the sha256 its header names")
        ahead_s = header.window_start_s - unread.received_at.timestamp()
        if ahead_s > limits.MAX_CLOCK_AHEAD_S:
            return set_all_aside(unread, Reason.CLOCK_AHEAD, f"the window starts {ahead_s:.0f} s in the hub's future")
        decoded = decode(unread)
        if waits(header):
            return decoded
        decoded = with_earlier(decoded, earlier) if earlier else decoded
        applier = self._appliers[header.kind]
        if isinstance(applier, Preparing):
            decoded = with_prepared(decoded, *applier.prepare(decoded))
        return decoded

    async def _commit(self, db: Database, group: Sequence[DecodedBatch]) -> dict[UUID, Verdict]:
        async def unit(c: WriteConnection) -> dict[UUID, Verdict]:
            return await self._write(c, group)

        with timing_group(self._db.clock, len(group)):
            return await db.retrying_write(unit)

    async def _write(self, c: WriteConnection, group: Sequence[DecodedBatch]) -> dict[UUID, Verdict]:
        scope = system_scope(group[0].principal.tenant_id, "spokes")
        flushed = await self._settlement.flushed(c, scope, [batch.place for batch in group])
        verdicts = await apply_group(c, scope, group, self._appliers, self._config.quarantine_rows)
        taken = {
            batch.principal.registration_id: (batch, verdict)
            for batch in group
            if isinstance(verdict := verdicts[batch.principal.registration_id], Applied)
        }
        if taken:
            await touch(c, scope, {mine: _heard(batch) for mine, (batch, _) in taken.items()})
            settled = await self._settlement.through(c, scope, [batch.place for batch, _ in taken.values()], flushed)
            for mine, (_, applied) in taken.items():
                applied.settled_through = settled[mine]
        crashpoint("ingest.before_commit")
        return verdicts

    def _answer(self, batch: DecodedBatch, applied: Applied) -> BatchAnswer:
        return BatchAnswer(
            result="duplicate" if applied.duplicate else "accepted",
            epoch=str(batch.epoch),
            settled_through=applied.settled_through,
            rejected={} if applied.duplicate else counts_by_reason(applied.rejected),
            pace=self._pace(),
            time_us=_us(self._db.clock.now()),
            wants_snapshot=applied.wants_snapshot,
            newest_epoch=str(applied.newest_epoch or ""),
        )

    async def _tell(self, batch: DecodedBatch, applied: Applied) -> None:
        if applied.duplicate:
            return
        committed = Committed(
            tenant_id=batch.principal.tenant_id,
            registration_id=batch.principal.registration_id,
            kind=batch.header.kind.value,
            sections=batch.sections,
            applied=applied.applied,
        )
        for listener in self._listeners:
            await listener(committed)

    def _pace(self) -> Pace:
        return Pace(max_in_flight=self._config.max_in_flight_per_spoke)

    async def heartbeat(self, principal: SpokePrincipal, beat: Heartbeat) -> HeartbeatAnswer:
        """Note that a quiet spoke lives; its outcomes are booked once however often the same heartbeat comes."""
        epoch = _checked_epoch(beat)
        received_at = self._db.clock.now()

        async def unit(c: WriteConnection) -> HeartbeatAnswer:
            return await self._note(c, principal, beat, (epoch, received_at))

        try:
            return await self._db.retrying_write(unit)
        except DATABASE_ERRORS as error:
            raise _verdict_on(error) from error

    async def _note(
        self, c: WriteConnection, principal: SpokePrincipal, beat: Heartbeat, when: tuple[UUID, datetime]
    ) -> HeartbeatAnswer:
        epoch, received_at = when
        scope, mine = _scope(principal), principal.registration_id
        heard_of = Place(registration_id=mine, epoch=epoch, seq=0, oldest_held=beat.oldest_held_seq)
        flushed = await self._settlement.flushed(c, scope, [heard_of])
        standing = (await repository_ledger.lock(c, scope, [heard_of])).get(mine)
        refuse_unless_active("revoked" if standing is None else standing.state, principal.name)
        if await repository.is_first_beat(c, scope, mine, epoch, beat.monotonic_us):
            await repository.account_reported(c, scope, mine, beat.outcomes)
        heard = Heard(
            at=received_at,
            epoch=epoch,
            skew_ms=(beat.wall_us - _us(received_at)) // 1000,
            exact=True,
            spoke_version=beat.spoke_version[:64],
            queued_batches=beat.queued_batches,
            queued_bytes=beat.queued_bytes,
        )
        await touch(c, scope, {mine: heard})
        chain = None if standing is None else standing.chain
        lost = beat.last_seq > 0 and beat.queued_batches == 0
        if lost and chain is not None and chain.epoch.bytes >= epoch.bytes:
            # Of an earlier life there is nothing to restore.
            same = chain.epoch == epoch
            lost = same and await repository.latest_seq(c, scope, mine, epoch) < beat.last_seq
        return HeartbeatAnswer(
            epoch=beat.epoch,
            settled_through=(await self._settlement.through(c, scope, [heard_of], flushed))[mine],
            pace=self._pace(),
            time_us=_us(self._db.clock.now()),
            wants_snapshot=lost,
            newest_epoch="" if chain is None else str(chain.epoch),
        )


def _scope(principal: SpokePrincipal) -> Scope:
    return system_scope(principal.tenant_id, f"spoke:{principal.registration_id}")


def _heard(batch: DecodedBatch) -> Heard:
    skew_ms = (batch.header.sealed_at_us - _us(batch.received_at)) // 1000
    return Heard(at=batch.received_at, epoch=batch.epoch, skew_ms=skew_ms, exact=False)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _checked_epoch(beat: Heartbeat) -> UUID:
    """The heartbeat's epoch, after holding all its numbers against their ranges."""
    numbers = (beat.last_seq, beat.queued_batches, beat.queued_bytes, beat.monotonic_us, beat.oldest_held_seq - 1)
    in_range = all(0 <= number <= gate.MAX_INT for number in numbers)
    if not contract.is_epoch(beat.epoch):
        raise RefusedError(problems.MALFORMED_MESSAGE, "Heartbeat: epoch is not a UUIDv7 of a time before 2100")
    if not in_range or not 0 <= beat.wall_us <= limits.LATEST_S * 1_000_000 or not beat.spoke_version.isprintable():
        raise RefusedError(problems.MALFORMED_MESSAGE, "Heartbeat: a value is out of range")
    if len(beat.outcomes) > limits.MAX_OUTCOMES:
        raise RefusedError(problems.MALFORMED_MESSAGE, f"Heartbeat: more than {limits.MAX_OUTCOMES} outcomes")
    for outcome in beat.outcomes:
        gate.check_outcome(outcome)
    return UUID(beat.epoch)


def _verdict_on(error: Exception) -> Exception:
    """What a database error means for the spoke: come back, or this batch can never be stored; else a bug."""
    if is_connection_trouble(error) or is_contention(error) or is_timeout(error) or is_no_room(error):
        return RefusedError(problems.OVERLOADED, "the database cannot take this now", retry_after_s=BUSY_S)
    if is_denied(error):
        _log.error("database_denies", error=str(error.__cause__ or error), remedy=_DENIED_REMEDY)
        return RefusedError(problems.OVERLOADED, "the database lets the hub store nothing", retry_after_s=BUSY_S)
    if any(state.startswith(_BAD_DATA) for state in sqlstates(error)):
        _log.error("rows_refused", error=str(error.__cause__ or error)[:500])
        return RefusedError(problems.INVALID_BATCH, "the database refuses the rows; the hub's log says why")
    return error
