"""Every field of every type, asked by its owner and by somebody of another tenant."""

import json

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.api.schema import build_schema
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_fields import every_field
from tests.support.graphql_hub import door, seed, token_for


@pytest.mark.promise("tenants-are-apart")
async def test_every_field_answers_its_owner_and_tells_other_tenants_nothing(
    db: Database, clock: FakeClock, tenant: Scope, other_tenant: Scope
) -> None:
    hub, fleet = door(db, clock), await seed(db, tenant)
    await seed(db, other_tenant)
    mine, foreign = await token_for(db, tenant, Role.ADMIN), await token_for(db, other_tenant, Role.ADMIN)
    asked, shown = 0, 0
    for query in every_field(build_schema()._schema):
        variables = query.example.variables(fleet.ids)
        told = json.dumps((await hub.ask(query.text, mine, **variables)).good)
        asked, shown = asked + 1, shown + any(each in told for each in fleet.uuids)
        answer = await hub.ask(query.text, foreign, **variables)
        told = json.dumps([answer.data, [error["message"] for error in answer.errors]])
        leaked = {each for each in fleet.uuids if each in told and each not in json.dumps(variables)}
        assert leaked == set(), query.name
        clock.advance(1)
    assert asked > 200
    assert shown > 20, "the owner sees ids, so a leak would be seen"
