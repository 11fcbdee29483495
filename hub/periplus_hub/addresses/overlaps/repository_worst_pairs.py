"""What explanations are made of: what is true of the pairs that make a group as bad as it is."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import FromClause, distinct, func, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.overlaps import tables
from periplus_hub.addresses.overlaps.engine.causes import WorstPairs
from periplus_hub.addresses.overlaps.engine.uses import Use
from periplus_hub.addresses.overlaps.model import Relation, Severity
from periplus_hub.addresses.overlaps.repository_owners import owners
from periplus_hub.fleet.tables import domain_connections
from periplus_hub.kit.db import ReadConnection

_GROUPS: Final = tables.overlap_groups
_SHARES: Final = tables.overlap_group_clusters


async def worst_pairs(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, WorstPairs]:
    """What makes each group as bad as it is (without its acceptance): two statements."""
    sides = func.array_agg(distinct(func.array_to_string(_SHARES.c.uses, ",")))
    who = owners(scope)
    # Two domains may be isolated whatever connections there are among the others, so this may say more than there is,
    # and never less: the rules then find nothing that fits it.
    several = func.count(distinct(who.c.domain_id)) > 1
    shared = func.count() > func.count(distinct(who.c.domain_id))
    statement = (
        select(_GROUPS.c.id, _GROUPS.c.severity, sides.label("sides"), shared.label("shared"), several.label("several"))
        .select_from(_worst_hit(who))
        .where(owned(scope, _GROUPS), owned(scope, _SHARES), _GROUPS.c.id.in_(ids))
        .group_by(_GROUPS.c.id)
    )
    connected = await _connected(c, scope, ids)
    return {
        row.id: WorstPairs(
            Severity(row.severity),
            frozenset(frozenset(map(Use, uses.split(","))) for uses in row.sides),
            connected.get(row.id, frozenset())
            | ({Relation.SAME} if row.shared else frozenset())
            | ({Relation.ISOLATED} if row.several else frozenset()),
        )
        for row in await c.rows(statement)
    }


def _worst_hit(who: FromClause) -> FromClause:
    """Groups with the clusters that they hurt as much as their severity says."""
    mine = (_SHARES.c.group_id == _GROUPS.c.id) & (_SHARES.c.severity == _GROUPS.c.severity)
    return _GROUPS.join(_SHARES, mine).join(who, who.c.id == _SHARES.c.registration_id)


async def _connected(c: ReadConnection, scope: Scope, ids: Sequence[UUID]) -> dict[UUID, frozenset[Relation]]:
    """How the domains of the clusters of each group that are hit worst are connected."""
    who = owners(scope)
    homes = (
        select(_GROUPS.c.id.label("group_id"), who.c.domain_id)
        .distinct()
        .select_from(_worst_hit(who))
        .where(owned(scope, _GROUPS), owned(scope, _SHARES), _GROUPS.c.id.in_(ids))
        .cte("homes")
    )
    one, other = homes.alias("one"), homes.alias("other")
    modes = func.array_agg(distinct(domain_connections.c.mode)).label("modes")
    statement = (
        select(one.c.group_id, modes)
        .select_from(domain_connections.join(one, one.c.domain_id == domain_connections.c.domain_a))
        .join(other, (other.c.domain_id == domain_connections.c.domain_b) & (other.c.group_id == one.c.group_id))
        .where(owned(scope, domain_connections))
        .group_by(one.c.group_id)
    )
    return {row.group_id: frozenset(map(Relation, row.modes)) for row in await c.rows(statement)}
