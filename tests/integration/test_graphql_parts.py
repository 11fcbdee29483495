"""A slice's part is all that the GraphQL API needs to know of it: root fields, fields, ids, changes and topics."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import strawberry

from periplus_hub.access.scope import Role, Scope
from periplus_hub.api.graphql_parts import PARTS
from periplus_hub.api.graphql_websocket import PROTOCOL
from periplus_hub.api.schema import assemble, build_schema
from periplus_hub.kit.db import Database, count_statements
from periplus_hub.kit.events import Events
from periplus_hub.kit.graphql_parts import Part

from tests.support.clock import FakeClock
from tests.support.graphql_hub import Door, Fleet, door, seed, token_for
from tests.support.graphql_nicknames import PART, TOPIC, NicknamesQuery, clusters_as_they_were
from tests.support.graphql_socket import connected

READ = "{ nicknameCount clusters(first: 50) { nodes { nickname { id text } } } }"
AGAIN = "query($id: ID!) { node(id: $id) { __typename ... on Nickname { id text } } }"
TWICE = "query($one: ID!, $two: ID!) { one: node(id: $one) { id } two: node(id: $two) { id } }"
CALL = """mutation($cluster: ID!) { callCluster(cluster: $cluster) {
  __typename ... on Nickname { text } ... on Problem { code message remedy }
} }"""
HEAR = "subscription { changes(topics: [NICK_NAMES]) { __typename ... on NicknameCalled { nickname { id text } } } }"


@dataclass
class Stage:
    hub: Door
    fleet: Fleet
    token: str
    events: Events


@pytest.fixture
async def stage(db: Database, clock: FakeClock, tenant: Scope) -> AsyncIterator[Stage]:
    with clusters_as_they_were():
        events = Events()
        hub = door(db, clock, events=events, parts=(*PARTS, PART))
        yield Stage(hub, await seed(db, tenant), await token_for(db, tenant, Role.ANALYST), events)


async def test_its_fields_answer_in_a_statement_for_all(stage: Stage, db: Database, other_tenant: Scope) -> None:
    await seed(db, other_tenant, clusters=12)
    theirs = await token_for(db, other_tenant, Role.ANALYST)
    counts = []
    for token, clusters in ((stage.token, 3), (theirs, 13)):
        for _ in range(2):  # the token's row is read again after its first use
            await stage.hub.ask("{ __typename }", token)
        with count_statements() as counter:
            answer = (await stage.hub.ask(READ, token)).good
        counts.append(counter.total)
        assert answer["nicknameCount"] == len(answer["clusters"]["nodes"]) == clusters
        assert {node["nickname"]["text"] for node in answer["clusters"]["nodes"]} == {"c", "p"}
    assert counts[0] == counts[1]


async def test_its_ids_are_found_again_by_their_owner_alone(stage: Stage, db: Database, other_tenant: Scope) -> None:
    mine = [f"Nickname:{each}" for each in stage.fleet.clusters]
    found = (await stage.hub.ask(AGAIN, stage.token, id=mine[0])).good["node"]
    assert found == {"__typename": "Nickname", "id": mine[0], "text": "c"}
    theirs = await token_for(db, other_tenant, Role.ADMIN)
    assert (await stage.hub.ask(AGAIN, theirs, id=mine[0])).good["node"] is None
    assert (await stage.hub.ask(AGAIN, stage.token, id="Nickname:x")).codes == ["invalid"]
    assert (await stage.hub.ask(AGAIN, stage.token, id="Nobody:x")).codes == ["invalid"]
    with count_statements() as counter:
        await stage.hub.ask(AGAIN, stage.token, id=mine[0])
    once = counter.total
    with count_statements() as counter:
        both = (await stage.hub.ask(TWICE, stage.token, one=mine[0], two=mine[1])).good
    assert [both["one"]["id"], both["two"]["id"]] == mine
    assert counter.total == once


async def test_its_changes_are_for_those_with_the_right_and_say_why_not(
    stage: Stage, db: Database, tenant: Scope, other_tenant: Scope
) -> None:
    cluster = stage.fleet.ids["Cluster"]
    viewer = await token_for(db, tenant, Role.VIEWER)
    theirs = await token_for(db, other_tenant, Role.ADMIN)
    answers = [
        (await stage.hub.ask(CALL, token, cluster=asked)).good["callCluster"]
        for token, asked in ((stage.token, cluster), (viewer, "nonsense"), (stage.token, "nonsense"), (theirs, cluster))
    ]
    assert [each["__typename"] for each in answers] == ["Nickname", "Forbidden", "Invalid", "Conflict"]
    assert answers[3]["remedy"] == "Call somebody who is there."


async def test_its_topic_is_heard_by_its_tenant_as_things_are_now(stage: Stage, other_tenant: Scope) -> None:
    own, other = stage.fleet.clusters[:2]
    async with connected(stage.hub.app, PROTOCOL) as client:
        await client.send(type="connection_init", payload={"authorization": f"Bearer {stage.token}"})
        assert (await client.next())["type"] == "connection_ack"
        await client.send(type="subscribe", id="1", payload={"query": HEAR})
        while not stage.events._subscriptions:
            await client.send(type="ping")
            assert (await client.next())["type"] == "pong"
        stage.events.publish(other_tenant.tenant_id, TOPIC, {"id": str(other)})
        await stage.hub.ask(CALL, stage.token, cluster=stage.fleet.ids["Cluster"])
        heard = (await client.next())["payload"]["data"]["changes"]
    assert heard["__typename"] == "NicknameCalled"
    assert heard["nickname"] == {"id": f"Nickname:{own}", "text": "c"}


def test_the_hub_itself_has_none_of_it() -> None:
    with clusters_as_they_were():
        assert "Nickname" in assemble((*PARTS, PART)).schema.as_str()
    assert "ickname" not in build_schema().as_str()


def test_two_parts_with_one_root_field_are_refused() -> None:
    @strawberry.type
    class Others:
        @strawberry.field(description="Another one.")
        async def nickname_count(self) -> int:
            return 0

    with pytest.raises(TypeError, match=r"Query\.nickname_count is in NicknamesQuery and in Others"):
        assemble((*PARTS, Part(queries=[NicknamesQuery, Others])))
