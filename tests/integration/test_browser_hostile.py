"""Signing in with a browser when somebody means harm, or when the issuer is not what it should be."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.sign_in_rate import AT_ONCE
from periplus_hub.kit.db import Database

from tests.support.browser import BEGUN, HUB, OWN, SESSION, Browser, Replica, browsing, replica
from tests.support.clock import FakeClock
from tests.support.graphql_socket import Client, connected
from tests.support.issuer import Issuer, SigningKey

EVIL = "https://evil.example.org"
CREATE = 'mutation { createApiToken(input: {name: "ci", role: VIEWER}) { __typename } }'
PROBLEM = "application/problem+json"


@pytest.fixture
async def hub(db: Database, provider: Issuer) -> Replica:
    await ensure_default_tenant(db)
    return replica(db, provider, oidc_roles=("network-team=admin",))


@pytest.fixture
async def browser(hub: Replica, provider: Issuer) -> AsyncIterator[Browser]:
    async with browsing(provider, hub.app) as found:
        yield found


FOREIGN: list[tuple[dict[str, str], str]] = [
    ({"origin": EVIL, "sec-fetch-site": "cross-site"}, "not of https://hub.test (Origin)"),
    ({"origin": EVIL, "sec-fetch-site": ""}, "(Origin)"),
    ({"origin": "null", "sec-fetch-site": ""}, "(Origin)"),
    ({"origin": "http://hub.test", "sec-fetch-site": ""}, "(Origin)"),
    ({"origin": "https://hub.test:8443", "sec-fetch-site": "same-site"}, "(Origin)"),
    ({"origin": "https://hub.test.evil.example.org", "sec-fetch-site": ""}, "(Origin)"),
    ({"origin": "", "sec-fetch-site": "cross-site"}, "(Sec-Fetch-Site)"),
    ({"origin": "", "sec-fetch-site": "same-site"}, "(Sec-Fetch-Site)"),
    ({"origin": "", "sec-fetch-site": "none"}, "(Sec-Fetch-Site)"),
    ({"sec-fetch-site": "cross-site"}, "(Sec-Fetch-Site)"),
    ({"origin": "", "sec-fetch-site": ""}, "does not say which page asks"),
    ({"x-periplus-request": ""}, "no header X-Periplus-Request: 1"),
    ({"x-periplus-request": "0"}, "no header X-Periplus-Request: 1"),
]
"""What a page of another origin makes a browser send, and why it is refused."""


@pytest.mark.promise("sessions-are-the-persons-own")
async def test_no_other_page_does_anything_with_the_cookie(browser: Browser) -> None:
    await browser.signs_in()
    for headers, why in FOREIGN:
        for document in ("{ viewer { actor } }", CREATE):
            refused = await browser.asks(document, **headers)
            [error] = refused.json()["errors"]
            assert (refused.status_code, error["extensions"]["code"]) == (403, "cross-site"), headers
            assert why in error["message"], headers
            assert "access-control-allow-origin" not in refused.headers
        left = {name: value for name, value in (OWN | headers).items() if value}
        assert (await browser.hub.post("/auth/logout", headers=left)).status_code == 403, headers
    form = {"content-type": "text/plain"}
    assert (
        await browser.hub.post("/graphql", content=b'{"query": "{viewer{actor}}"}', headers=form)
    ).status_code == 415
    assert (await browser.asks(CREATE)).json()["data"]["createApiToken"]["__typename"] == "CreatedApiToken"


@pytest.mark.promise("sessions-are-the-persons-own")
async def test_an_origin_that_may_ask_with_tokens_may_not_use_the_cookie(
    db: Database, provider: Issuer, hub: Replica
) -> None:
    friendly = replica(db, provider, api_origins=(EVIL,))
    async with browsing(provider, friendly.app) as browser:
        await browser.signs_in()
        refused = await browser.asks(origin=EVIL, **{"sec-fetch-site": "cross-site"})
        assert (refused.status_code, "access-control-allow-credentials" in refused.headers) == (403, False)
        asks_first = {"origin": EVIL, "access-control-request-method": "POST"}
        asks_first |= {"access-control-request-headers": "content-type,x-periplus-request"}
        assert (await browser.hub.options("/graphql", headers=asks_first)).status_code == 400


async def test_signing_out_needs_our_page(browser: Browser) -> None:
    await browser.signs_in()
    own = {"origin": HUB, "accept": "text/html"}
    page = await browser.get("/")
    assert page.headers["referrer-policy"] == "same-origin", "or the browser would hide the form's origin"
    [proof] = re.findall(r'name="proof" value="([0-9a-f]{64})"', page.text)
    for form, headers in [
        ({}, own),
        ({"proof": "0" * 64}, own),
        ({"proof": proof}, {"origin": EVIL}),
        ({"proof": proof}, {}),
    ]:
        assert (await browser.hub.post("/auth/logout", data=form, headers=headers)).status_code == 403
    assert (await browser.get("/auth/logout")).status_code == 405
    assert (await browser.session()).status_code == 200
    left = await browser.hub.post("/auth/logout", data={"proof": proof}, headers=own)
    assert (left.status_code, "You are signed out" in left.text, "Sign out there, too" in left.text) == (
        200,
        True,
        True,
    )
    assert (await browser.session()).status_code == 401


async def joins(client: Client, authorization: str | None = None) -> dict[str, Any]:
    await client.send(type="connection_init", payload={"authorization": authorization} if authorization else None)
    return await client.next()


@pytest.mark.promise("sessions-are-the-persons-own")
async def test_a_websocket_takes_the_cookie_from_our_own_pages_alone(
    browser: Browser, hub: Replica, provider: Issuer, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.setattr("periplus_hub.api.graphql_websocket.RECHECK_S", 0)
    await browser.signs_in()
    cookie = {"cookie": f"{SESSION}={browser.cookie}"}
    for origin in ({"origin": EVIL}, {"origin": "null"}, {}):
        async with connected(hub.graphql, "graphql-transport-ws", headers=cookie | origin) as client:
            assert (await joins(client))["closed"] == 4403
    async with connected(hub.graphql, "graphql-transport-ws", headers=cookie | {"origin": EVIL}) as client:
        assert (await joins(client, f"Bearer {provider.token()}"))["type"] == "connection_ack", "a token is no cookie"
    async with connected(hub.graphql, "graphql-transport-ws", headers=cookie | {"origin": HUB}) as client:
        assert (await joins(client))["type"] == "connection_ack"
        clock.advance(60 * 60)
        assert (await client.next())["closed"] == 4403, "watching alone keeps no session"


ELSEWHERE = [
    "https://evil.example.org/", "//evil.example.org", "///evil.example.org", "/\\evil.example.org", "\\\\evil.org",
    "/\t/evil.example.org", "/\n/evil.example.org", "http:evil.example.org", "javascript:alert(1)", "evil", "", " /",
    "/%2f%2fevil.example.org", "/a//evil.example.org", "/./evil", "/..//evil.example.org", "/%5cevil.example.org/../",
    "/auth/login", "/auth/logout?x=1", "/%61uth/login", "/é", "/" + "x" * 1_000, "/a\x00",
]  # fmt: skip


@pytest.mark.promise("sessions-are-the-persons-own")
async def test_a_sign_in_leads_nowhere_but_here(browser: Browser, provider: Issuer) -> None:
    for to in ELSEWHERE:
        refused = await browser.get(f"/auth/login?to={quote(to, safe='')}")
        assert (refused.status_code, "location" in refused.headers) == (400, False), to
        assert "would not lead to a page of this hub" in refused.text
    assert provider.codes == {}
    sent = str(browser.hub.cookies.get(BEGUN))
    assert sent == "None"
    for to in ("/", "/a/b?c=/d//e&f=https://x.example.org#g", "/a%20b", "/authors"):
        assert (await browser.signs_in(to)).headers["location"] == to


@pytest.mark.promise("sessions-are-the-persons-own")
async def test_where_it_leads_cannot_be_changed_on_the_way(browser: Browser, hub: Replica) -> None:
    back = await browser.leaves("/here")
    secret, begun, to = str(browser.hub.cookies.get(BEGUN)).split(".")
    for changed in (f"{secret}.{begun}.L290aGVy", f"{secret}.{int(begun) + 60}.{to}", f"{secret[:-1]}x.{begun}.{to}",
                    f"{secret}.{begun}.Ly9ldmls", f"{secret}.{begun}.!", "", "x" * 4_000):  # fmt: skip
        browser.hub.cookies.set(BEGUN, changed, domain="hub.test")
        assert (await browser.get(back)).status_code == 400, changed
        browser.hub.cookies.clear()
    assert set(hub.reasons) == {"not begun here"}


async def test_a_sign_in_belongs_to_the_browser_that_began_it(browser: Browser, hub: Replica, provider: Issuer) -> None:
    theirs = await browser.leaves()
    async with browsing(provider, hub.app) as victim:
        assert (await victim.get(theirs)).status_code == 400
        await victim.leaves()
        assert (await victim.get(theirs)).status_code == 400, "nor in place of one of its own"
        assert victim.cookie is None


async def test_a_sign_in_is_finished_once(browser: Browser, hub: Replica, provider: Issuer, db: Database) -> None:
    back = await browser.leaves()
    begun = str(browser.hub.cookies.get(BEGUN))
    codes = dict(provider.codes)
    assert (await browser.get(back)).status_code == 303
    assert BEGUN not in browser.hub.cookies
    assert (await browser.get(back)).status_code == 400, "the browser has forgotten it"
    browser.hub.cookies.set(BEGUN, begun, domain="hub.test")
    refused = await browser.get(back)
    assert (refused.status_code, "was used already" in refused.text) == (401, True), "the issuer takes no code twice"
    provider.codes |= codes
    browser.hub.cookies.set(BEGUN, begun, domain="hub.test")
    browser.goes_to(replica(db, provider).app)
    refused = await browser.get(back)
    assert (refused.status_code, "was finished already" in refused.text) == (401, True), "nor does any replica"
    assert hub.reasons == ["not begun here", "code not taken"]


async def test_a_sign_in_takes_ten_minutes_at_most(browser: Browser, hub: Replica, clock: FakeClock) -> None:
    back = await browser.leaves()
    clock.advance(599)
    assert (await browser.get(back)).status_code == 303
    back = await browser.leaves()
    clock.advance(600)
    refused = await browser.get(back)
    assert (refused.status_code, "took longer than ten minutes" in refused.text) == (400, True)
    assert hub.reasons == ["too late"]


WRONG: list[tuple[dict[str, Any], int, str, str]] = [
    ({"nonce": "another"}, 401, "other nonce", "is not for this sign-in (nonce)"),
    ({"nonce": None}, 401, "other nonce", "(nonce)"),
    ({"iss": EVIL}, 401, "other issuer", "another issuer"),
    ({"aud": "somebody-else"}, 401, "other audience", "not for periplus-cli"),
    ({"aud": ["periplus-cli", "x"]}, 401, "other client", "(azp)"),
    ({"azp": "somebody-else"}, 401, "other client", "(azp)"),
    ({"exp": 1_767_225_540}, 401, "expired", "ended at"),
    ({"sub": None}, 401, "no subject", "(sub)"),
    ({"groups": ["strangers"]}, 403, "no group with a role", "o group of person:ada"),
]
"""What an ID token says otherwise, and what comes of it."""


@pytest.mark.promise("people-are-signed-for")
async def test_who_is_not_let_in_reads_why_and_what_to_do(browser: Browser, hub: Replica, provider: Issuer) -> None:
    for changed, status, reason, told in WRONG:
        provider.changed = changed
        page = await browser.signs_in("/here")
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8"), changed
        assert told in page.text, changed
        assert '<a href="/auth/login?to=%2Fhere">Try again</a>' in page.text
        assert (browser.cookie, hub.refused.pop().reason) == (None, reason), changed
        problem = await browser.hub.get(await browser.leaves())
        assert (problem.status_code, problem.headers["content-type"]) == (status, PROBLEM)
        assert told in problem.json()["detail"]
        assert problem.json()["remedy"]
        hub.refused.pop()
    assert hub.refused == []


@pytest.mark.promise("people-are-signed-for")
async def test_nobody_signs_for_the_issuer(browser: Browser, provider: Issuer) -> None:
    published = provider.keys
    back = await browser.leaves()
    provider.instead["/keys"] = (200, b'{"keys": []}', {})
    provider.keys = [SigningKey.new("first")]
    assert (await browser.get(back)).status_code in {401, 503}
    provider.keys = published
    assert browser.cookie is None


BACK: list[tuple[str, int, str]] = [
    ("iss=https%3A%2F%2Fevil.example.org&code=x", 401, "of another issuer"),
    ("error=access_denied", 401, "did not sign you in: access_denied"),
    ("error=%3Cscript%3Ealert(1)%3C/script%3E&error_description=%3Cb%3E", 401, "an error that the hub does not know"),
    ("", 400, "sent no code"),
    ("code=", 400, "sent no code"),
    ("code=a&code=b", 400, "sent no code"),
    ("code=" + "x" * 2_049, 400, "sent no code"),
    ("code=made-up", 401, "was used already, or is too old"),
]
"""With what somebody comes back, and what they read."""


async def test_made_up_answers_are_told_apart_and_not_repeated(browser: Browser, provider: Issuer) -> None:
    for query, status, told in BACK:
        state = (await browser.leaves()).partition("state=")[2].partition("&")[0]
        page = await browser.get(f"/auth/callback?state={state}&{query}")
        assert (page.status_code, told in page.text, "<script>" in page.text) == (status, True, False), query
    assert (await browser.get("/auth/callback?code=x&state=%C3%A9")).status_code == 400
    assert len(provider.posted("/token")) == 1


AWAY: list[tuple[tuple[int, bytes, dict[str, str]], int, str]] = [
    ((503, b"", {}), 503, "answers 503"),
    ((200, b"<html>", {}), 503, "what is no answer of one"),
    ((200, b"{}", {}), 503, "gives no ID token"),
    ((302, b"", {"location": EVIL}), 401, "gives no token for the code"),
]
"""What the issuer answers to a code, and what is told of that."""


async def test_an_issuer_that_is_away_is_said_to_be(
    browser: Browser, hub: Replica, provider: Issuer, db: Database
) -> None:
    for answer, status, told in AWAY:
        back = await browser.leaves()
        provider.instead["/token"] = answer
        page = await browser.get(back)
        assert (page.status_code, told in page.text, "Try again" in page.text) == (status, True, True), told
        assert browser.cookie is None
    keys = hub.sessions.people.keys
    provider.instead.clear()
    back = await browser.leaves()
    keys.outbound = replace(keys.outbound, timeout_s=0.2)
    provider.goes_on.clear()
    page = await browser.get(back)
    assert (page.status_code, "does not answer" in page.text, page.headers["retry-after"]) == (503, True, "5")
    fresh = replica(db, provider)
    fresh.sessions.people.keys.outbound = keys.outbound
    browser.goes_to(fresh.app)
    page = await browser.get("/auth/login")
    assert (page.status_code, "the hub cannot read" in page.text) == (503, True)


async def test_pages_run_and_load_nothing(browser: Browser) -> None:
    for path in ("/", "/auth/login?to=//x", "/auth/callback"):
        page = await browser.get(path)
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert policy.endswith("form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
        assert [word for word in ("<script", "src=", "@import", "url(", "style=") if word in page.text] == []
        assert "prefers-color-scheme: dark" in page.text
        assert page.headers["cache-control"] == "no-store"


async def test_names_of_people_are_text(browser: Browser, provider: Issuer) -> None:
    provider.person |= {"preferred_username": "<b>ada", "sub": "a&b"}
    await browser.signs_in()
    assert "signed in as <b>a&amp;b</b>" in (await browser.get("/")).text


async def test_one_address_begins_only_so_many(
    browser: Browser, hub: Replica, provider: Issuer, clock: FakeClock
) -> None:
    statuses = [(await browser.hub.get("/auth/login")).status_code for _ in range(int(AT_ONCE) + 1)]
    assert statuses == [303] * int(AT_ONCE) + [429]
    limited = await browser.hub.get("/auth/callback?code=x&state=y")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "5")
    async with browsing(provider, hub.app, address="203.0.113.8") as other:
        assert (await other.hub.get("/auth/login")).status_code == 303
    clock.advance(1)
    assert (await browser.hub.get("/auth/login")).status_code == 303


async def test_made_up_cookies_are_nobodys(browser: Browser, hub: Replica) -> None:
    for made_up in ("", "x", "x" * 43, "é" * 43, "x" * 5_000):
        browser.hub.cookies.set(SESSION, quote(made_up), domain="hub.test")
        assert (await browser.session()).status_code == 401
        assert (await browser.asks()).status_code in {401, 403}
        browser.hub.cookies.clear()
    assert set(hub.reasons) == {"unknown session"}


async def test_without_a_public_url_nobody_signs_in_with_a_browser(db: Database, provider: Issuer) -> None:
    closed = replica(db, provider, public_url=None)
    async with browsing(provider, closed.app) as browser:
        for path in ("/auth/login", "/auth/callback", "/auth/session"):
            problem = await browser.get(path)
            assert (problem.status_code, "public_url" in problem.json()["remedy"]) == (404, True)
        assert "Sign in" not in (await browser.get("/")).text
        browser.hub.cookies.set(SESSION, "x" * 43, domain="hub.test")
        assert (await browser.asks()).status_code == 401
