"""Whatever a person gets wrong, the answer names it, has a stable code and says what to do."""

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.api.graphql_limits import Limits
from periplus_hub.api.problems import BodyTooSlowError
from periplus_hub.inventory import repository_owners
from periplus_hub.kit.cursors import encode_cursor
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable

from tests.support.clock import FakeClock
from tests.support.graphql_hub import SEEN, Door, door, token_for

NOBODY = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
PAGE = "query($n:Int!){clusters(first:$n){totalCount}}"
NAMED = "query($text:String){clusters(nameContains:$text){totalCount}}"
OWNER = "query($ip:IpAddress!,$at:DateTime){addressOwner(ip:$ip,at:$at){__typename ... on AddressUnknown{reason}}}"
PROBLEM = "{__typename ... on Problem{code message remedy}}"
CASES: list[tuple[str, dict[str, object], str, str]] = [
    ("{viewer", {}, "syntax", "column 8"),
    ("{nonsense}", {}, "invalid-operation", "'nonsense'"),
    ("{viewer}", {}, "invalid-operation", "viewer"),
    ("{viewer{...f}}", {}, "invalid-operation", "'f'"),
    ("{addressOwner{__typename}}", {}, "invalid-operation", "ip"),
    ("query A{viewer{actor}} query B{viewer{actor}}", {}, "one-operation", "2 operations"),
    ("subscription{changes(topics:[CLUSTERS]){__typename}}", {}, "subscription-over-http", "websocket"),
    (PAGE, {"n": "x"}, "invalid-variable", "$n"),
    (PAGE, {}, "invalid-variable", "$n"),
    (PAGE, {"n": None}, "invalid-variable", "$n"),
    (PAGE, {"n": 0}, "page-size", "'first' of 'clusters' is 0"),
    (PAGE, {"n": -5}, "page-size", "-5"),
    (PAGE, {"n": 10_001}, "page-size", "1 to 10000"),
    (PAGE, {"n": 10_001.0}, "page-size", "1 to 10000"),
    (PAGE, {"n": 2**31}, "page-size", "2147483648"),
    (PAGE, {"n": -(2**63)}, "page-size", "1 to 10000"),
    (PAGE, {"n": 1e300}, "page-size", "far too large"),
    (f"{{clusters(first:{'9' * 101}){{totalCount}}}}", {}, "number-too-long", "at most 100"),
    ("{clusters(first:1,last:1){totalCount}}", {}, "invalid", "first is 1 and last is 1"),
    ("{allocations(family:5){totalCount}}", {}, "invalid", "family is 5"),
    ("{clusters(first:10001){totalCount}}", {}, "page-size", "1 to 10000"),
    ("query($s:[ClusterState!]){clusters(states:$s){totalCount}}", {"s": ["NO"]}, "invalid-variable", "'NO'"),
    ("{clusters(states:[NO]){totalCount}}", {}, "invalid-operation", "'NO'"),
    ('{clusters(after:"zzz"){nodes{id}}}', {}, "invalid", "'zzz'"),
    ('{node(id:"zzz"){id}}', {}, "invalid", "'zzz'"),
    ('{node(id:"Pod:zzz"){id}}', {}, "invalid", "'Pod:zzz'"),
    ('{cluster(id:"Pod:zzz"){id}}', {}, "invalid", "'Pod:zzz'"),
    ('{overlapsBetween(clusterA:"x",clusterB:"y"){__typename}}', {}, "invalid", "'x'"),
    (OWNER, {"ip": "10.0.0"}, "invalid-variable", "'10.0.0'"),
    ('{addressOwner(ip:"10.0.0"){__typename}}', {}, "invalid-operation", "'10.0.0'"),
    (OWNER, {"ip": "fe80::1%eth0"}, "invalid-variable", "'fe80::1%eth0'"),
    ('{allocations(within:"fe80::%eth0/64"){totalCount}}', {}, "invalid-operation", "'fe80::%eth0/64'"),
    ("{" + f'cluster(name:"a"){{{"networkDomain{id}" * 20}}}' * 8 + "}", {}, "validation-budget", "comparisons"),
    (OWNER, {"ip": "10.0.0.1", "at": "yesterday"}, "invalid-variable", "'yesterday'"),
    (OWNER, {"ip": "10.0.0.1", "at": "2026-01-01T00:00:00"}, "invalid-variable", "offset"),
    (OWNER, {"ip": "10.0.0.1", "at": "0001-01-01T00:00:00+14:00"}, "invalid-variable", "0001"),
    ('{allocations(within:"10.0.0.1/8"){totalCount}}', {}, "invalid-operation", "'10.0.0.1/8'"),
    ("query($c:Cidr){allocations(within:$c){totalCount}}", {"c": 5}, "invalid-variable", "'5'"),
    (NAMED, {"text": "a\0b"}, "invalid-text", "'a\\u0000b'"),
    ('{clusters(nameContains:"a\\u0000b"){totalCount}}', {}, "invalid-text", "'a\\u0000b'"),
]
MUTATIONS: list[tuple[str, str, str]] = [
    (f'approveCluster(cluster:"Cluster:{NOBODY}")', "not-found", NOBODY),
    ('approveCluster(cluster:"x")', "invalid", "'x'"),
    (f'withdrawJoinToken(token:"JoinToken:{NOBODY}")', "not-found", NOBODY),
    ('createApiToken(input:{name:"x",role:VIEWER,lifetimeDays:367})', "invalid", "367"),
    ('createApiToken(input:{name:"x",role:VIEWER,lifetimeDays:0})', "invalid", "0"),
]


