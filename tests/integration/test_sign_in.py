"""People who sign in with OpenID Connect, through GraphQL, against an issuer over real sockets."""

import asyncio
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.scope import Role, system_scope
from periplus_hub.access.service_tenants import create_tenant, ensure_default_tenant
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import token_for
from tests.support.graphql_socket import connected
from tests.support.issuer import CLIENT, Issuer, SigningKey
from tests.support.sign_in_hub import SignInHub, sign_in_hub
from tests.support.signed_tokens import hmac_with_the_public_key, unsigned

CREATE = 'mutation { createApiToken(input: {name: "ci", role: VIEWER}) { __typename ... on Problem { message } } }'
TRAIL = "{ auditEvents(first: 1) { nodes { actor action } } }"


@pytest.fixture
async def hub(db: Database, clock: FakeClock, provider: Issuer) -> SignInHub:
    await ensure_default_tenant(db)
    return sign_in_hub(db, clock, provider)


async def test_a_person_has_the_role_of_their_group(hub: SignInHub, provider: Issuer) -> None:
    found = (await hub.ask(provider.token())).good["viewer"]
    actor = f"person:ada <248289761001@{provider.url}>"
    assert found == {"actor": actor, "role": "OPERATOR", "tenant": "default"}
    assert (await hub.ask(provider.token(groups="readers", preferred_username=None))).good["viewer"] == {
        "actor": f"person:248289761001@{provider.url}", "role": "VIEWER", "tenant": "default",
    }  # fmt: skip
    assert (await hub.ask(provider.token(groups=["x", "readers", "network-team"]))).good["viewer"]["role"] == "OPERATOR"
    assert (await hub.ask(provider.token(aud=[CLIENT, "other"], azp=CLIENT))).good
    assert (await hub.ask(provider.token(headers={"typ": "at+jwt"}))).good
    assert hub.refused == []


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256"])
async def test_every_sort_of_key_that_is_taken_is_one_that_nobody_signs_with_who_reads_it(
    hub: SignInHub, provider: Issuer, algorithm: str
) -> None:
    provider.keys = [SigningKey.new("only", algorithm)]
    assert (await hub.ask(provider.token())).good
    assert (await hub.ask(provider.token(headers={"kid": None}))).good, "one key needs no name"


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"iss": "https://evil.example.org"}, {}, "other issuer", "another issuer"),
    ({"iss": None}, {}, "other issuer", "another issuer"),
    ({"aud": "somebody-else"}, {}, "other audience", "not for periplus-cli"),
    ({"aud": None}, {}, "other audience", "not for periplus-cli"),
    ({"aud": [CLIENT, "other"]}, {}, "other client", "azp"),
    ({"aud": [CLIENT, "other"], "azp": "other"}, {}, "other client", "azp"),
    ({"exp": 1_767_225_540}, {}, "expired", "ended at 2025-12-31T23:59:00Z"),
    ({"exp": None}, {}, "no end", "no end"),
    ({"exp": True}, {}, "no time", "no time that can be read"),
    ({"nbf": 1_767_225_661}, {}, "not yet valid", "(nbf)"),
    ({"iat": 1_767_225_661}, {}, "not yet valid", "(iat)"),
    ({"sub": None}, {}, "no subject", "(sub)"),
    ({"sub": "ada <x@y>"}, {}, "no subject", "(sub)"),
    ({"cnf": {"jkt": "x"}}, {}, "bound to a key", "bound to a key"),
    ({}, {"typ": "logout+jwt"}, "unreadable", "cannot be read"),
    ({}, {"crit": ["b64"]}, "unreadable", "cannot be read"),
    ({}, {"kid": "made-up"}, "not signed", "no key that"),
    ({}, {"kid": "made-up", "jwk": {"kty": "EC"}}, "not signed", "no key that"),
    ({"padding": "x" * 9_000}, {}, "oversize", "at most 8192 are read"),
]
"""Claims and headers that are otherwise, the reason in the trail, and what is told."""


@pytest.mark.promise("people-are-signed-for")
async def test_what_lets_nobody_in_says_why(hub: SignInHub, provider: Issuer) -> None:
    for changed, headers, reason, told in REFUSED:
        answer = await hub.ask(provider.token(headers=headers, **changed))
        assert (answer.status, answer.codes) == (401, ["unauthenticated"]), (changed, headers)
        assert told in answer.errors[0]["message"]
        assert answer.errors[0]["extensions"]["remedy"]
        assert answer.headers["www-authenticate"] == "Bearer"
        assert hub.refused.pop() == RefusedAttempt("access:sign-in:refuse", reason)
    assert hub.refused == []


