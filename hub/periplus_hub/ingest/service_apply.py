"""What happens to a group of decoded batches inside their one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from periplus_contract import problems
from periplus_contract.rejections import Reason
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope
from periplus_hub.fleet.service_enrolment import refuse_unless_active
from periplus_hub.fleet.wire import RefusedError
from periplus_hub.ingest import repository, repository_ledger, repository_parts
from periplus_hub.ingest.appliers import Applier
from periplus_hub.ingest.chain import Chain, Step, advance
from periplus_hub.ingest.decode import waits
from periplus_hub.ingest.model import DecodedBatch, Rejected
from periplus_hub.ingest.repository_ledger import Standing
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import WriteConnection


@dataclass(slots=True, kw_only=True)
class Applied:
    """How it ended."""

    duplicate: bool = False
    applied: bool = False
    rejected: tuple[Rejected, ...] = ()
    wants_snapshot: bool = False
    chain: Chain | None = None
    """Where the inventory stands after it, when that changed."""
    newest_epoch: UUID | None = None
    """The one the inventory is of, after it."""
    settled_through: int = field(default=0)


Verdict = Applied | RefusedError


async def apply_group(
    c: WriteConnection,
    scope: Scope,
    group: Sequence[DecodedBatch],
    appliers: Mapping[Kind, Applier],
    keep: int,
) -> dict[UUID, Verdict]:
    """Ledger, chains, rows and accounting of one batch of each registration; `keep` quarantine entries of each.

    Of a refused batch (revoked, batch-conflict, inventory-gap, ipam-gap) nothing is written; the others do not notice.
    """
    standings = await repository_ledger.lock(c, scope, [batch.place for batch in group])
    verdicts = {_mine(batch): _judged(batch, standings.get(_mine(batch))) for batch in group}
    for batch in group:
        if _is_part(batch) and _is_fresh(verdicts[_mine(batch)]):
            verdicts[_mine(batch)] = await _refuse_gap(c, scope, batch) or verdicts[_mine(batch)]
    crashpoint("ingest.before_ledger")
    fresh = [(batch, verdict) for batch in group if isinstance(verdict := verdicts[_mine(batch)], Applied)]
    fresh = [(batch, applied) for batch, applied in fresh if _is_fresh(applied)]
    if fresh:
        await _write(c, scope, fresh, appliers, keep)
    return verdicts


def _is_fresh(verdict: Verdict) -> bool:
    return isinstance(verdict, Applied) and not verdict.duplicate


def _is_part(batch: DecodedBatch) -> bool:
    """Of an ipam statement, and not set aside as a whole."""
    return batch.header.kind is Kind.IPAM and batch.header.ipam is not None and not _is_set_aside(batch)


async def _refuse_gap(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> RefusedError | None:
    """Every part of a statement stands on all of those before it."""
    mark = batch.header.ipam
    if mark is None:
        return None
    here = batch.earlier_parts if mark.part == mark.parts else await repository_parts.count_waiting(c, scope, batch)
    if here == mark.part - 1:
        return None
    detail = f"part {mark.part} of {mark.parts} is seq {batch.header.seq}; of those before it {here} are here"
    return RefusedError(problems.IPAM_GAP, detail)


def _mine(batch: DecodedBatch) -> UUID:
    return batch.principal.registration_id


def _judged(batch: DecodedBatch, standing: Standing | None) -> Verdict:
    try:
        return _decide(batch, standing)
    except RefusedError as refused:
        return refused


def _decide(batch: DecodedBatch, standing: Standing | None) -> Applied:
    refuse_unless_active("revoked" if standing is None else standing.state, batch.principal.name)
    entered = None if standing is None else standing.entered_sha256
    chain = None if standing is None else standing.chain
    if entered is not None:
        _check_same(batch, entered)
        return Applied(duplicate=True, newest_epoch=_epoch_of(chain))
    if batch.header.kind is not Kind.INVENTORY:
        wants_snapshot = _misses_snapshot(chain, batch)
        return Applied(rejected=batch.rejected, wants_snapshot=wants_snapshot, newest_epoch=_epoch_of(chain))
    after = None if _is_set_aside(batch) else _after(batch, chain)
    newest_epoch = _epoch_of(after or chain)
    return Applied(rejected=batch.rejected, applied=after is not None, chain=after, newest_epoch=newest_epoch)


def _epoch_of(chain: Chain | None) -> UUID | None:
    return None if chain is None else chain.epoch


def _check_same(batch: DecodedBatch, entered_sha256: str) -> None:
    if entered_sha256 != batch.sha256:
        detail = f"seq {batch.header.seq} of epoch {batch.epoch} is here with other bytes"
        raise RefusedError(problems.BATCH_CONFLICT, detail)


def _is_set_aside(batch: DecodedBatch) -> bool:
    """The whole of it: its window lies in the future."""
    return any(entry.reason == Reason.CLOCK_AHEAD for entry in batch.rejected)


def _misses_snapshot(chain: Chain | None, batch: DecodedBatch) -> bool:
    """Everything before this batch is done with, and still there is no inventory of its epoch: it got lost."""
    alone = batch.header.oldest_held_seq >= batch.header.seq
    return alone and (chain is None or chain.epoch.bytes < batch.epoch.bytes)


def _after(batch: DecodedBatch, chain: Chain | None) -> Chain | None:
    """The chain after an inventory batch, None when it changes nothing; raises RefusedError (inventory-gap)."""
    mark = batch.header.inventory
    if mark is None:
        return None
    step, after = advance(chain, batch.epoch, batch.header.seq, mark)
    if step is Step.GAP:
        last = "nothing" if chain is None else f"seq {chain.last_seq} of epoch {chain.epoch}"
        detail = f"{mark.mode} part {mark.part}/{mark.parts} after seq {mark.after_seq} does not follow {last}"
        raise RefusedError(problems.INVENTORY_GAP, detail)
    return after if step is Step.APPLY else None


async def _write(
    c: WriteConnection,
    scope: Scope,
    fresh: Sequence[tuple[DecodedBatch, Applied]],
    appliers: Mapping[Kind, Applier],
    keep: int,
) -> None:
    await repository_ledger.enter(c, scope, [batch for batch, _ in fresh])
    crashpoint("ingest.after_ledger")
    chained = [(batch, applied.chain) for batch, applied in fresh if applied.chain is not None]
    if chained:
        await appliers[Kind.INVENTORY].apply(c, [batch for batch, _ in chained])
        await repository_ledger.put_chains(c, scope, chained)
    for batch, applied in fresh:
        if batch.header.kind is not Kind.INVENTORY and not _is_set_aside(batch) and await _is_whole(c, scope, batch):
            applied.applied = await _apply_newer(c, scope, batch, appliers[batch.header.kind])
    crashpoint("ingest.after_rows")
    await repository.account(c, scope, [batch for batch, _ in fresh])
    await _set_aside(c, scope, (batch for batch, _ in fresh), keep)


async def _set_aside(c: WriteConnection, scope: Scope, fresh: Iterable[DecodedBatch], keep: int) -> None:
    for batch in fresh:
        if batch.rejected:
            await repository.set_aside(c, scope, batch, batch.rejected, keep)


async def _is_whole(c: WriteConnection, scope: Scope, batch: DecodedBatch) -> bool:
    """Whether its rows can go; those of a part wait for the last one, which has the rows of all."""
    mark = batch.header.ipam if batch.header.kind is Kind.IPAM else None
    if mark is None:
        return True
    if mark.part in {1, mark.parts}:
        await repository_parts.forget_up_to(c, scope, batch)
    if waits(batch.header):
        await repository_parts.put(c, scope, batch)
        return False
    return True


async def _apply_newer(c: WriteConnection, scope: Scope, batch: DecodedBatch, applier: Applier) -> bool:
    """What it covers of which nothing newer was applied; whether there is any."""
    newest = await repository.advance_marks(c, scope, batch)
    if newest:
        await applier.apply(c, [replace(batch, covers=newest)])
    return bool(newest)
