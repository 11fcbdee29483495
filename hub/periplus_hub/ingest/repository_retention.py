"""What of the door's records may be forgotten."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists

from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.tables import agents
from periplus_hub.ingest.tables import batches, beats, outcomes, quarantine, statement_parts
from periplus_hub.kit.purge import Stale


def records_before(scope: Scope, registration_id: UUID, before: datetime) -> Sequence[Stale]:
    """One cluster's ledger rows, waiting parts, accounting and quarantine; each is a range of an index.

    And the last heartbeats of its agents that are forgotten already.
    """
    old = {
        batches: batches.c.received_at < before,
        statement_parts: statement_parts.c.received_at < before,
        outcomes: outcomes.c.hour_start < int(before.timestamp()),
        quarantine: quarantine.c.at < before,
    }
    gone = [
        (table, owned(scope, table) & (table.c.registration_id == registration_id) & condition)
        for table, condition in old.items()
    ]
    of_agents = (beats.c.registration_id == registration_id) & (beats.c.sender_id != registration_id)
    lives = exists().where(owned(scope, agents), agents.c.id == beats.c.sender_id)
    return [*gone, (beats, owned(scope, beats) & of_agents & ~lives)]