async def test_clocks_may_differ_a_little(hub: SignInHub, provider: Issuer) -> None:
    for changed in ({"exp": 1_767_225_541}, {"nbf": 1_767_225_660}, {"iat": 1_767_225_660}):
        assert (await hub.ask(provider.token(**changed))).good
    strict = sign_in_hub(hub.people.db, hub.clock, provider, oidc_clock_tolerance_s=0)
    assert (await strict.ask(provider.token(exp=1_767_225_600))).codes == ["unauthenticated"]


@pytest.mark.promise("people-are-signed-for")
async def test_nobody_signs_for_the_issuer(hub: SignInHub, provider: Issuer) -> None:
    provider.keys = [SigningKey.new("first", "RS256")]
    theirs = SigningKey.new("first", "RS256")
    good = provider.token()
    claims, signature = good.rpartition(".")[::2]
    forged = {
        "alg none": unsigned(provider.claims()),
        "alg none, named otherwise": unsigned(provider.claims(), alg="nOnE"),
        "HS256 with the public key": hmac_with_the_public_key(provider.claims(), provider.keys[0]),
        "a key of their own by the issuer's name": provider.token(theirs),
        "no signature": f"{claims}.",
        "another's signature": f"{claims}.{provider.token(sub='other').rpartition('.')[2]}",
        "more behind it": f"{claims}.{signature}AAAA",
        "other claims": ".".join([good.split(".")[0], provider.token(groups=["x"]).split(".")[1], signature]),
        "the algorithm of another kind of key": provider.token(SigningKey.new("first", "ES256")),
        "nothing": "..",
        "no text": "é.é.é",
    }
    for name, token in forged.items():
        answer = await hub.raw(token)
        assert (answer.status_code, "data" in answer.json()) == (401, False), name
    assert (await hub.ask(good)).good


@pytest.mark.promise("people-are-signed-for")
async def test_who_is_in_no_group_with_a_role_is_told_what_to_do(hub: SignInHub, provider: Issuer) -> None:
    for groups in (["strangers"], [], None, {"network-team": True}, ["NETWORK-TEAM"]):
        answer = await hub.ask(provider.token(groups=groups))
        assert (answer.status, answer.codes) == (403, ["forbidden"])
        assert answer.errors[0]["message"].startswith("no group of person:")
        assert "oidc_roles" in answer.errors[0]["extensions"]["remedy"]
    actor = f"person:ada <248289761001@{provider.url}>"
    assert set(hub.refused) == {RefusedAttempt("access:sign-in:refuse", "no group with a role", actor=actor)}


async def test_groups_give_roles_in_one_tenant(hub: SignInHub, db: Database, provider: Issuer) -> None:
    roles = ("a=viewer", "g=globex/admin", "h=initech/viewer", "cn=ops,dc=x=operator")
    settings = {"oidc_roles": roles, "oidc_groups_claim": "realm_access.roles"}
    several = sign_in_hub(db, hub.clock, provider, **settings)

    async def asked(*groups: str) -> Any:
        answer = await several.ask(provider.token(realm_access={"roles": list(groups)}))
        return answer.data["viewer"] if answer.data else answer.errors[0]["message"]

    assert "the tenant 'initech', which is not there" in await asked("h")
    await create_tenant(db, "globex")
    found = await asked("g")
    assert (found["role"], found["tenant"]) == ("ADMIN", "globex")
    assert (await asked("cn=ops,dc=x"))["role"] == "OPERATOR"
    assert "roles in several tenants: default, globex" in await asked("a", "g")
    await create_tenant(db, "initech")
    several.clock.advance(60)
    assert (await asked("h"))["tenant"] == "initech"


@pytest.mark.promise("people-are-signed-for")
async def test_new_keys_are_found_and_withdrawn_ones_are_no_longer_taken(hub: SignInHub, provider: Issuer) -> None:
    old = provider.token(exp=2_000_000_000)
    assert (await hub.ask(old)).good
    provider.keys.append(SigningKey.new("second"))
    hub.clock.advance(30)
    assert (await hub.ask(provider.token())).good
    assert (await hub.ask(old)).good, "both are published"
    del provider.keys[0]
    await hub.people.keys.read()
    assert (await hub.ask(old)).codes == ["unauthenticated"]


