"""Accounting: every collected row ends in exactly one outcome.

    collected = settled + queued + folded + sum(dropped)        per registration, kind and UTC hour

The spoke reports `collected`, `folded` and `dropped` in headers and heartbeats; the hub knows what settled; what
remains is still queued. Rejected rows are the hub's own count and a part of `settled`.
"""

from typing import Final

import msgspec

from periplus_contract.tables import Kind

DROP_REASONS: Final = (
    "outbox_full",
    "damaged_file",
    "dead_letter",
    "too_large",
    "replaced_by_snapshot",
    "unsupported_kind",
)
"""Reasons a spoke may give. The hub keeps unknown ones as they are."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rows of one kind and hour since the last header of the same epoch (never cumulative)."""

    hour_start_s: int
    kind: Kind
    collected: int = 0
    folded: int = 0
    dropped: dict[str, int] = {}
