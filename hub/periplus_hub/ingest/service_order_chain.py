"""The order of a kind that sends a snapshot and then what changed."""

from collections.abc import Callable, Sequence
from uuid import UUID

from periplus_contract import problems
from periplus_contract.batch import Header
from periplus_contract.batch import InventoryMark as ChainMark
from periplus_contract.problems import ProblemType
from periplus_hub.access.scope import Scope
from periplus_hub.ingest import repository_ledger
from periplus_hub.ingest.applied_chain import AppliedChain, Step, advance
from periplus_hub.ingest.appliers import Applier
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.ingest.repository_ledger import LedgerState
from periplus_hub.ingest.service_order import Applied, Order, Verdict, epoch_of
from periplus_hub.kit.db import WriteConnection
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal


class SnapshotChain(Order):
    """Every batch says after which one it comes; one that does not follow is refused with `gap`."""

    one_kind_only = True

    def __init__(self, mark_of: Callable[[Header], ChainMark | None], *, gap: ProblemType, max_parts: int) -> None:
        self._mark_of = mark_of
        self._gap = gap
        self._max_parts = max_parts

    def check(self, header: Header) -> None:
        """It has a mark, and one that a spoke can have set."""
        mark = self._mark_of(header)
        if mark is None:
            detail = f"a batch of kind {header.kind.value!r} must say where it stands in its chain"
            raise SpokeRequestRefusal(problems.INVALID_BATCH, detail)
        if not self._stands(mark, header.seq):
            detail = f"chain mark {mark.mode} part {mark.part}/{mark.parts} after {mark.after_seq} cannot be"
            raise SpokeRequestRefusal(problems.INVALID_BATCH, detail)

    def _stands(self, mark: ChainMark, seq: int) -> bool:
        if mark.mode == "delta":
            return mark.part == mark.parts == 1 and 0 < mark.after_seq < seq
        return 1 <= mark.part <= mark.parts <= self._max_parts and mark.part <= seq

    async def judge(
        self, c: WriteConnection, scope: Scope, group: Sequence[tuple[DecodedBatch, LedgerState]]
    ) -> dict[UUID, Verdict]:
        """The ledger's state has the chain already."""
        del c, scope
        return {batch.sender_id: self._judged(batch, state.chain) for batch, state in group}

    def _judged(self, batch: DecodedBatch, chain: AppliedChain | None) -> Verdict:
        mark = self._mark_of(batch.header)
        step, after = Step.SUPERSEDED, chain
        if mark is not None and not batch.is_set_aside:
            step, after = advance(chain, batch.epoch, batch.header.seq, mark)
        if step is Step.GAP:
            last = "nothing" if chain is None else f"seq {chain.last_seq} of epoch {chain.epoch}"
            what = "batch" if mark is None else f"{mark.mode} part {mark.part}/{mark.parts} after seq {mark.after_seq}"
            return SpokeRequestRefusal(self._gap, f"{what} does not follow {last}")
        moved = after if step is Step.APPLY else None
        return Applied(rejected=batch.rejected, chain=moved, newest_epoch=epoch_of(after))

    async def write(
        self, c: WriteConnection, scope: Scope, group: Sequence[tuple[DecodedBatch, Applied]], applier: Applier
    ) -> None:
        """Those that move their chain, all at once."""
        moving = [(batch, applied.chain) for batch, applied in group if applied.chain is not None]
        if moving:
            await applier.apply(c, [batch for batch, _ in moving])
            await repository_ledger.put_chains(c, scope, moving)
        for _, applied in group:
            applied.applied = applied.chain is not None
