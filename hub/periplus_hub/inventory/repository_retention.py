"""What of identities may be forgotten."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from periplus_hub.access.scope import Scope, owned
from periplus_hub.inventory.tables import addresses, meanings, pods
from periplus_hub.kit.purge import Stale


def identities_before(scope: Scope, registration_id: UUID, before: datetime) -> Sequence[Stale]:
    """One cluster's pods, identities and meanings of addresses that ended before."""
    return [
        (table, owned(scope, table) & (table.c.registration_id == registration_id) & (table.c.valid_to < before))
        for table in (pods, addresses, meanings)
    ]
