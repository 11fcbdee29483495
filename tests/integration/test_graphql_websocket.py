"""Subscriptions: who may listen, what they hear, and when it ends."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from periplus_hub.access import repository
from periplus_hub.access.scope import Role, Scope
from periplus_hub.access.service import revoke_token
from periplus_hub.api import graphql_websocket
from periplus_hub.api.graphql_limits import LIMITS
from periplus_hub.kit.db import Database
from periplus_hub.kit.events import Events

from tests.support.clock import FakeClock
from tests.support.graphql_hub import Door, Fleet, door, seed, token_for
from tests.support.graphql_socket import Client, connected
from tests.support.spokes_door import Member, open_door

JSON = {"content-type": "application/json"}
PROTOCOL = "graphql-transport-ws"
CHANGES = (
    "subscription{changes(topics:[FINDINGS,CLUSTERS,OVERLAPS]){__typename ... on FindingChanged{finding{id title}}"
    " ... on ClusterChanged{cluster{id name networkDomain{id}}} ... on OverlapsChanged{revision}}}"
)


@dataclass
class Stage:
    hub: Door
    events: Events
    token: str
    fleet: Fleet


@pytest.fixture
async def stage(db: Database, clock: FakeClock, tenant: Scope) -> Stage:
    events = Events()
    token = await token_for(db, tenant, Role.ANALYST)
    return Stage(door(db, clock, events=events), events, token, await seed(db, tenant))


async def opened(client: Client, token: str) -> dict[str, object]:
    await client.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
    return await client.next()


async def listening(client: Client, stage: Stage, identity: str = "1") -> None:
    before = len(stage.events._subscriptions)
    await client.send(type="subscribe", id=identity, payload={"query": CHANGES})
    while len(stage.events._subscriptions) == before:
        await client.send(type="ping")
        assert (await client.next())["type"] == "pong"


async def test_only_one_protocol_is_spoken(stage: Stage) -> None:
    for protocols in ((), ("graphql-ws",)):
        async with connected(stage.hub.app, *protocols) as client:
            assert (await client.next())["closed"] == 4406


@pytest.mark.promise("strangers-learn-nothing")
@pytest.mark.parametrize(
    "payload", [None, {}, {"authorization": "Bearer x"}, {"authorization": 7}, {"authorization": ["Bearer x"]}, "x"]
)
async def test_nobody_gets_in(stage: Stage, payload: object) -> None:
    async with connected(stage.hub.app, PROTOCOL) as client:
        await client.send(type="connection_init", payload=payload)
        assert (await client.next())["closed"] == 4403


@pytest.mark.parametrize(
    ("form", "opens"),
    [("Bearer {}", True), ("bearer {}", True), ("BEARER  {} ", True), ("{}", False), ("Basic {}", False)],
)
async def test_a_token_is_presented_as_over_http(stage: Stage, form: str, *, opens: bool) -> None:
    header = form.format(stage.token)
    answer = await stage.hub.raw("POST", b'{"query":"{viewer{actor}}"}', JSON | {"authorization": header})
    async with connected(stage.hub.app, PROTOCOL) as client:
        await client.send(type="connection_init", payload={"authorization": header})
        assert (answer.status_code == 200, "type" in await client.next()) == (opens, opens)


@pytest.mark.promise("strangers-learn-nothing")
async def test_nothing_runs_before_connection_init(stage: Stage) -> None:
    async with connected(stage.hub.app, PROTOCOL) as client:
        await client.send(type="subscribe", id="1", payload={"query": CHANGES})
        assert (await client.next())["closed"] == 4401


async def test_silence_instead_of_connection_init_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphql_websocket, "INIT_TIMEOUT_S", 0.01)
    async with connected(stage.hub.app, PROTOCOL) as client:
        assert (await client.next())["closed"] == 4408


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"type":"start","id":"1"}', "x" * 40_000])
async def test_bad_messages_end_the_connection(stage: Stage, text: str) -> None:
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await client.text(text)
        assert (await client.next())["closed"] == 4400


async def test_events_of_ones_own_tenant_arrive_as_things_are_now(
    stage: Stage, tenant: Scope, other_tenant: Scope
) -> None:
    async with connected(stage.hub.app, PROTOCOL) as client:
        assert await opened(client, stage.token) == {"type": "connection_ack"}
        await listening(client, stage)
        stage.events.publish(other_tenant.tenant_id, "overlaps", {"revision": 1})
        stage.events.publish(tenant.tenant_id, "clusters", {"id": str(stage.fleet.clusters[0])})
        stage.events.publish(tenant.tenant_id, "findings", {"id": str(stage.fleet.finding)})
        stage.events.publish(tenant.tenant_id, "clusters", {"id": str(other_tenant.tenant_id)})
        stage.events.publish(tenant.tenant_id, "overlaps", {"revision": 7})
        heard = [(await client.next())["payload"]["data"]["changes"] for _ in range(3)]
    assert heard[0]["cluster"]["name"] == "cluster-000"
    assert heard[1]["finding"]["title"] == "Something"
    assert heard[2] == {"__typename": "OverlapsChanged", "revision": "7"}


async def test_a_cluster_that_joins_is_heard_once(stage: Stage, db: Database, tenant: Scope) -> None:
    spokes = open_door(db, events=stage.events)
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await listening(client, stage)
        member = Member(spokes, "newcomer")
        join_token = await spokes.join_token(tenant)
        for _ in range(2):  # the same again is how a spoke repeats what got lost
            await member.enrol(join_token)
        stage.events.publish(tenant.tenant_id, "overlaps", {"revision": 7})
        heard = [(await client.next())["payload"]["data"]["changes"] for _ in range(2)]
    assert heard[0]["cluster"]["name"] == "newcomer"
    assert heard[1]["__typename"] == "OverlapsChanged"


async def test_queries_and_bombs_are_refused_and_the_connection_lives_on(stage: Stage) -> None:
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        for query, code in (("{viewer{actor}}", "not-a-subscription"), ("{" * 90, "too-nested"), ("{x}", None)):
            await client.send(type="subscribe", id="1", payload={"query": query})
            answer = await client.next()
            assert answer["type"] == "error"
            assert answer["payload"][0]["extensions"]["code"] == (code or "invalid-operation")
        await client.send(type="ping")
        assert (await client.next())["type"] == "pong"


async def test_the_eleventh_subscription_ends_the_connection(stage: Stage) -> None:
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        for at in range(10):
            await listening(client, stage, str(at))
        await client.send(type="subscribe", id="11", payload={"query": CHANGES})
        assert (await client.next())["closed"] == 4429
    assert not stage.events._subscriptions


async def test_complete_ends_one_subscription(stage: Stage) -> None:
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await listening(client, stage)
        await client.send(type="complete", id="1")
        while stage.events._subscriptions:
            await client.send(type="ping")
            assert (await client.next())["type"] == "pong"


async def test_a_name_used_again_is_still_counted_and_ended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The subscription that gave up the name may take a while to end; it must not take its successor off the list."""
    ending, ended = asyncio.Event(), asyncio.Event()

    async def lingering(self: graphql_websocket.Connection, *_: object) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ending.set()
            await ended.wait()
            raise

    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        with monkeypatch.context() as patched:
            patched.setattr(graphql_websocket.Connection, "_stream", lingering)
            await client.send(type="subscribe", id="1", payload={"query": CHANGES})
            await client.send(type="ping")
            assert (await client.next())["type"] == "pong"
        await client.send(type="complete", id="1")
        await ending.wait()
        await listening(client, stage, "1")
        ended.set()
        await client.send(type="ping")
        assert (await client.next())["type"] == "pong"
        await client.send(type="subscribe", id="1", payload={"query": CHANGES})
        assert (await client.next())["closed"] == 4409
    assert not stage.events._subscriptions


