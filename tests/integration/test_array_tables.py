"""Python values as a table of a statement: as many rows as they are, in one parameter per column."""

from uuid import UUID

from sqlalchemy import BigInteger, LargeBinary, Text, Uuid, select

from periplus_hub.kit.arrays import array_table
from periplus_hub.kit.db import Database
from periplus_hub.kit.tenancy import NO_TENANT

ROWS = [
    (UUID(int=number), bytes([number % 256]), "a,'\"{}\\" if number % 2 else None, number) for number in range(70_000)
]
COLUMNS = {"id": Uuid(), "key": LargeBinary(), "name": Text(), "number": BigInteger()}


async def test_rows_come_back_as_they_were_given(db: Database) -> None:
    given = array_table("given", COLUMNS, zip(*ROWS, strict=True))
    async with db.read(NO_TENANT) as c:
        found = await c.rows(select(given).order_by(given.c.number))
    assert [tuple(row) for row in found] == ROWS


async def test_a_statement_built_once_gets_its_cells_when_it_is_executed(db: Database) -> None:
    asked = array_table("asked", {"name": Text()})
    async with db.read(NO_TENANT) as c:
        found = await c.rows(select(asked.c.name), {"asked_name": ["a", "b"]})
    assert [row.name for row in found] == ["a", "b"]
