"""What the services of this slice read: allocations and acceptances as values."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, func, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses import tables
from periplus_hub.addresses.model import Acceptance
from periplus_hub.addresses.rows import acceptance_of
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import ReadConnection

_ALLOCATIONS: Final = tables.allocations
_ACCEPTANCES: Final = tables.overlap_acceptances
_ALLOCATION: Final = (
    *(column for column in _ALLOCATIONS.c if column.name not in {"tenant_id", "cidr"}),
    func.text(_ALLOCATIONS.c.cidr).label("cidr_text"),
)
_ACCEPTANCE: Final = (
    *(column for column in _ACCEPTANCES.c if column.name not in {"tenant_id", "cidr"}),
    func.text(_ACCEPTANCES.c.cidr, type_=String).label("cidr_text"),
)


def live_allocations(scope: Scope, *columns: ColumnElement[Any]) -> Select[Any]:
    """Allocations of active clusters: those the overlaps are about."""
    return (
        select(*_ALLOCATION, *columns)
        .join(registrations, registrations.c.id == _ALLOCATIONS.c.registration_id)
        .where(owned(scope, _ALLOCATIONS), owned(scope, registrations), registrations.c.state == State.ACTIVE.value)
    )


async def acceptances_by_ids(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, Acceptance]:
    """Those that exist, by id."""
    statement = select(*_ACCEPTANCE).where(owned(scope, _ACCEPTANCES), _ACCEPTANCES.c.id.in_(ids))
    return {row.id: acceptance_of(row) for row in await c.rows(statement)}
