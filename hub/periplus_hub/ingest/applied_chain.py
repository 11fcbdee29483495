"""Where a batch of snapshots and deltas may be applied. Pure.

A snapshot replaces everything, so one that is newer than all that was applied always fits; a delta fits only right
after the batch it names. What is older than what was applied is already contained in it and changes nothing. So any
interleaving of duplicates and reorders of a valid sequence ends as in-order application does, or in a gap, which
makes the spoke send a fresh snapshot.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from periplus_contract.batch import InventoryMark as ChainMark


class Step(StrEnum):
    """What to do with a batch."""

    APPLY = "apply"
    SUPERSEDED = "superseded"
    GAP = "gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedChain:
    """The last applied batch, and how many parts of its snapshot are still to come."""

    epoch: UUID
    last_seq: int
    parts_left: int
    snapshot_seq: int


def advance(chain: AppliedChain | None, epoch: UUID, seq: int, mark: ChainMark) -> tuple[Step, AppliedChain | None]:
    """The step, and the chain after it (None only when there is still none)."""
    # Epochs are UUIDs of version 7: their bytes sort by the time they began.
    if chain is not None and (epoch.bytes, seq) <= (chain.epoch.bytes, chain.last_seq):
        return Step.SUPERSEDED, chain
    if mark.mode == "snapshot" and mark.part == 1:
        return Step.APPLY, AppliedChain(epoch=epoch, last_seq=seq, parts_left=mark.parts - 1, snapshot_seq=seq)
    if chain is None or epoch != chain.epoch:
        return Step.GAP, chain
    if mark.mode == "snapshot":
        # `parts_left` counts down, so the number of parts has to be the one that the snapshot began with.
        expected = chain.parts_left > 0 and seq == chain.last_seq + 1 and mark.parts - mark.part + 1 == chain.parts_left
        # A part of another snapshot with as many parts would fit by its number; it began at another seq.
        if not expected or seq - mark.part + 1 != chain.snapshot_seq:
            return Step.GAP, chain
        return Step.APPLY, replace(chain, last_seq=seq, parts_left=chain.parts_left - 1)
    if chain.parts_left or mark.after_seq != chain.last_seq:
        return Step.GAP, chain
    return Step.APPLY, replace(chain, last_seq=seq)
