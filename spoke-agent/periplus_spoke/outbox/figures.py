"""What the outbox tells about itself: depth for heartbeats and status, accounts for the conservation law."""

from collections.abc import Mapping

import msgspec

from periplus_spoke.outbox.accounts import Hour, Total
from periplus_spoke.outbox.holdings import Holdings, hour_key
from periplus_spoke.outbox.model import Status


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """What a heartbeat and a status tell of the outbox."""

    epoch: str
    last_seq: int
    oldest_held_seq: int
    held_batches: int
    held_bytes: int
    queued_batches: int
    queued_bytes: int
    refusal: str
    """Why the disk is not written; empty when it is."""
    older: tuple["EpochDepth", ...]
    """Earlier epochs with batches that are not settled yet."""


class EpochDepth(msgspec.Struct, frozen=True, kw_only=True):
    """What is still held of an earlier epoch."""

    epoch: str
    last_seq: int
    oldest_held_seq: int
    accepted: bool = False
    """Whether the hub has some of it, and may tell that it is settled."""


def depth(held: Holdings) -> Depth:
    """Figures of now."""
    entries = held.ordered
    queued = [entry.size for entry in entries if entry.status is not Status.ACCEPTED]
    return Depth(
        epoch=held.epoch,
        last_seq=held.high_water,
        oldest_held_seq=held.oldest_held(held.epoch, held.high_water + 1),
        held_batches=len(entries),
        held_bytes=sum([entry.size for entry in entries]),
        queued_batches=len(queued),
        queued_bytes=sum(queued),
        refusal=held.store.refusal,
        older=_older(held),
    )


def accounts(held: Holdings) -> Mapping[Hour, tuple[Total, int]]:
    """Per kind and hour: what came and went, and the rows still queued."""
    queued: dict[Hour, int] = {}
    for entry in held.ordered:
        hour = hour_key(entry.name)
        queued[hour] = queued.get(hour, 0) + entry.name.rows
    totals = held.accounts.totals
    return {hour: (totals.get(hour, Total()), queued.get(hour, 0)) for hour in sorted(totals.keys() | queued.keys())}


def _older(held: Holdings) -> tuple[EpochDepth, ...]:
    """Every heartbeat and answer asks, of ten thousand batches too: by epoch, as each one's numbers only grow."""
    # A dict keeps the last value of a key: read forwards that is each epoch's newest number, read backwards its oldest.
    last, first = dict(iter(held.entries)), dict(reversed(held.entries))
    accepted = {entry.name.id.epoch for entry in held.entries.values() if entry.status is Status.ACCEPTED}
    return tuple(
        EpochDepth(epoch=epoch, last_seq=seq, oldest_held_seq=first[epoch], accepted=epoch in accepted)
        for epoch, seq in last.items()
        if epoch != held.epoch
    )
