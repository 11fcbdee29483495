"""What the outbox tells about itself: depth for heartbeats and status, accounts for the conservation law."""

from collections.abc import Mapping, Sequence

import msgspec

from periplus_spoke.outbox.books import Hour, Total
from periplus_spoke.outbox.holdings import Holdings, hour_key
from periplus_spoke.outbox.model import Entry, Status


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
    queued = [entry for entry in entries if entry.status is not Status.ACCEPTED]
    return Depth(
        epoch=held.epoch,
        last_seq=held.high_water,
        oldest_held_seq=held.oldest_held(held.epoch, held.high_water + 1),
        held_batches=len(entries),
        held_bytes=sum(entry.size for entry in entries),
        queued_batches=len(queued),
        queued_bytes=sum(entry.size for entry in queued),
        refusal=held.shelf.refusal,
        older=_older(entries, held.epoch),
    )


def accounts(held: Holdings) -> Mapping[Hour, tuple[Total, int]]:
    """Per kind and hour: what came and went, and the rows still queued."""
    queued: dict[Hour, int] = {}
    for entry in held.ordered:
        hour = hour_key(entry.name)
        queued[hour] = queued.get(hour, 0) + entry.name.rows
    totals = held.books.totals
    return {hour: (totals.get(hour, Total()), queued.get(hour, 0)) for hour in sorted(totals.keys() | queued.keys())}


def _older(entries: Sequence[Entry], current: str) -> tuple[EpochDepth, ...]:
    spans: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.id.epoch != current:
            spans.setdefault(entry.id.epoch, []).append(entry)
    return tuple(_depth_of(epoch, held) for epoch, held in spans.items())


def _depth_of(epoch: str, held: Sequence[Entry]) -> EpochDepth:
    seqs = [entry.id.seq for entry in held]
    accepted = any(entry.status is Status.ACCEPTED for entry in held)
    return EpochDepth(epoch=epoch, last_seq=max(seqs), oldest_held_seq=min(seqs), accepted=accepted)
