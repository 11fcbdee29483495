"""One transaction for a group of batches: all that is said of them, and when their spokes may delete them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.fleet.repository_agents import record_contacts
from periplus_hub.fleet.repository_liveness import Contact
from periplus_hub.ingest.counting import timing_group
from periplus_hub.ingest.kinds import TakenKind
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.ingest.service_apply import apply_group
from periplus_hub.ingest.service_order import Applied, Verdict
from periplus_hub.ingest.settlement import Settlement
from periplus_hub.kit.clock import unix_us
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import Database, WriteConnection


class Committing:
    """Of the batches of one process, whichever of its databases they go through."""

    def __init__(self, kinds: Mapping[Kind, TakenKind], settlement: Settlement, *, keep: int) -> None:
        """`keep` quarantine entries of each registration."""
        self._kinds = kinds
        self._settlement = settlement
        self._keep = keep

    async def commit(self, db: Database, group: Sequence[DecodedBatch]) -> dict[UUID, Verdict]:
        """All of the group, which is of one tenant, or nothing; by sender."""
        scope = system_scope(group[0].principal.tenant_id, "spokes")

        async def unit(c: WriteConnection) -> dict[UUID, Verdict]:
            return await self._write(c, scope, group)

        with timing_group(db.clock, len(group)):
            return await db.retrying_write(scope, unit)

    async def _write(self, c: WriteConnection, scope: Scope, group: Sequence[DecodedBatch]) -> dict[UUID, Verdict]:
        # First of all: what standbys are asked about must be in the log before anything this transaction writes.
        flushed = await self._settlement.flushed(c, scope, [batch.key for batch in group])
        verdicts = await apply_group(c, scope, group, self._kinds, self._keep)
        taken = [(batch, verdict) for batch in group if isinstance(verdict := verdicts[batch.sender_id], Applied)]
        if taken:
            await record_contacts(c, scope, [(batch.principal, _contact(batch)) for batch, _ in taken])
            settled = await self._settlement.through(c, scope, [batch.key for batch, _ in taken], flushed)
            for batch, applied in taken:
                applied.settled_through = settled[batch.sender_id]
        crashpoint("ingest.before_commit")
        return verdicts


def _contact(batch: DecodedBatch) -> Contact:
    skew_ms = (batch.header.sealed_at_us - unix_us(batch.received_at)) // 1000
    return Contact(at=batch.received_at, epoch=batch.epoch, skew_ms=skew_ms, exact=False)
