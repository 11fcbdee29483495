"""What explanations are made of: the kinds in a group, the ranges in use, the allocations of two clusters."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import distinct, func, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses import tables
from periplus_hub.addresses.model import AllocationKind
from periplus_hub.kit.db import ReadConnection

_GROUPS: Final = tables.overlap_groups
_SHARES: Final = tables.overlap_group_clusters
_ALLOCATIONS: Final = tables.allocations


async def kinds_by_groups(
    c: ReadConnection, scope: Scope, ids: Sequence[UUID]
) -> dict[UUID, frozenset[AllocationKind]]:
    """What the allocations are used for that make each group as bad as it is (without its acceptance)."""
    statement = (
        select(_GROUPS.c.id, func.array_agg(distinct(func.array_to_string(_SHARES.c.kinds, ","))).label("kinds"))
        .join(_SHARES, (_SHARES.c.group_id == _GROUPS.c.id) & (_SHARES.c.severity == _GROUPS.c.severity))
        .where(owned(scope, _GROUPS), owned(scope, _SHARES), _GROUPS.c.id.in_(ids))
        .group_by(_GROUPS.c.id)
    )
    rows = await c.rows(statement)
    return {row.id: frozenset(AllocationKind(kind) for kinds in row.kinds for kind in kinds.split(",")) for row in rows}


async def group_ids_by_cidr(c: ReadConnection, scope: Scope, cidrs: Sequence[str]) -> dict[str, UUID]:
    """Stored groups rooted at these CIDRs."""
    text = func.text(_GROUPS.c.cidr)
    rows = await c.rows(select(text.label("cidr"), _GROUPS.c.id).where(owned(scope, _GROUPS), text.in_(cidrs)))
    return {row.cidr: row.id for row in rows}