@pytest.fixture
def hub(db: Database, clock: FakeClock) -> Door:
    return door(db, clock)


@pytest.fixture
async def token(db: Database, tenant: Scope) -> str:
    return await token_for(db, tenant, Role.ADMIN)


@pytest.mark.promise("refusals-say-what-to-do")
async def test_a_mistake_is_named(hub: Door, token: str) -> None:
    for document, variables, code, word in CASES:
        answer = await hub.ask(document, token, **variables)
        assert answer.codes == [code], (document, answer.errors)
        assert word in answer.errors[0]["message"], document
        assert answer.errors[0]["extensions"]["remedy"], document


@pytest.mark.promise("refusals-say-what-to-do")
@pytest.mark.parametrize(("field", "code", "word"), MUTATIONS)
async def test_a_mutation_says_why_not(hub: Door, token: str, field: str, code: str, word: str) -> None:
    (result,) = (await hub.ask(f"mutation{{{field}{PROBLEM}}}", token)).good.values()
    assert (result["code"], bool(result["remedy"])) == (code, True)
    assert word in result["message"]


async def test_a_cursor_somebody_made_up_is_refused(hub: Door, token: str) -> None:
    made_up = encode_cursor((1, "x"), "clusters")
    answer = await hub.ask("query($after:String){clusters(after:$after){nodes{id}}}", token, after=made_up)
    assert answer.codes == ["invalid"]


async def test_bodies_that_are_no_request(hub: Door, token: str) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    bodies = {
        b"{": "malformed-json",
        b"[" * 30_000: "malformed-json",
        b'{"query":"{viewer{actor}}","variables":{"x":"\\ud800"}}': "malformed-json",
        b"\xff": "malformed-json",
        b"{}": "malformed-json",
        b"[]": "batching",
        b" " * 40_000: "body-too-large",
    }
    for body, code in bodies.items():
        [error] = (await hub.raw("POST", body, headers)).json()["errors"]
        assert (error["extensions"]["code"], bool(error["extensions"]["remedy"])) == (code, True), body[:60]


async def test_what_is_no_fault_of_the_asker(
    db: Database, clock: FakeClock, hub: Door, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("the store is away", "Try again.")

    async def slow(*_: object) -> None:
        raise BodyTooSlowError("the body was not complete after 15 s")

    hurried = await door(db, clock, limits=Limits(execution_s=0)).ask("{viewer{tenant}}", token)
    assert (hurried.status, hurried.codes) == (504, ["deadline-exceeded"])
    with monkeypatch.context() as patched:
        patched.setattr(repository_owners, "address_owner", away)
        assert (await hub.ask(OWNER, token, ip="10.0.0.1")).codes == ["unavailable"]
    with monkeypatch.context() as patched:
        patched.setattr(type(hub.app.authenticator), "authenticate", away)
        answer = await hub.ask(OWNER, token, ip="10.0.0.1")
        assert (answer.status, answer.codes, answer.headers["retry-after"]) == (503, ["unavailable"], "5")
    monkeypatch.setattr("periplus_hub.api.graphql_app.read_body", slow)
    answer = await hub.ask(OWNER, token, ip="10.0.0.1")
    assert (answer.status, answer.codes) == (408, ["body-too-slow"])


@pytest.mark.promise("queries-are-bounded")
async def test_an_answer_is_no_longer_than_its_limit(db: Database, clock: FakeClock, token: str) -> None:
    short = door(db, clock, limits=Limits(response_bytes=200))
    assert (await short.ask("{viewer{actor}}", token)).good
    for document in ("{viewer{actor " + " ".join(f"a{at}:actor" for at in range(20)) + "}}", "{__schema{types{name}}}"):
        answer = await short.ask(document, token)
        assert (answer.data, answer.codes) == (None, ["response-too-large"])
        assert answer.errors[0]["extensions"]["limit"] == 200


async def test_the_future_is_not_known(hub: Door, token: str) -> None:
    answer = (await hub.ask(OWNER, token, ip="10.0.0.1", at="2999-01-01T00:00:00Z")).good["addressOwner"]
    assert answer["__typename"] == "AddressUnknown"
    assert "is in the future" in answer["reason"]
    soon = SEEN.isoformat().replace("00:00:00", "00:00:20")  # a clock that is a little ahead means now
    answer = (await hub.ask(OWNER, token, ip="10.0.0.1", at=soon)).good["addressOwner"]
    assert answer["reason"].endswith("no cluster told its inventory yet")
