"""What the door counts of batches: how they were answered, what was set aside of them, how long storing them takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from periplus_contract.messages import BatchAnswer
from periplus_hub.ingest.model import Rejected
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.metrics import counter, histogram
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

_UNREAD: Final = "unread"
_GROUP_BUCKETS: Final = (1, 2, 4, 8, 16, 32)

_batches: Final = counter(
    "periplus_ingest_batches_total",
    "Batches by kind and answer: accepted, duplicate, a problem of the contract, or failed; unread is a batch whose "
    "header could not be read.",
    ("kind", "answer"),
)
_rows: Final = counter("periplus_ingest_rows_total", "Rows of accepted batches, rejected ones included.", ("kind",))
_rejected: Final = counter(
    "periplus_ingest_rejected_rows_total", "Rows of accepted batches that were rejected, by reason.", ("kind", "reason")
)
_quarantined: Final = counter(
    "periplus_ingest_quarantined_total", "Entries put into quarantine: one for each table and reason of a batch.", ()
)
_stored: Final = histogram(
    "periplus_ingest_store_duration_seconds", "How long the transaction of a group of batches took, committed or not."
)
_together: Final = histogram(
    "periplus_ingest_group_batches", "How many batches went into one transaction.", buckets=_GROUP_BUCKETS
)


@dataclass(slots=True)
class Counted:
    """One batch on its way; `kind` and `rejected` are filled in as they become known."""

    kind: str = _UNREAD
    rows: int = 0
    rejected: tuple[Rejected, ...] = ()
    answer: BatchAnswer | None = field(default=None)


@contextmanager
def counting() -> Iterator[Counted]:
    """Count a batch by how the block ends."""
    counted = Counted()
    # Before the block: what ends by a cancelled request or a fault has no answer, and must be counted all the same.
    answer = "failed"
    try:
        yield counted
        answer = "failed" if counted.answer is None else counted.answer.result
    except SpokeRequestRefusal as refused:
        answer = refused.problem.slug
        raise
    finally:
        _batches.labels(counted.kind, answer).inc()
    if answer == "accepted":
        _rows.labels(counted.kind).inc(counted.rows)
        _quarantined.inc(len(counted.rejected))
        for entry in counted.rejected:
            _rejected.labels(counted.kind, entry.reason).inc(entry.rows)


@contextmanager
def timing_group(clock: Clock, batches: int) -> Iterator[None]:
    """One transaction of so many batches."""
    began_s = clock.monotonic_s()
    try:
        yield
    finally:
        _stored.observe(clock.monotonic_s() - began_s)
        _together.observe(batches)
