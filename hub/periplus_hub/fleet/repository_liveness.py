"""What every word of a spoke tells about it: that it lives, how its clock stands, how much it still holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Text, Update, Uuid, bindparam, case, func, or_, update

from periplus_hub.access.scope import Scope, owned, system_scope
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.tables import UTC_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A batch or a heartbeat of a spoke, as its registration notes it. `skew_ms` is spoke minus hub.

    A batch may have waited long before it was sent, so what it says of the clock is only a lower bound (`exact`
    False): it can show that a clock is ahead, never that it is behind.
    """

    at: datetime
    epoch: UUID
    skew_ms: int
    exact: bool
    spoke_version: str | None = None
    queued_batches: int | None = None
    queued_bytes: int | None = None


async def record_contact(c: WriteConnection, scope: Scope, contacts: Mapping[UUID, Contact]) -> None:
    """Note one of each of these registrations."""
    values = [_values(registration_id, contact) for registration_id, contact in contacts.items()]
    await c.execute(_contact_statement(system_scope(scope.tenant_id, "")), values)


def _values(registration_id: UUID, contact: Contact) -> dict[str, object]:
    return {
        "registration_id": registration_id,
        "heard_at": contact.at,
        "heard_epoch": contact.epoch,
        "skew_ms": contact.skew_ms,
        "exact": contact.exact,
        "version": contact.spoke_version,
        "batches": contact.queued_batches,
        "bytes": contact.queued_bytes,
    }


@lru_cache(maxsize=256)
def _contact_statement(scope: Scope) -> Update:
    """Built once per tenant: building a statement costs more than running it. What was not heard stays."""
    table = registrations
    skew_ms = bindparam("skew_ms", type_=BigInteger)
    heard_at, heard_epoch = bindparam("heard_at", type_=UTC_TIME), bindparam("heard_epoch", type_=Uuid)
    shows_more = (skew_ms > 0) & or_(table.c.clock_skew_ms.is_(None), table.c.clock_skew_ms < skew_ms)
    return (
        update(table)
        .where(owned(scope, table), table.c.id == bindparam("registration_id"))
        .values(
            # Greatest and not the newest statement: words of one spoke are taken by several processes, whose
            # transactions end in any order.
            last_seen_at=func.greatest(table.c.last_seen_at, heard_at),
            epoch=func.greatest(table.c.epoch, heard_epoch),
            # Epochs are UUIDv7 and grow with time. To hear an older life after a newer one means that two spokes run
            # with one registration, or one with an old copy of its folder (ADR 12); a finding is made of it.
            older_epoch_heard_at=case((heard_epoch < table.c.epoch, heard_at), else_=table.c.older_epoch_heard_at),
            clock_skew_ms=case(
                (or_(bindparam("exact", type_=Boolean), shows_more), skew_ms), else_=table.c.clock_skew_ms
            ),
            spoke_version=func.coalesce(bindparam("version", type_=Text), table.c.spoke_version),
            queued_batches=func.coalesce(bindparam("batches", type_=BigInteger), table.c.queued_batches),
            queued_bytes=func.coalesce(bindparam("bytes", type_=BigInteger), table.c.queued_bytes),
        )
    )
