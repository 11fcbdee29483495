"""What happens to a group of decoded batches inside their one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from periplus_contract import problems
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope
from periplus_hub.fleet.service_refusals import refuse_unless_active
from periplus_hub.ingest import repository, repository_ledger
from periplus_hub.ingest.kinds import TakenKind
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.ingest.repository_ledger import LedgerState
from periplus_hub.ingest.service_order import Applied, Verdict, epoch_of
from periplus_hub.kit.crashpoint import crashpoint
from periplus_hub.kit.db import WriteConnection
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal


async def apply_group(
    c: WriteConnection,
    scope: Scope,
    group: Sequence[DecodedBatch],
    kinds: Mapping[Kind, TakenKind],
    keep: int,
) -> dict[UUID, Verdict]:
    """Ledger, rows and accounting of one batch of each sender; `keep` quarantine entries of each cluster.

    Of a refused batch (revoked, batch-conflict, a gap) nothing is written; the others do not notice.
    """
    states = await repository_ledger.lock(c, scope, [batch.key for batch in group])
    verdicts: dict[UUID, Verdict] = {}
    new: list[tuple[DecodedBatch, LedgerState]] = []
    for batch in group:
        state = states.get(batch.sender_id)
        known = _known(batch, state)
        if known is not None:
            verdicts[batch.sender_id] = known
        elif state is not None:
            new.append((batch, state))
    for kind, taken in kinds.items():
        of_kind = [(batch, state) for batch, state in new if batch.header.kind is kind]
        if of_kind:
            verdicts |= await taken.order.judge(c, scope, of_kind)
    crashpoint("ingest.before_ledger")
    entering = [(batch, verdict) for batch, _ in new if isinstance(verdict := verdicts[batch.sender_id], Applied)]
    if entering:
        await _write(c, scope, entering, kinds, keep)
    return verdicts


def _known(batch: DecodedBatch, state: LedgerState | None) -> Verdict | None:
    """What is said of a batch whatever its kind; None of one that is new, from one that may send."""
    try:
        refuse_unless_active("revoked" if state is None else state.state, batch.principal.title)
    except SpokeRequestRefusal as refused:
        return refused
    if state is None or state.entered_sha256 is None:
        return None
    if state.entered_sha256 != batch.sha256:
        detail = f"seq {batch.header.seq} of epoch {batch.epoch} is here with other bytes"
        return SpokeRequestRefusal(problems.BATCH_CONFLICT, detail)
    return Applied(duplicate=True, newest_epoch=epoch_of(state.chain))


async def _write(
    c: WriteConnection,
    scope: Scope,
    entering: Sequence[tuple[DecodedBatch, Applied]],
    kinds: Mapping[Kind, TakenKind],
    keep: int,
) -> None:
    batches = [batch for batch, _ in entering]
    await repository_ledger.enter(c, scope, batches)
    crashpoint("ingest.after_ledger")
    with_rows = [(batch, applied) for batch, applied in entering if not batch.is_set_aside]
    for kind, taken in kinds.items():
        of_kind = [(batch, applied) for batch, applied in with_rows if batch.header.kind is kind]
        if of_kind:
            await taken.order.write(c, scope, of_kind, taken.applier)
    crashpoint("ingest.after_rows")
    await repository.account(c, scope, batches)
    await _set_aside(c, scope, batches, keep)


async def _set_aside(c: WriteConnection, scope: Scope, batches: Iterable[DecodedBatch], keep: int) -> None:
    # In one order everywhere: agents of one cluster drop the oldest of the same entries.
    for batch in sorted(batches, key=lambda each: each.registration_id):
        if batch.rejected:
            await repository.set_aside(c, scope, batch, batch.rejected, keep)
