"""Who may come in: memory is promised before it is used.

One event loop owns this, so plain numbers are enough.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from periplus_contract import limits, problems
from periplus_hub.fleet.wire import RefusedError
from periplus_hub.kit.metrics import counter, gauge

RETRY_AFTER_S: Final = 1

_bytes_in_flight: Final = gauge(
    "periplus_ingest_in_flight_bytes", "Memory promised to batches that are being worked on, of max_in_flight_bytes."
)
_turned_away: Final = counter(
    "periplus_ingest_turned_away_total",
    "Batches asked to come again: memory (max_in_flight_bytes) or spoke (max_in_flight_per_spoke).",
    ("limit",),
)


class Admission:
    """Bytes in flight over all spokes, and batches in flight per spoke."""

    def __init__(self, *, max_bytes: int, max_per_spoke: int) -> None:
        self._max_bytes = max_bytes
        self._max_per_spoke = max_per_spoke
        self.bytes_in_flight = 0
        self._batches: Counter[UUID] = Counter()

    @contextmanager
    def slot(self, registration_id: UUID) -> Iterator[None]:
        """Room for one more batch of this spoke, its sealed bytes included; raises slow-down or overloaded."""
        if self._batches[registration_id] >= self._max_per_spoke:
            _turned_away.labels("spoke").inc()
            detail = f"{self._max_per_spoke} batches of this spoke are in flight already"
            raise RefusedError(problems.SLOW_DOWN, detail, retry_after_s=RETRY_AFTER_S)
        self._batches[registration_id] += 1
        try:
            with self.room(limits.MAX_COMPRESSED_BYTES):
                yield
        finally:
            self._batches[registration_id] -= 1
            if not self._batches[registration_id]:
                del self._batches[registration_id]

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Room for `size` more bytes; raises overloaded."""
        if self.bytes_in_flight + size > self._max_bytes:
            _turned_away.labels("memory").inc()
            detail = f"{self.bytes_in_flight} bytes of batches are in flight"
            raise RefusedError(problems.OVERLOADED, detail, retry_after_s=RETRY_AFTER_S)
        self.bytes_in_flight += size
        _bytes_in_flight.inc(size)
        try:
            yield
        finally:
            self.bytes_in_flight -= size
            _bytes_in_flight.dec(size)
