"""Whatever value an argument is given, the answer is an answer or the asker's mistake, in our words."""

import json
import re
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from periplus_hub.access.scope import Role, Scope
from periplus_hub.api.schema import build_schema
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hostile import every_argument
from tests.support.graphql_hub import door, seed, token_for
from tests.support.unhurried import UNHURRIED

OURS_TO_MEND = {"internal", "unavailable", "deadline-exceeded"}
FOREIGN = re.compile(
    r"asyncpg|sqlalchemy|psycopg|postgres|pydantic|strawberry|msgspec|starlette|graphql-core|traceback|site-packages"
    r"|\.py\b|\bint(16|32|64)\b|DataError|ValueError|TypeError|KeyError|Exceeds the limit|NoneType|object at 0x",
    re.IGNORECASE,
)
ROOMY = replace(UNHURRIED, bucket=1e12)


@pytest.mark.promise("refusals-say-what-to-do")
async def test_no_argument_breaks_the_hub_or_shows_what_it_is_made_of(
    db: Database, clock: FakeClock, tenant: Scope
) -> None:
    hub, fleet = door(db, clock, limits=ROOMY), await seed(db, tenant)
    token = await token_for(db, tenant, Role.ADMIN)
    broken: list[object] = []
    tried = set()
    for hostile in every_argument(build_schema()._schema):
        with capture_logs():
            answer = await hub.ask(hostile.text, token, **hostile.example.variables(fleet.ids))
        told = json.dumps([answer.errors, answer.data])
        if set(answer.codes) & OURS_TO_MEND or answer.status >= 500 or FOREIGN.search(told):
            broken.append((hostile.name, hostile.text[:300], answer.errors))
        tried.add(hostile.name)
    assert broken == [], "\n".join(map(str, broken))
    assert len(tried) > 100