async def test_subscriptions_that_are_still_ending_count_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = asyncio.Event()

    async def lingering(self: graphql_websocket.Connection, *_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await ended.wait()

    monkeypatch.setattr(graphql_websocket.Connection, "_stream", lingering)
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        for at in range(20):
            await client.send(type="subscribe", id=str(at), payload={"query": CHANGES})
            await client.send(type="ping")
            assert (await client.next())["type"] == "pong"
            await client.send(type="complete", id=str(at))
        await client.send(type="subscribe", id="21", payload={"query": CHANGES})
        assert (await client.next())["closed"] == 4429
        ended.set()


async def test_an_id_is_told_as_it_was_given(stage: Stage) -> None:
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await client.send(type="subscribe", id="x" * 100, payload={"query": "nonsense"})
        assert (await client.next())["id"] == "x" * 100
        await client.send(type="subscribe", id="x" * 101, payload={"query": "nonsense"})
        assert (await client.next())["closed"] == 4400


async def test_an_idle_connection_ends_with_its_token(
    stage: Stage, db: Database, clock: FakeClock, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphql_websocket, "RECHECK_S", 0.01)
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        async with db.write(tenant) as c:
            tokens = await repository.tokens(c, tenant)
            listener = next(each for each in tokens if stage.token.startswith(each.prefix))
            await revoke_token(c, tenant, listener.id, now=clock.now())
        clock.advance(10)
        assert (await client.next())["closed"] == 4403


async def test_a_mutation_is_heard_by_listeners(stage: Stage, db: Database, tenant: Scope) -> None:
    admin = await token_for(db, tenant, Role.ADMIN)
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await listening(client, stage)
        approve = "mutation($c:ID!){approveCluster(cluster:$c){__typename}}"
        await stage.hub.ask(approve, admin, c=stage.fleet.ids["PendingCluster"])
        assert (await client.next())["payload"]["data"]["changes"]["cluster"]["name"] == "pending"


@pytest.mark.promise("revoked-is-out")
async def test_a_revoked_token_hears_nothing_more(stage: Stage, db: Database, clock: FakeClock, tenant: Scope) -> None:
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await listening(client, stage)
        async with db.write(tenant) as c:
            tokens = await repository.tokens(c, tenant)
            listener = next(each for each in tokens if stage.token.startswith(each.prefix))
            await revoke_token(c, tenant, listener.id, now=clock.now())
        clock.advance(10)
        stage.events.publish(tenant.tenant_id, "overlaps", {"revision": 7})
        assert (await client.next())["type"] == "complete"


async def test_a_subscription_that_fails_says_so(stage: Stage, tenant: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: object) -> None:
        raise OSError("canary: the store went away")

    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await listening(client, stage)
        monkeypatch.setattr(graphql_websocket, "change_of", gone)
        stage.events.publish(tenant.tenant_id, "overlaps", {"revision": 7})
        answer = await client.next()
        assert answer["type"] == "error"
        assert "canary" not in str(answer)
        assert answer["payload"][0]["extensions"]["remedy"]
        await client.send(type="ping")
        assert (await client.next())["type"] == "pong"


@pytest.mark.promise("queries-are-bounded")
async def test_an_event_has_the_deadline_of_an_operation(
    stage: Stage, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    stage.hub.app.runner.limits = replace(LIMITS, execution_s=0.01)
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await listening(client, stage)
        monkeypatch.setattr(graphql_websocket, "change_of", never)
        stage.events.publish(tenant.tenant_id, "overlaps", {"revision": 7})
        answer = await client.next()
        assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "deadline-exceeded")
        await client.send(type="ping")
        assert (await client.next())["type"] == "pong"
    assert not stage.events._subscriptions


@pytest.mark.promise("queries-are-bounded")
async def test_every_event_is_paid_for(stage: Stage, db: Database, clock: FakeClock, tenant: Scope) -> None:
    limits = replace(LIMITS, bucket=LIMITS.new_document_cost + 70, refill_per_s=1)
    stage.hub = door(db, clock, events=stage.events, limits=limits)
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await listening(client, stage)
        heard = []
        while not heard or heard[-1]["type"] == "next":
            stage.events.publish(tenant.tenant_id, "clusters", {"id": str(stage.fleet.clusters[0])})
            heard.append(await client.next())
        (error,) = heard[-1]["payload"]
        assert (heard[-1]["type"], error["extensions"]["code"]) == ("error", "budget-exhausted")
        assert 3 < len(heard) < 20
        assert "Wait" in error["extensions"]["remedy"]


async def test_a_subscription_that_cannot_begin_says_why(stage: Stage) -> None:
    query = "subscription($topics: [ChangeTopic!]!) { changes(topics: $topics) { __typename } }"
    async with connected(stage.hub.app, PROTOCOL) as client:
        await opened(client, stage.token)
        await client.send(type="subscribe", id="1", payload={"query": query, "variables": {"topics": ["WEATHER"]}})
        answer = await client.next()
        assert (answer["type"], answer["payload"]["errors"][0]["extensions"]["code"]) == ("next", "invalid-variable")
        assert (await client.next())["type"] == "complete"


async def test_a_store_that_cannot_check_tokens_is_no_refusal(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(_self: object, _token: str) -> Scope:
        raise OSError("canary")

    async with connected(stage.hub.app, PROTOCOL) as client:
        monkeypatch.setattr(type(stage.hub.app.authenticator), "authenticate", gone)
        assert (await opened(client, stage.token))["closed"] == 1013
