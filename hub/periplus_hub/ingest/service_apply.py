"""What happens to one decoded batch inside its transaction."""

from dataclasses import dataclass, field, replace

from periplus_contract import problems
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope
from periplus_hub.fleet.wire import RefusedError
from periplus_hub.ingest import repository, repository_parts
from periplus_hub.ingest.appliers import Applier
from periplus_hub.ingest.chain import Chain, Step, advance
from periplus_hub.ingest.decode import waits
from periplus_hub.ingest.model import DecodedBatch, Reason, Rejected
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import WriteConnection


@dataclass(slots=True, kw_only=True)
class Applied:
    """How it ended."""

    duplicate: bool = False
    applied: bool = False
    rejected: tuple[Rejected, ...] = ()
    wants_snapshot: bool = False
    settled_through: int = field(default=0)


async def apply_batch(
    c: WriteConnection, scope: Scope, batch: DecodedBatch, applier: Applier, given: tuple[Chain | None, int, int]
) -> Applied:
    """Ledger, chain, rows and accounting; raises RefusedError (batch-conflict, inventory-gap) with nothing written.

    `given` is the registration's chain, the batch's sealed bytes and how many quarantine entries to keep.
    """
    chain, sealed_bytes, keep = given
    if not await repository.enter(c, scope, batch, sealed_bytes):
        await _check_same(c, scope, batch)
        return Applied(duplicate=True)
    crashpoint("ingest.after_ledger")
    applied = Applied(rejected=batch.rejected)
    if all(entry.reason != Reason.CLOCK_AHEAD for entry in batch.rejected):
        applied.applied = await _apply(c, scope, batch, applier, chain)
    applied.wants_snapshot = batch.header.kind is not Kind.INVENTORY and _misses_snapshot(chain, batch)
    crashpoint("ingest.after_rows")
    await repository.account(c, scope, batch)
    if batch.rejected:
        await repository.set_aside(c, scope, batch, batch.rejected, keep)
    return applied


async def _check_same(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> None:
    registration_id, seq = batch.principal.registration_id, batch.header.seq
    known = await repository.entered_sha256(c, scope, registration_id, batch.epoch, seq)
    if known != batch.header.sha256:
        detail = f"seq {seq} of epoch {batch.epoch} is here with other bytes"
        raise RefusedError(problems.BATCH_CONFLICT, detail)


def _misses_snapshot(chain: Chain | None, batch: DecodedBatch) -> bool:
    """Everything before this batch is done with, and still there is no inventory of its epoch: it got lost."""
    alone = batch.header.oldest_held_seq >= batch.header.seq
    return alone and (chain is None or chain.epoch.bytes < batch.epoch.bytes)


async def _apply(c: WriteConnection, scope: Scope, batch: DecodedBatch, applier: Applier, chain: Chain | None) -> bool:
    if batch.header.inventory is not None and batch.header.kind is Kind.INVENTORY:
        return await _apply_in_chain(c, scope, batch, applier, chain)
    if batch.header.kind is Kind.IPAM and batch.header.ipam is not None and not await _is_whole(c, scope, batch):
        return False
    newest = await repository.advance_marks(c, scope, batch)
    if not newest:
        return False
    await applier.apply(c, replace(batch, covers=newest))
    return True


async def _is_whole(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> bool:
    """Whether this is the last part and the others are here; then `batch` has their rows, and they can go."""
    mark = batch.header.ipam
    if mark is None:
        return True
    here = batch.earlier_parts if mark.part == mark.parts else await repository_parts.count_waiting(c, scope, batch)
    if here != mark.part - 1:
        detail = f"part {mark.part} of {mark.parts} is seq {batch.header.seq}; of those before it {here} are here"
        raise RefusedError(problems.IPAM_GAP, detail)
    if mark.part in {1, mark.parts}:
        await repository_parts.forget_up_to(c, scope, batch)
    if waits(batch.header):
        await repository_parts.put(c, scope, batch)
        return False
    return True


async def _apply_in_chain(
    c: WriteConnection, scope: Scope, batch: DecodedBatch, applier: Applier, chain: Chain | None
) -> bool:
    mark = batch.header.inventory
    if mark is None:
        return False
    step, after = advance(chain, batch.epoch, batch.header.seq, mark)
    if step is Step.GAP:
        last = "nothing" if chain is None else f"seq {chain.last_seq} of epoch {chain.epoch}"
        detail = f"{mark.mode} part {mark.part}/{mark.parts} after seq {mark.after_seq} does not follow {last}"
        raise RefusedError(problems.INVENTORY_GAP, detail)
    if step is Step.SUPERSEDED or after is None:
        return False
    await applier.apply(c, batch)
    await repository.put_chain(c, scope, batch.principal.registration_id, after, batch.received_at)
    return True