async def test_made_up_keys_do_not_make_the_hub_hammer_the_issuer(hub: SignInHub, provider: Issuer) -> None:
    assert (await hub.ask(provider.token())).good
    for at in range(20):
        assert (await hub.ask(provider.token(headers={"kid": f"made-up-{at}"}))).codes == ["unauthenticated"]
    assert len(provider.asked) == 2, "once, when nothing was known"
    hub.clock.advance(30)
    for at in range(20):
        await hub.ask(provider.token(headers={"kid": f"made-up-{at}"}))
    assert len(provider.asked) == 4, "and once more when time had passed"


async def test_who_leaves_takes_no_keys_from_who_stays(hub: SignInHub, provider: Issuer) -> None:
    provider.goes_on.clear()
    first = asyncio.ensure_future(hub.ask(provider.token()))
    await provider.heard.wait()
    second = asyncio.ensure_future(hub.ask(provider.token()))
    await asyncio.sleep(0)
    first.cancel()
    provider.goes_on.set()
    assert (await second).good
    assert len(provider.asked) == 2


async def test_known_keys_go_on_while_the_issuer_is_away(hub: SignInHub, provider: Issuer, db: Database) -> None:
    assert (await hub.ask(provider.token())).good
    assert hub.people.degraded() == {}
    provider.instead["/.well-known/openid-configuration"] = (503, b"", {})
    hub.clock.advance(3_600)
    with capture_logs() as logged:
        for _ in range(2):
            await hub.people.keys.read()
    assert [(each["event"], each["known"]) for each in logged] == [("issuer_keys_not_read", 1)]
    assert (await hub.ask(provider.token())).good
    unknown = await hub.ask(provider.token(SigningKey.new("new")))
    assert (unknown.status, unknown.codes) == (503, ["unavailable"])
    [[name, detail]] = hub.people.degraded().items()
    assert (name, "answers 503; the keys of 2026-01-01T00:00:00" in detail) == ("sign-in", True)
    provider.instead.clear()
    await hub.people.keys.read()
    assert hub.people.degraded() == {}


LIES: list[tuple[str, tuple[int, bytes, dict[str, str]], str]] = [
    ("document", (200, b"<html>", {}), "no document of an issuer"),
    ("document", (200, b"[" * 50_000, {}), "no document of an issuer"),
    ("document", (200, b'{"issuer": "https://evil.example.org", "jwks_uri": "https://x"}', {}), "evil.example.org"),
    ("document", (200, b'{"issuer": "HERE", "jwks_uri": "http://192.0.2.1/keys"}', {}), "no https URL"),
    ("document", (200, b'{"issuer": "HERE", "jwks_uri": "https://192.168.0.1/keys"}', {}), "does not call"),
    ("document", (200, b'{"issuer": "HERE", "jwks_uri": "https://169.254.169.254/"}', {}), "does not call"),
    ("document", (200, b'{"issuer": "HERE"}', {}), "no document of an issuer"),
    ("document", (302, b"", {"location": "http://169.254.169.254/latest"}), "answers 302 and so leads elsewhere"),
    ("document", (404, b"", {}), "answers 404"),
    ("keys", (302, b"", {"location": "http://169.254.169.254/latest"}), "answers 302 and so leads elsewhere"),
    ("keys", (200, b'{"keys": {}}', {}), "no document of an issuer"),
    ("keys", (200, b'{"keys": []}', {}), "has no key"),
    ("keys", (200, b'{"keys": [{"kty": "oct", "kid": "first", "k": "c2VjcmV0", "alg": "HS256"}]}', {}), "no key"),
    ("keys", (200, b'{"keys": [{"kty": "RSA", "kid": "first", "n": "AQAB", "e": "AQAB"}]}', {}), "has no key"),
    ("keys", (200, b'{"keys": [' + b"{}," * 100 + b"{}]}", {}), "has 101 keys"),
    ("keys", (200, b" " * 70_000, {}), "answers with more than 65536 bytes"),
]
"""What the issuer answers where, and what is told of that."""


