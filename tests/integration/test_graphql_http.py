"""The door: who gets in, what is refused, and what an answer looks like."""

import json
from threading import get_ident
from typing import Any

import pytest
from graphql import execute, get_introspection_query

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database, count_statements

from tests.support.clock import FakeClock
from tests.support.graphql_bombs import BOMBS
from tests.support.graphql_hub import Door, door, seed, token_for

VIEWER = "{viewer{actor role permissions tenant}}"


@pytest.fixture
def hub(db: Database, clock: FakeClock) -> Door:
    return door(db, clock)


@pytest.fixture
async def admin(db: Database, tenant: Scope) -> str:
    return await token_for(db, tenant, Role.ADMIN)


async def test_viewer_names_the_asker(hub: Door, db: Database, tenant: Scope) -> None:
    token = await token_for(db, tenant, Role.ANALYST)
    viewer = (await hub.ask(VIEWER, token)).good["viewer"]
    assert viewer == {
        "actor": "token:test-analyst",
        "role": "ANALYST",
        "permissions": ["ADHOC", "FINDINGS_WRITE", "READ"],
        "tenant": "acme",
    }


@pytest.mark.promise("strangers-learn-nothing")
@pytest.mark.parametrize("token", [None, "", "nonsense", "ppt_aaaaaaaa_bbbb"])
async def test_nobody_gets_in_not_even_for_the_schema(hub: Door, token: str | None) -> None:
    for document in (VIEWER, "{__schema{types{name}}}", "{__typename}", "nonsense"):
        answer = await hub.ask(document, token)
        assert (answer.status, answer.codes, answer.data) == (401, ["unauthenticated"], None)
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_post_is_served(hub: Door, admin: str, method: str) -> None:
    response = await hub.raw(method, headers={"authorization": f"Bearer {admin}"})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql"],
)
async def test_forms_a_browser_sends_across_origins_are_refused(hub: Door, admin: str, kind: str) -> None:
    headers = {"authorization": f"Bearer {admin}", "content-type": kind}
    response = await hub.raw("POST", json.dumps({"query": VIEWER}).encode(), headers)
    assert response.status_code == 415


async def test_compressed_bodies_are_refused(hub: Door, admin: str) -> None:
    headers = {"authorization": f"Bearer {admin}", "content-type": "application/json", "content-encoding": "gzip"}
    assert (await hub.raw("POST", b"x", headers)).status_code == 415


@pytest.mark.promise("queries-are-bounded")
async def test_no_bomb_reaches_the_database(hub: Door, admin: str) -> None:
    headers = {"authorization": f"Bearer {admin}", "content-type": "application/json"}
    await hub.ask("{__typename}", admin)
    await hub.ask("{__typename}", admin)
    passed = []
    for name, body in BOMBS.items():
        with count_statements() as counter:
            response = await hub.raw("POST", body, headers)
        error = response.json()["errors"][0]["extensions"]
        if counter.total or not 400 <= response.status_code < 500 or not (error["code"] and error["remedy"]):
            passed.append((name, response.status_code, counter.statements))
    assert passed == []


async def test_a_refusal_of_the_domain_has_its_code_and_remedy(hub: Door, db: Database, tenant: Scope) -> None:
    token = await token_for(db, tenant, Role.ANALYST)
    answer = await hub.ask("{apiTokens{nodes{id}}}", token)
    assert (answer.status, answer.codes) == (200, ["forbidden"])
    assert "admin" in answer.errors[0]["extensions"]["remedy"]
    assert (await hub.ask('{node(id:"nonsense"){id}}', token)).codes == ["invalid"]
    assert (await hub.ask('{clusters(after:"nonsense"){nodes{id}}}', token)).codes == ["invalid"]


async def test_a_bug_is_masked_and_names_the_request(
    hub: Door, admin: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("periplus_hub.access.repository_graphql.tenant_name", None)
    answer = await hub.ask(VIEWER, admin)
    assert answer.codes == ["internal"]
    assert "NoneType" not in json.dumps(answer.errors)
    assert answer.headers["x-request-id"] in answer.errors[0]["message"]


async def test_introspection_is_for_everyone_who_may_read(hub: Door, db: Database, tenant: Scope) -> None:
    token = await token_for(db, tenant, Role.ANALYST)
    answer = await hub.ask(get_introspection_query(), token)
    assert len(answer.good["__schema"]["types"]) > 30


@pytest.mark.promise("queries-are-bounded")
@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{__schema{types{name}}}", {}),
        ("{__schema{types{name}}}", {"unused": 1}),
        ("{...s} fragment s on Query{...on Query{__schema{types{name}}}}", {}),
        ("query($n:String!){__type(name:$n){name}}", {"n": "Cluster"}),
        ("query($n:String!){__type(name:$n){name}}", {"n": "Pod"}),
    ],
)
async def test_the_schema_is_told_off_the_event_loop(
    hub: Door, admin: str, monkeypatch: pytest.MonkeyPatch, document: str, variables: dict[str, object]
) -> None:
    threads: list[int] = []

    def watched(*args: Any, **kwargs: Any) -> Any:
        threads.append(get_ident())
        return execute(*args, **kwargs)

    monkeypatch.setattr("periplus_hub.api.graphql_run.execute", watched)
    told = (await hub.ask(document, admin, **variables)).good
    assert variables.get("n", "Cluster") in json.dumps(told)
    assert get_ident() not in threads
    assert (await hub.ask(document, admin, **variables)).good == told
    assert len(threads) == 1


async def test_the_schema_and_data_are_asked_apart(hub: Door, admin: str) -> None:
    for document in (
        "{__schema{types{name}} viewer{actor}}",
        "{...s viewer{actor}} fragment s on Query{a:__schema{types{name}}}",
    ):
        assert (await hub.ask(document, admin)).codes == ["mixed-introspection"]
    assert (await hub.ask('{__typename __type(name:"Pod"){name}}', admin)).good["__type"] == {"name": "Pod"}


async def test_ten_thousand_nodes_are_served(hub: Door, db: Database, tenant: Scope, admin: str) -> None:
    await seed(db, tenant, clusters=1, objects=5)
    wanted = "id name namespace ipv4 labels{key value} validFrom"
    document = f'{{cluster(name:"cluster-000"){{pods(first:10000){{nodes{{{wanted}}}}}}}}}'
    assert len((await hub.ask(document, admin)).good["cluster"]["pods"]["nodes"]) == 5


async def test_pages_follow_each_other_without_gap_or_repeat(
    hub: Door, db: Database, tenant: Scope, admin: str
) -> None:
    await seed(db, tenant, clusters=5, objects=0)
    document = (
        "query($after:String){clusters(first:2,after:$after)"
        "{nodes{name} edges{cursor node{name}} totalCount pageInfo{hasNextPage endCursor}}}"
    )
    names, after, more = [], None, True
    while more:
        page = (await hub.ask(document, admin, after=after)).good["clusters"]
        names += [node["name"] for node in page["nodes"]]
        assert [edge["node"]["name"] for edge in page["edges"]] == [node["name"] for node in page["nodes"]]
        assert page["edges"][-1]["cursor"] == page["pageInfo"]["endCursor"]
        assert page["totalCount"] == 6
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert names == [*(f"cluster-{at:03}" for at in range(5)), "pending"]
