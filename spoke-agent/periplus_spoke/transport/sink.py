"""Where collectors hand in what they observed: encoded, sealed, and durable when `emit` returns."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from periplus_contract.limits import MAX_IPAM_PARTS, MAX_ROWS, MAX_SNAPSHOT_PARTS
from periplus_contract.tables import Kind
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.cutting import at_most, within_limits
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.kit.change_signal import ChangeSignal
from periplus_spoke.kit.clock import Clock
from periplus_spoke.outbox.model import Draft
from periplus_spoke.outbox.outbox import Outbox
from periplus_spoke.outbox.thread import OutboxThread

_SMALLEST: Final = 1
_GROW_EVERY_US: Final = 3_600_000_000
"""A try that the hub refuses again costs one snapshot."""

_log: Final = logging.getLogger(__name__)


class OutboxSink:
    """Implements the collectors' `Sink`."""

    def __init__(self, thread: OutboxThread, outbox: Outbox, changes: ChangeSignal, clock: Clock) -> None:
        self._thread = thread
        self._outbox = outbox
        self._changes = changes
        self._one_at_a_time = asyncio.Lock()
        self._clock = clock
        self._most_rows = MAX_ROWS
        self._resized_at_us = 0

    def shrink(self) -> bool:
        """The hub found a batch too large: use half as many rows per batch. False when that is not possible."""
        if self._most_rows <= _SMALLEST:
            return False
        self._resize(self._most_rows // 2)
        return True

    def _grow(self) -> None:
        """Towards the wire's limit again, slowly: the hub may have refused for a reason that is gone."""
        if self._most_rows < MAX_ROWS and self._clock.monotonic_us() - self._resized_at_us >= _GROW_EVERY_US:
            self._resize(min(self._most_rows * 2, MAX_ROWS))

    def _resize(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._resized_at_us = self._clock.monotonic_us()

    async def emit(self, sealable: Sealable) -> None:
        """Seal one observation; the parts of a snapshot or an ipam statement get consecutive numbers."""
        async with self._one_at_a_time:
            self._grow()
            # Encoding takes tenths of a second for a large cluster; the watches go on meanwhile.
            drafts = await asyncio.to_thread(self._drafts, sealable)
            if sealable.kind is Kind.IPAM and len(drafts) > MAX_IPAM_PARTS:
                _log.error("this cluster has more ranges than the wire takes", extra={"rows": sealable.rows})
                await self._thread.run(self._outbox.refuse_all, drafts, "too_large")
            else:
                await self._thread.run(self._outbox.seal_all, drafts)
        self._changes.notify_all()

    def _drafts(self, sealable: Sealable) -> list[Draft]:
        whole = within_limits(sealable)
        # A hub that wants less than that can never take the whole of it: batches of this size are tried again all the
        # same, and refused one by one.
        most_rows = max(self._most_rows, _fewest_rows(whole))
        parts = [piece for part in whole for piece in at_most(part, most_rows)]
        return [draft_of(part, index, len(parts)) for index, part in enumerate(parts, start=1)]


class LateSink:
    """Implements the collectors' `Sink` before there is one: what they tell waits for `lead_to`."""

    def __init__(self) -> None:
        self._sink: OutboxSink | None = None
        self._there = asyncio.Event()

    def lead_to(self, sink: OutboxSink) -> None:
        """Hand everything on to `sink` from now on."""
        self._sink = sink
        self._there.set()

    async def emit(self, sealable: Sealable) -> None:
        """Wait for the sink, and let it seal."""
        while self._sink is None:
            await self._there.wait()
        await self._sink.emit(sealable)


def draft_of(part: Sealable, index: int = 1, parts: int = 1) -> Draft:
    """One batch, encoded; `index` of so many `parts`, where its kind numbers them."""
    body, inflated_bytes, sections = encode_sections(part.sections)
    numbered = part.mode == "snapshot" or part.kind is Kind.IPAM
    return Draft(
        kind=part.kind,
        window_start_s=part.window_start_s,
        window_s=part.window_s,
        rows=part.rows,
        sections=sections,
        inflated_bytes=inflated_bytes,
        body=body,
        mode=part.mode,
        part=index if numbered else 1,
        parts=parts if numbered else 1,
        covers=part.covers,
        flows=part.flows,
    )


def _fewest_rows(parts: Sequence[Sealable]) -> int:
    """Rows per batch below which one observation would take more batches than the hub accepts."""
    most = MAX_IPAM_PARTS if parts[0].kind is Kind.IPAM else MAX_SNAPSHOT_PARTS
    ends = sum(len(part.sections) for part in parts)  # each of them may be a smaller batch
    return -(-sum(part.rows for part in parts) // max(most - ends, 1))