async def test_an_issuer_that_cannot_be_read_lets_nobody_in_and_stops_no_machine(
    hub: SignInHub, db: Database, provider: Issuer
) -> None:
    machine = await token_for(db, system_scope(await ensure_default_tenant(db), "test"), Role.VIEWER)
    places = {"document": "/.well-known/openid-configuration", "keys": "/keys"}
    for where, (status, body, headers), told in LIES:
        provider.instead = {places[where]: (status, body.replace(b"HERE", provider.url.encode()), headers)}
        fresh = sign_in_hub(db, hub.clock, provider)
        await _nobody_gets_in(fresh, provider, told)
        assert (await fresh.ask(machine)).good


async def test_an_issuer_that_hangs_is_waited_for_no_longer_than_others(hub: SignInHub, provider: Issuer) -> None:
    hub.let_time_out()
    provider.goes_on.clear()
    await _nobody_gets_in(hub, provider, "did not answer within")


async def _nobody_gets_in(hub: SignInHub, provider: Issuer, told: str) -> None:
    refused = await hub.ask(provider.token())
    assert (refused.status, refused.codes) == (503, ["unavailable"]), told
    assert refused.errors[0]["message"].endswith(f"the hub cannot read the keys of {provider.url}")
    assert told in hub.people.degraded()["sign-in"]


async def test_a_private_issuer_is_not_called_unless_its_network_is_named(hub: SignInHub, provider: Issuer) -> None:
    closed = sign_in_hub(hub.people.db, hub.clock, provider, oidc_networks=())
    await _nobody_gets_in(closed, provider, "which the hub does not call")
    distrusting = sign_in_hub(hub.people.db, hub.clock, provider, oidc_ca_file=None)
    await _nobody_gets_in(distrusting, provider, "CERTIFICATE_VERIFY_FAILED")
    assert provider.asked == []


async def test_the_trail_names_the_person(hub: SignInHub, db: Database, provider: Issuer) -> None:
    admins = sign_in_hub(db, hub.clock, provider, oidc_roles=("network-team=admin", "readers=viewer"))
    assert (await admins.ask(provider.token(), CREATE)).good["createApiToken"]["__typename"] == "CreatedApiToken"
    actor = f"person:ada <248289761001@{provider.url}>"
    [event] = (await admins.ask(provider.token(), TRAIL)).good["auditEvents"]["nodes"]
    assert event == {"actor": actor, "action": "access:api-token:create"}
    denied = (await admins.ask(provider.token(groups=["readers"]), CREATE)).data
    assert denied is None or "may not" in str(denied)
    tenant = await ensure_default_tenant(db)
    [refused] = admins.refused
    told = (refused.action, refused.reason, refused.tenant_id, refused.actor)
    assert told == ("access:permission:refuse", "viewer lacks tokens:write", tenant, actor)


async def test_nothing_of_a_token_is_logged(hub: SignInHub, provider: Issuer) -> None:
    tokens = [provider.token(), provider.token(exp=1), provider.token(headers={"kid": "made-up"}), "a.b.c"]
    structlog.reset_defaults()
    with capture_logs() as logged:
        for token in tokens:
            await hub.ask(token)
        provider.instead["/keys"] = (500, b"", {})
        hub.clock.advance(60)
        await hub.ask(provider.token(headers={"kid": "other"}))
    said = str(logged) + str(hub.refused)
    assert not any(part in said for token in tokens for part in token.split(".") if len(part) > 1)


@pytest.mark.promise("people-are-signed-for")
async def test_a_connection_ends_with_the_sign_in(hub: SignInHub, provider: Issuer, monkeypatch: Any) -> None:
    monkeypatch.setattr("periplus_hub.api.graphql_websocket.RECHECK_S", 0)
    async with connected(hub.door.app, "graphql-transport-ws") as client:
        token = provider.token()
        await client.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert (await client.next())["type"] == "connection_ack"
        hub.clock.advance(361)
        assert (await client.next())["closed"] == 4403


async def test_without_an_issuer_a_signed_token_is_unknown(hub: SignInHub, provider: Issuer) -> None:
    hub.door.app.authenticator.people = None
    assert (await hub.ask(provider.token())).errors[0]["message"].startswith("The token is missing, unknown")
    assert hub.refused == [RefusedAttempt("access:api-token:refuse", "no token of ours")]
