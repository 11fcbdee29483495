"""Imports that come in several questions: whose they are, how large they get, and that they are forgotten."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.ranges.jobs import RangesJob
from periplus_hub.addresses.ranges.model import RangeSource
from periplus_hub.addresses.ranges.service_import import MAX_IMPORT_BYTES, ImportAsk, import_ranges
from periplus_hub.addresses.ranges.tables import range_import_parts
from periplus_hub.fleet.service import create_domain
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.ids import new_id

from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import door, token_for

IMPORT = """mutation Import($text: [String!]!, $continues: ID, $more: Boolean! = false) {
  importRanges(input: {text: $text, continues: $continues, more: $more, apply: true}) {
    __typename
    ... on RangeImport { awaits applied added troubles { line message } }
    ... on Problem { code message }
  }
}"""
HEADING = "cidr,domain,use\n"


async def ask(db: Database, scope: Scope, *text: str, **how: Any) -> dict[str, Any]:
    token = await token_for(db, scope, Role.OPERATOR)
    answer = await door(db, FakeClock(START)).ask(IMPORT, token, text=list(text), **how)
    found: dict[str, Any] = answer.good["importRanges"]
    return found


async def kept(db: Database, scope: Scope) -> int:
    async with db.read(scope) as c:
        return int(await c.scalar(select(func.count()).select_from(range_import_parts)))


@pytest.mark.promise("changes-are-audited")
async def test_parts_become_one_import_with_the_last(db: Database, tenant: Scope) -> None:
    async with db.write(tenant) as c:
        await create_domain(c, tenant, "vpc")
    first = await ask(db, tenant, HEADING, "10.0.0.0/16,vp", more=True)
    assert (first["applied"], first["added"], first["troubles"]) == (False, 0, [])
    second = await ask(db, tenant, "c,vpc\n10.1.0.0/16,vpc,", continues=first["awaits"], more=True)
    assert second["awaits"] == first["awaits"]
    last = await ask(db, tenant, "vpc\n10.1.0.0/16,vpc,vpc\n", continues=first["awaits"])
    assert [(each["line"], each["message"][:11]) for each in last["troubles"]] == [(4, "10.1.0.0/16")]
    assert (last["awaits"], await kept(db, tenant)) == (None, 0)
    gone = await ask(db, tenant, "", continues=first["awaits"])
    assert (gone["code"], await kept(db, tenant)) == ("not-found", 0)


@pytest.mark.promise("tenants-are-apart")
async def test_nobody_continues_what_another_began(db: Database, tenant: Scope, other_tenant: Scope) -> None:
    first = await ask(db, tenant, HEADING, more=True)
    assert (await ask(db, other_tenant, "x", continues=first["awaits"]))["code"] == "not-found"
    assert await kept(db, tenant) == 1


def part(text: str, **how: Any) -> ImportAsk:
    return ImportAsk(text=text, source=RangeSource.CSV, origin="", apply=True, **how)


async def test_an_import_has_an_end_and_so_have_those_that_wait(db: Database, tenant: Scope) -> None:
    async with db.write(tenant) as c:
        first = await import_ranges(c, tenant, part("x" * MAX_IMPORT_BYTES, more=True), START)
    for more in (True, False):
        with pytest.raises(Invalid, match="larger than 8 MiB"):
            async with db.write(tenant) as c:
                await import_ranges(c, tenant, part("x", continues=first.awaits, more=more), START)
    with pytest.raises(Invalid, match="larger than 8 MiB"):
        async with db.write(tenant) as c:
            await import_ranges(c, tenant, part("x" * (MAX_IMPORT_BYTES + 1)), START)
    async with db.write(tenant) as c:
        for _ in range(7):
            await import_ranges(c, tenant, part("x", more=True), START)
        with pytest.raises(Conflict, match="8 imports wait"):
            await import_ranges(c, tenant, part("x", more=True), START)
    with pytest.raises(NotFound):
        async with db.write(tenant) as c:
            await import_ranges(c, tenant, part("x", continues=new_id()), START)


async def test_what_nobody_finishes_is_forgotten_after_an_hour(db: Database, tenant: Scope) -> None:
    async with db.write(tenant) as c:
        old = await import_ranges(c, tenant, part("x", more=True), START)
        await import_ranges(c, tenant, part("y", more=True), START)
        later = START + timedelta(minutes=50)
        await import_ranges(c, tenant, part("x", continues=old.awaits, more=True), later)
    await RangesJob(db).run(START + timedelta(minutes=59))
    assert await kept(db, tenant) == 3
    await RangesJob(db).run(START + timedelta(minutes=61))
    assert await kept(db, tenant) == 2
    await RangesJob(db).run(later + timedelta(minutes=61))
    assert await kept(db, tenant) == 0
