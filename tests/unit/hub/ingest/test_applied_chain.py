"""The applied chain over a model in memory: whatever arrives in which order, the end is that of in-order delivery."""

import random
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.batch import InventoryMark
from periplus_hub.ingest.applied_chain import AppliedChain, Step, advance

FIRST, SECOND = UUID("01950000-0000-7000-8000-000000000001"), UUID("01950000-0000-7000-8000-000000000002")


@dataclass(frozen=True)
class Batch:
    epoch: UUID
    seq: int
    mark: InventoryMark
    upserts: frozenset[int]
    deletes: frozenset[int]


@dataclass
class Hub:
    """What a hub would hold, with a set instead of tables."""

    live: set[int] = field(default_factory=set)
    named: set[int] = field(default_factory=set)
    ledger: set[tuple[UUID, int]] = field(default_factory=set)
    chain: AppliedChain | None = None

    def receive(self, batch: Batch) -> bool:
        """False when the batch does not fit yet."""
        if (batch.epoch, batch.seq) in self.ledger:
            return True
        step, chain = advance(self.chain, batch.epoch, batch.seq, batch.mark)
        if step is Step.GAP:
            return False
        self.ledger.add((batch.epoch, batch.seq))
        if step is Step.APPLY:
            self.chain = chain
            self._apply(batch)
        return True

    def _apply(self, batch: Batch) -> None:
        self.live = (self.live | batch.upserts) - batch.deletes
        if batch.mark.mode == "snapshot":
            self.named = set(batch.upserts) if batch.mark.part == 1 else self.named | batch.upserts
            if batch.mark.part == batch.mark.parts:
                self.live = set(self.named)


@st.composite
def sequences(draw: st.DrawFn) -> list[Batch]:
    """What a correct spoke sends: snapshots (in parts) and deltas on them, over one or two epochs."""
    batches: list[Batch] = []
    objects = st.frozensets(st.integers(0, 9), max_size=6)
    for epoch in (FIRST, SECOND)[: draw(st.integers(1, 2))]:
        seq, last = 0, 0
        for _ in range(draw(st.integers(1, 5))):
            seq += draw(st.integers(0, 2))
            if last == 0 or draw(st.integers(0, 3)) == 0:
                parts = draw(st.integers(1, 3))
                for part in range(1, parts + 1):
                    seq += 1
                    mark = InventoryMark(mode="snapshot", part=part, parts=parts)
                    batches.append(Batch(epoch, seq, mark, draw(objects), frozenset()))
            else:
                seq += 1
                mark = InventoryMark(mode="delta", after_seq=last)
                batches.append(Batch(epoch, seq, mark, draw(objects), draw(objects)))
            last = seq
    return batches


@pytest.mark.promise("inventory-ends-equal")
@given(batches=sequences(), seed=st.integers(0, 2**32))
def test_any_interleaving_of_duplicates_reorders_and_retries_ends_as_in_order_delivery(
    batches: list[Batch], seed: int
) -> None:
    in_order = Hub()
    assert [in_order.receive(batch) for batch in batches] == [True] * len(batches)
    chaotic, rng = Hub(), random.Random(seed)
    waiting, sent = list(batches), []
    while waiting:
        batch = rng.choice(waiting[:4])
        if chaotic.receive(batch):
            waiting.remove(batch)
            sent.append(batch)
        if sent and rng.random() < 0.5:
            assert chaotic.receive(rng.choice(sent))
    assert (chaotic.live, chaotic.chain) == (in_order.live, in_order.chain)
    assert chaotic.ledger == in_order.ledger


def test_a_delta_fits_only_right_after_the_batch_it_names() -> None:
    _, chain = advance(None, FIRST, 5, InventoryMark(mode="snapshot"))
    assert advance(chain, FIRST, 7, InventoryMark(mode="delta", after_seq=5))[0] is Step.APPLY
    assert advance(chain, FIRST, 7, InventoryMark(mode="delta", after_seq=6))[0] is Step.GAP
    assert advance(chain, SECOND, 1, InventoryMark(mode="delta", after_seq=5))[0] is Step.GAP
    assert advance(None, FIRST, 2, InventoryMark(mode="delta", after_seq=1))[0] is Step.GAP


def test_a_delta_never_lands_in_an_open_snapshot() -> None:
    _, chain = advance(None, FIRST, 1, InventoryMark(mode="snapshot", part=1, parts=2))
    assert advance(chain, FIRST, 2, InventoryMark(mode="delta", after_seq=1))[0] is Step.GAP
    assert advance(chain, FIRST, 3, InventoryMark(mode="snapshot", part=2, parts=2))[0] is Step.GAP
    assert advance(chain, FIRST, 2, InventoryMark(mode="snapshot", part=2, parts=3))[0] is Step.GAP


def test_what_an_older_epoch_left_behind_changes_nothing() -> None:
    _, chain = advance(None, SECOND, 1, InventoryMark(mode="snapshot"))
    assert advance(chain, FIRST, 99, InventoryMark(mode="snapshot")) == (Step.SUPERSEDED, chain)
