"""The free ranges that the register found, stored with its revision."""

from typing import Final

from sqlalchemy import String, func, select

from periplus_hub.access.scope import Scope, insert_owned, owned
from periplus_hub.addresses.free import tables
from periplus_hub.addresses.free.engine.planner import FreeRanges, FreeSpace
from periplus_hub.addresses.prefixes.prefix import parse
from periplus_hub.kit.db import ReadConnection, WriteConnection

_TABLE: Final = tables.free_ranges


async def free_space(c: ReadConnection, scope: Scope) -> FreeSpace:
    """What the register last found: a few dozen rows, whatever the fleet."""
    text = func.text(_TABLE.c.cidr, type_=String).label("cidr")
    rows = await c.rows(select(_TABLE.c.family, _TABLE.c.length, text).where(owned(scope, _TABLE)))
    return FreeSpace({(row.family, row.length): row.cidr and parse(row.cidr) for row in rows})


async def save_free(c: WriteConnection, scope: Scope, ranges: FreeRanges) -> None:
    """Store these sizes anew."""
    if not ranges:
        return
    statement = insert_owned(scope, _TABLE)
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "family", "length"], set_={"cidr": statement.excluded.cidr}
    )
    rows = [
        {"family": family, "length": length, "cidr": None if free is None else str(free)}
        for (family, length), free in ranges.items()
    ]
    await c.execute(statement, rows)
