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
)
from sqlalchemy.dialects.postgresql import CIDR
from sqlalchemy.types import TypeEngine

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.repository_graphql import ALLOCATIONS
from periplus_hub.addresses.ipam.tables import allocations, node_number
from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.keyset import Listing
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
    statement = _listing(asked).page_of(scope, None, Window(len(chosen.place)))
    return list(await c.rows(statement))


def _listing(chosen: FromClause) -> Listing[Scope]:
    named = (
        (chosen.c.registration_id == _TABLE.c.registration_id)
        & (chosen.c.kind == _TABLE.c.kind)
        & (cast(chosen.c.cidr, CIDR) == _TABLE.c.cidr)
        & (chosen.c.node == case((_TABLE.c.node == "", 0), else_=node_number(_TABLE.c.node)))
    )
    return Listing(
        name=ORDER,
        source=ALLOCATIONS.source.join(chosen, named),
        columns=[*ALLOCATIONS.columns, chosen.c.severity, chosen.c.place, chosen.c.node.label("node_number")],
        order=[
            _TABLE.c.first_key,
            func.masklen(_TABLE.c.cidr, type_=Integer),
            _TABLE.c.registration_id,
            chosen.c.use,
            chosen.c.nth,
        ],
        where=ALLOCATIONS.where,
    )
