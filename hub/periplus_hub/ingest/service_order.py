"""How batches of one kind stand to each other. `kinds.py` has one order for each kind.

What arrives may come twice, late, or without what it stands on. That a batch comes twice is the ledger's to know,
whatever its kind; the rest is answered by the order of its kind.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from periplus_contract.batch import Header, PartMark
from periplus_hub.access.scope import Scope
from periplus_hub.ingest.applied_chain import AppliedChain
from periplus_hub.ingest.appliers import Applier
from periplus_hub.ingest.model import DecodedBatch, Rejected
from periplus_hub.ingest.repository_ledger import LedgerState
from periplus_hub.kit.db import WriteConnection
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal


@dataclass(slots=True, kw_only=True)
class Applied:
    """How it ended for a batch that is in the ledger."""

    duplicate: bool = False
    applied: bool = False
    """Whether any of it reached its applier."""
    rejected: tuple[Rejected, ...] = ()
    wants_snapshot: bool = False
    chain: AppliedChain | None = None
    """The cluster's chain after it, when that changed."""
    newest_epoch: UUID | None = None
    """The one the chain is of, after it."""
    settled_through: int = 0


Verdict = Applied | SpokeRequestRefusal


class Order(ABC):
    """Of one kind. What it knows of a cluster is in the database, so any replica may ask it."""

    one_kind_only: ClassVar[bool] = False
    """Whether what it keeps in the database would be mixed up between two kinds of a cluster."""
    windowed: ClassVar[bool] = False
    """Whether a batch is of a window of time, which may be long over when it is made, and not of that moment."""

    def check(self, header: Header) -> None:
        """Raise SpokeRequestRefusal (invalid-batch) when the header cannot stand where it says."""
        del header

    def part_of(self, header: Header) -> PartMark | None:
        """Which part of a statement it is, None when it is whole; only the last part has rows, those of all."""
        del header
        return None

    @abstractmethod
    async def judge(
        self, c: WriteConnection, scope: Scope, group: Sequence[tuple[DecodedBatch, LedgerState]]
    ) -> dict[UUID, Verdict]:
        """What becomes of batches that are new to the ledger, by sender. Nothing of them is written yet."""

    @abstractmethod
    async def write(
        self, c: WriteConnection, scope: Scope, group: Sequence[tuple[DecodedBatch, Applied]], applier: Applier
    ) -> None:
        """Hand those of them to the applier that are news, and note it in `applied`. They are in the ledger already."""


class Unordered(Order):
    """Every batch holds for itself, whenever it comes: a sum of them is the same in any order."""

    windowed = True

    def __init__(self, check: Callable[[Header], None] | None = None) -> None:
        """`check` raises SpokeRequestRefusal for what only headers of this kind can have wrong."""
        self._check = check

    def check(self, header: Header) -> None:
        """Wherever it stands is right."""
        if self._check is not None:
            self._check(header)

    async def judge(
        self, c: WriteConnection, scope: Scope, group: Sequence[tuple[DecodedBatch, LedgerState]]
    ) -> dict[UUID, Verdict]:
        """All are taken."""
        del c, scope
        return {batch.sender_id: taken(batch, state) for batch, state in group}

    async def write(
        self, c: WriteConnection, scope: Scope, group: Sequence[tuple[DecodedBatch, Applied]], applier: Applier
    ) -> None:
        """All at once."""
        del scope
        await applier.apply(c, [batch for batch, _ in group])
        for _, applied in group:
            applied.applied = True


def taken(batch: DecodedBatch, state: LedgerState) -> Applied:
    """The verdict on a batch that does not belong to the cluster's chain, and may show that the chain got lost."""
    return Applied(
        rejected=batch.rejected,
        wants_snapshot=_misses_snapshot(state.chain, batch),
        newest_epoch=epoch_of(state.chain),
    )


def epoch_of(chain: AppliedChain | None) -> UUID | None:
    """Which life of an outbox a chain is of."""
    return None if chain is None else chain.epoch


def _misses_snapshot(chain: AppliedChain | None, batch: DecodedBatch) -> bool:
    """Everything before this batch is done with, and still there is no snapshot of its epoch: it got lost."""
    if batch.principal.agent_id is not None:
        return False
    alone = batch.header.oldest_held_seq >= batch.header.seq
    return alone and (chain is None or chain.epoch.bytes < batch.epoch.bytes)
