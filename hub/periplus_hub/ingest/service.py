"""The way of a batch: header, room, worker thread, group, one transaction, answer.

Nothing of a batch is durable before its transaction commits, and the transaction holds all of it: the ledger row,
the rows themselves, the accounting. So a batch is in once or not at all, whatever dies when, and its answer is sent
only after the commit. To follow one, read `receive` below, then the modules in the order in which it comes to them:
`service_decode`, `service_groups`, `service_commit`, `service_apply`, the order of its kind in `kinds`, its applier.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from periplus_contract import batch as contract
from periplus_contract import problems
from periplus_contract.messages import BatchAnswer, Heartbeat, HeartbeatAnswer, Pace
from periplus_contract.names import MAX_NODE_NAME
from periplus_contract.tables import Kind
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.scope import system_scope
from periplus_hub.fleet.model import SpokePrincipal
from periplus_hub.ingest import header_checks, repository_parts
from periplus_hub.ingest.admission import Admission
from periplus_hub.ingest.appliers import Applier, Listener
from periplus_hub.ingest.config import IngestConfig
from periplus_hub.ingest.counting import Counted, counting
from periplus_hub.ingest.kinds import OF_AGENTS, ORDERS, taken_kinds
from periplus_hub.ingest.model import (
    Committed,
    DecodedBatch,
    SealedBatch,
    WaitingPart,
    counts_by_reason,
    is_last,
    parts_before,
)
from periplus_hub.ingest.service_commit import Committing
from periplus_hub.ingest.service_decode import Decoding
from periplus_hub.ingest.service_groups import Groups
from periplus_hub.ingest.service_heartbeat import Heartbeats
from periplus_hub.ingest.service_order import Applied, Order
from periplus_hub.ingest.service_verdicts import verdict_on
from periplus_hub.ingest.settlement import Settlement
from periplus_hub.kit.clock import unix_us
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import Database
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal


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
        orders: Mapping[Kind, Order] = ORDERS,
    ) -> None:
        """`slow_db` has more time for a statement, for a batch that goes alone. Raises ValueError: see taken_kinds."""
        self._db = db
        self._listeners = tuple(listeners)
        self._pace = Pace(max_in_flight=config.max_in_flight_per_spoke)
        self._kinds = taken_kinds(appliers, orders)
        self.admission = Admission(
            db.clock, max_bytes=config.max_in_flight_bytes, max_per_spoke=config.max_in_flight_per_spoke
        )
        self._decoding = Decoding(db.clock, self._kinds, config.decode_threads)
        settlement = Settlement(db.clock, config.settle_after_s)
        committing = Committing(self._kinds, settlement, keep=config.quarantine_rows)
        self._groups = Groups(partial(committing.commit, db), partial(committing.commit, slow_db or db))
        self._heartbeats = Heartbeats(db, settlement, self._pace)

    def close(self) -> None:
        """Let the worker threads go."""
        self._decoding.close()

    async def receive(self, principal: SpokePrincipal, sealed: bytes) -> BatchAnswer:
        """Take one sealed batch; the answer means it is committed. Raises SpokeRequestRefusal for every verdict."""
        with counting() as counted:
            unread = self._checked(principal, sealed, counted)
            earlier = await self._earlier_parts(unread)
            size = unread.header.inflated_bytes + sum(part.inflated_bytes for part in earlier)
            # The header's own figure of what the body inflates to. Decoding refuses a body that inflates to more, so
            # the promise holds before a byte of it is inflated.
            async with self.admission.room(principal, size):
                decoded = await self._decoding.decode(unread, earlier, size)
                applied = await self._store(decoded)
            crashpoint("ingest.after_commit")
            # After the commit: a listener that reads the database finds the rows.
            await self._tell(decoded, applied)
            counted.answer, counted.rejected = self._answer(decoded, applied), applied.rejected
            crashpoint("ingest.before_answer")
            return counted.answer

    def _checked(self, principal: SpokePrincipal, sealed: bytes, counted: Counted) -> SealedBatch:
        """With a header that can be trusted to be in range."""
        received_at = self._db.clock.now()
        try:
            header, body = contract.split(sealed)
        except contract.DamagedBatchError as error:
            raise SpokeRequestRefusal(problems.MALFORMED_BATCH, str(error)) from error
        counted.kind, counted.rows = header.kind.value, header.rows
        epoch = header_checks.check(header, principal)
        if principal.agent_id is not None and header.kind not in OF_AGENTS:
            raise _not_of_agents(principal, f"batches of kind {header.kind.value!r}")
        if header.kind not in self._kinds:
            raise SpokeRequestRefusal(problems.UNSUPPORTED_KIND, f"kind {header.kind.value!r} is not taken by this hub")
        self._kinds[header.kind].order.check(header)
        if principal.agent_id is not None and (node := OF_AGENTS[header.kind](header)) != principal.node_name:
            raise _not_of_agents(principal, f"batches of node {node[:MAX_NODE_NAME]!r}")
        return SealedBatch(
            principal=principal,
            header=header,
            epoch=epoch,
            body=body,
            sha256=contract.identity_sha256(sealed),
            sealed_bytes=len(sealed),
            received_at=received_at,
        )

    async def _earlier_parts(self, unread: SealedBatch) -> Sequence[WaitingPart]:
        """What makes the last part of a statement whole."""
        part = self._kinds[unread.header.kind].order.part_of(unread.header)
        if part is None or not is_last(part):
            return ()
        scope = system_scope(unread.principal.tenant_id, "spokes")
        async with self._db.read(scope) as c:
            return await repository_parts.waiting(c, scope, parts_before(unread, part))

    async def _store(self, decoded: DecodedBatch) -> Applied:
        """Committed, together with batches of others that wait at the same moment."""
        try:
            return await self._groups.store(decoded)
        except DATABASE_ERRORS as error:
            raise verdict_on(error) from error

    async def _tell(self, batch: DecodedBatch, applied: Applied) -> None:
        if applied.duplicate:
            return
        committed = Committed(
            tenant_id=batch.principal.tenant_id,
            registration_id=batch.registration_id,
            kind=batch.header.kind.value,
            sections=batch.sections,
            applied=applied.applied,
        )
        for listener in self._listeners:
            await listener(committed)

    def _answer(self, batch: DecodedBatch, applied: Applied) -> BatchAnswer:
        return BatchAnswer(
            result="duplicate" if applied.duplicate else "accepted",
            epoch=str(batch.epoch),
            settled_through=applied.settled_through,
            rejected={} if applied.duplicate else counts_by_reason(applied.rejected),
            pace=self._pace,
            time_us=unix_us(self._db.clock.now()),
            wants_snapshot=applied.wants_snapshot,
            newest_epoch=str(applied.newest_epoch or ""),
        )

    async def heartbeat(self, principal: SpokePrincipal, beat: Heartbeat) -> HeartbeatAnswer:
        """Note that a quiet spoke lives."""
        return await self._heartbeats.note(principal, beat)


def _not_of_agents(principal: SpokePrincipal, what: str) -> SpokeRequestRefusal:
    audited = RefusedAttempt(
        *("spoke:agent:refuse", "a batch that is not an agent's", "NodeAgent"),
        *(str(principal.agent_id), principal.tenant_id),
    )
    return SpokeRequestRefusal(problems.NOT_OF_AGENTS, f"{principal.title} may not send {what}", audited=audited)
