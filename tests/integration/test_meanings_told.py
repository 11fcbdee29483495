"""What a cluster says that addresses stand for: kept with its time, each kind of object by itself."""

from datetime import timedelta
from typing import Any

import pytest

from periplus_contract import covers
from periplus_hub.access.scope import Scope
from periplus_hub.inventory.tables import meanings
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, gone, upsert
from tests.support.clock import START
from tests.support.spokes_door import open_door

IMPORTS, LINKS = "multicluster.x-k8s.io/serviceimports", "multicluster.linkerd.io/links"


def said(uid: str, source: str, minute: int) -> dict[str, Any]:
    at = START + timedelta(minutes=minute)
    return upsert(uid, at, source=source, role="import", cidr="10.0.0.1/32", clusters=["west"])


@pytest.mark.parametrize("in_parts", [False, True])
async def test_what_is_not_said_any_more_ends_where_its_kind_was_read(
    db: Database, tenant: Scope, *, in_parts: bool
) -> None:
    door = open_door(db)
    try:
        member = await door.member(tenant, "east")
        spoke = Spoke(member.registration)

        async def tell(minute: int, *rows: dict[str, Any], of: tuple[str, ...]) -> None:
            spoke.at = START + timedelta(minutes=minute)
            stated = tuple(covers.meanings(source) for source in of)
            parts = [list(rows[:1]), list(rows[1:])] if in_parts else [list(rows)]
            for number, part in enumerate(parts, 1):
                content = {"meanings": part}
                await member.send(spoke.snapshot(content, part=number, parts=len(parts), covers=stated))

        async def kept() -> dict[str, tuple[int, int | None]]:
            async with db.read(tenant) as c:
                rows = await c.rows(meanings.select())
            return {
                row.uid: (
                    (row.valid_from - START) // timedelta(minutes=1),
                    None if row.valid_to is None else (row.valid_to - START) // timedelta(minutes=1),
                )
                for row in rows
            }

        await tell(0, said("a", IMPORTS, 0), said("b", IMPORTS, 0), said("c", LINKS, 0), of=(IMPORTS, LINKS))
        await tell(1, said("a", IMPORTS, 1), of=(IMPORTS,))
        assert await kept() == {"a": (0, None), "b": (0, 1), "c": (0, None)}
        await tell(2, said("b", IMPORTS, 2), of=())
        assert await kept() == {"a": (0, None), "b": (2, None), "c": (0, None)}
        spoke.at = START + timedelta(minutes=3)
        await member.send(spoke.delta({"meanings": [gone("c", spoke.at)]}))
        assert await kept() == {"a": (0, None), "b": (2, None), "c": (0, 3)}
    finally:
        door.intake.close()
        await door.http.aclose()
