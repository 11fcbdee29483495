"""The word of a spoke that has nothing to send."""

from typing import Final
from uuid import UUID

from periplus_contract import batch as contract
from periplus_contract import limits, problems
from periplus_contract.messages import Heartbeat, HeartbeatAnswer, Pace
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.fleet.model import SpokePrincipal
from periplus_hub.fleet.repository_agents import record_contacts
from periplus_hub.fleet.repository_liveness import Contact
from periplus_hub.fleet.service_refusals import refuse_unless_active
from periplus_hub.ingest import header_checks, repository, repository_ledger
from periplus_hub.ingest.applied_chain import AppliedChain
from periplus_hub.ingest.model import BatchKey, key_of
from periplus_hub.ingest.service_verdicts import verdict_on
from periplus_hub.ingest.settlement import Settlement
from periplus_hub.kit.clock import unix_us
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.db_errors import DATABASE_ERRORS
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

_MAX_VERSION: Final = 64


class Heartbeats:
    """Of all spokes that dial this process."""

    def __init__(self, db: Database, settlement: Settlement, pace: Pace) -> None:
        self._db = db
        self._settlement = settlement
        self._pace = pace

    async def note(self, principal: SpokePrincipal, beat: Heartbeat) -> HeartbeatAnswer:
        """Its outcomes are booked once however often the same heartbeat comes."""
        key = _checked(principal, beat)
        contact = self._contact(beat, key.epoch)

        async def unit(c: WriteConnection) -> HeartbeatAnswer:
            return await self._write(c, principal, beat, key, contact)

        try:
            return await self._db.retrying_write(_scope(principal), unit)
        except DATABASE_ERRORS as error:
            raise verdict_on(error) from error

    def _contact(self, beat: Heartbeat, epoch: UUID) -> Contact:
        now = self._db.clock.now()
        return Contact(
            at=now,
            epoch=epoch,
            skew_ms=(beat.wall_us - unix_us(now)) // 1000,
            exact=True,
            spoke_version=beat.spoke_version[:_MAX_VERSION],
            queued_batches=beat.queued_batches,
            queued_bytes=beat.queued_bytes,
        )

    async def _write(
        self, c: WriteConnection, principal: SpokePrincipal, beat: Heartbeat, key: BatchKey, contact: Contact
    ) -> HeartbeatAnswer:
        scope = _scope(principal)
        flushed = await self._settlement.flushed(c, scope, [key])
        state = (await repository_ledger.lock(c, scope, [key])).get(key.sender_id)
        refuse_unless_active("revoked" if state is None else state.state, principal.title)
        # Under the lock of the sender, so of two copies of one heartbeat the second finds the first.
        if await repository.is_first_beat(c, scope, principal, key.epoch, beat.monotonic_us):
            await repository.account_reported(c, scope, principal.registration_id, beat.outcomes)
        await record_contacts(c, scope, [(principal, contact)])
        chain = None if state is None else state.chain
        lost = await _has_lost(c, scope, key, beat, chain)
        settled = await self._settlement.through(c, scope, [key], flushed)
        return HeartbeatAnswer(
            epoch=beat.epoch,
            settled_through=settled[key.sender_id],
            pace=self._pace,
            time_us=unix_us(self._db.clock.now()),
            wants_snapshot=lost,
            newest_epoch="" if chain is None else str(chain.epoch),
        )


def _scope(principal: SpokePrincipal) -> Scope:
    return system_scope(principal.tenant_id, f"spoke:{principal.sender_id}")


async def _has_lost(
    c: WriteConnection, scope: Scope, key: BatchKey, beat: Heartbeat, chain: AppliedChain | None
) -> bool:
    """Whether the spoke sent all of its epoch, and the hub does not have it. Of an earlier life nothing is restored.

    An agent of a node has nothing that it could state again.
    """
    if key.is_agent or beat.last_seq == 0 or beat.queued_batches > 0:
        return False
    if chain is None or chain.epoch.bytes < key.epoch.bytes:
        return True
    if chain.epoch != key.epoch:
        return False
    # With nothing queued, all that the spoke holds was accepted once. Its last batch may be here and one before it not:
    # that came while a failover lost the one before.
    held = {beat.last_seq, min(beat.oldest_held_seq, beat.last_seq)}
    return await repository.received(c, scope, key, held) != held


def _checked(principal: SpokePrincipal, beat: Heartbeat) -> BatchKey:
    """Where the heartbeat stands, after holding all its numbers against their ranges."""
    numbers = (beat.last_seq, beat.queued_batches, beat.queued_bytes, beat.monotonic_us, beat.oldest_held_seq - 1)
    in_range = all(0 <= number <= header_checks.MAX_INT for number in numbers)
    if not contract.is_epoch(beat.epoch):
        raise SpokeRequestRefusal(problems.MALFORMED_MESSAGE, "Heartbeat: epoch is not a UUIDv7 of a time before 2100")
    if not in_range or not 0 <= beat.wall_us <= limits.LATEST_S * 1_000_000 or not beat.spoke_version.isprintable():
        raise SpokeRequestRefusal(problems.MALFORMED_MESSAGE, "Heartbeat: a value is out of range")
    if len(beat.outcomes) > limits.MAX_OUTCOMES:
        raise SpokeRequestRefusal(problems.MALFORMED_MESSAGE, f"Heartbeat: more than {limits.MAX_OUTCOMES} outcomes")
    for outcome in beat.outcomes:
        header_checks.check_outcome(outcome)
    epoch = UUID(beat.epoch)
    return key_of(principal, epoch, 0, beat.oldest_held_seq)
