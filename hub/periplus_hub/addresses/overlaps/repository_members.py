"""The rows of the allocations to show of overlap groups."""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    FromClause,
    Integer,
    Row,
    Text,
    Uuid,
    case,
    cast,
    func,
    literal,
    null,
)
from sqlalchemy.dialects.postgresql import CIDR
from sqlalchemy.types import TypeEngine

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.model import Quality, Reach
from periplus_hub.addresses.ipam.repository_graphql import ALLOCATIONS
from periplus_hub.addresses.ipam.tables import allocations, node_number
from periplus_hub.addresses.overlaps.engine.uses import KIND_OF, USE_OF_RANGE
from periplus_hub.addresses.overlaps.repository_owners import KIND_OF_RANGE, NAME_OF_DOMAIN
from periplus_hub.addresses.ranges.repository import in_force
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.fleet.tables import network_domains
from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.keyset import Listing, id_column
from periplus_hub.kit.windows import Window

_TABLE: Final = allocations
_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    "place": Integer(),
    "registration_id": Uuid(),
    "kind": Text(),
    "cidr": Text(),
    "node": BigInteger(),
    "use": Integer(),
    "nth": Integer(),
    "severity": Text(),
}
_ENTERED: Final = frozenset(KIND_OF[use].value for use in USE_OF_RANGE.values())
"""Kinds that entered ranges are compared as."""
ORDER: Final = "overlap_members"
"""The order of members: by address, parents first, then by cluster, `uses.USES` and the node's number."""


@dataclass(slots=True)
class Chosen:
    """Members to show, as columns.

    `place` is the group's among those asked for, `node` the number of the node that holds it, `use` a position in
    `uses.USES`; `nth` tells those apart that are equal but for their nodes. `severity` is None without an overlap.
    """

    place: list[int] = field(default_factory=list)
    registration_id: list[UUID] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    cidr: list[str] = field(default_factory=list)
    node: list[int] = field(default_factory=list)
    use: list[int] = field(default_factory=list)
    nth: list[int] = field(default_factory=list)
    severity: list[str | None] = field(default_factory=list)


async def chosen_rows(c: ReadConnection, scope: Scope, chosen: Chosen) -> list[Row[Any]]:
    """The allocations with their severity, in the order of members, ready to be cut into pages."""
    if not chosen.place:
        return []
    asked = array_table("chosen", _TYPES, (getattr(chosen, name) for name in _TYPES))
    window = Window(len(chosen.place))
    rows = list(await c.rows(_listing(asked).page_of(scope, None, window)))
    if not _ENTERED.isdisjoint(chosen.kind):
        # A statement of its own, and sorted here: few questions have entered ranges, and the others pay nothing.
        rows += await c.rows(_entered(asked).page_of(scope, None, window))
        rows.sort(key=_place)
    return rows


def _place(row: Row[Any]) -> tuple[Any, ...]:
    return row.order_key_0, row.order_key_1, row.order_key_2, row.order_key_3, row.order_key_4


def _listing(chosen: FromClause) -> Listing[Scope]:
    named = (
        (chosen.c.registration_id == _TABLE.c.registration_id)
        & (chosen.c.kind == _TABLE.c.kind)
        & (cast(chosen.c.cidr, CIDR) == _TABLE.c.cidr)
        # Nodes are compared by their number, as the register has them: it never sees a name, and names may be long.
        & (chosen.c.node == case((_TABLE.c.node == "", 0), else_=node_number(_TABLE.c.node)))
    )
    return Listing(
        name=ORDER,
        source=ALLOCATIONS.source.join(chosen, named),
        columns=[
            *ALLOCATIONS.columns,
            chosen.c.severity,
            chosen.c.place,
            chosen.c.node.label("node_number"),
            null().label("range_id"),
        ],
        order=[
            _TABLE.c.first_key,
            func.masklen(_TABLE.c.cidr, type_=Integer),
            _TABLE.c.registration_id,
            chosen.c.use,
            chosen.c.nth,
        ],
        where=ALLOCATIONS.where,
    )


def _entered(chosen: FromClause) -> Listing[Scope]:
    """The same of entered ranges, with the same columns."""
    table = entered_ranges
    named = (
        (chosen.c.registration_id == table.c.domain_id)
        & (chosen.c.kind == KIND_OF_RANGE)
        & (cast(chosen.c.cidr, CIDR) == table.c.cidr)
    )
    own = {
        "id": id_column("EnteredRange", table.c.id),
        "registration_id": table.c.domain_id,
        "kind": KIND_OF_RANGE,
        "provider": literal(""),
        "node": literal(""),
        "since": table.c.created_at,
        "quality": literal(Quality.NOMINAL.value),
        "reach": literal(Reach.UNKNOWN.value),
        "reach_corrected": literal(value=False),
        "claim": literal(value=True),
        "cidr": func.text(table.c.cidr),
        "cluster_name": NAME_OF_DOMAIN,
        "domain_id": table.c.domain_id,
    }
    # From the other list and not written out again: a column added there must come here in the same place.
    names = [str(each.key) for each in ALLOCATIONS.columns]
    shown = [(own[name] if name in own else table.c[name]).label(name) for name in names]
    return Listing(
        name=ORDER,
        source=table.join(network_domains, network_domains.c.id == table.c.domain_id).join(chosen, named),
        columns=[
            *shown,
            chosen.c.severity,
            chosen.c.place,
            chosen.c.node.label("node_number"),
            table.c.id.label("range_id"),
        ],
        order=[
            table.c.first_key,
            func.masklen(table.c.cidr, type_=Integer),
            table.c.domain_id,
            chosen.c.use,
            chosen.c.nth,
        ],
        where=lambda scope, _asked: in_force(scope),
    )
