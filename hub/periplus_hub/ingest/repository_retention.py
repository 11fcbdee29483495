"""What of the door's records may be forgotten."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from periplus_hub.access.scope import Scope, owned
from periplus_hub.ingest.tables import batches, outcomes, quarantine, statement_parts
from periplus_hub.kit.purge import Stale


def records_before(scope: Scope, registration_id: UUID, before: datetime) -> Sequence[Stale]:
    """One cluster's ledger rows, waiting parts, accounting and quarantine; each is a range of an index."""
    old = {
        batches: batches.c.received_at < before,
        statement_parts: statement_parts.c.received_at < before,
        outcomes: outcomes.c.hour_start < int(before.timestamp()),
        quarantine: quarantine.c.at < before,
    }
    return [
        (table, owned(scope, table) & (table.c.registration_id == registration_id) & condition)
        for table, condition in old.items()
    ]
