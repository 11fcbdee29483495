"""People who sign in with a browser: from the first page to the end of the session, with an issuer on real sockets."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from periplus_hub.access.repository_sessions import ended_before
from periplus_hub.access.scope import Role, Scope, system_scope
from periplus_hub.access.service_tenants import create_tenant, ensure_default_tenant
from periplus_hub.access.tables import sessions
from periplus_hub.fleet.jobs import RetentionJob, TenantRule
from periplus_hub.kit.db import Database
from periplus_hub.kit.tenancy import EVERY_TENANT

from tests.support.browser import BEGUN, HUB, SESSION, Browser, Replica, browsing, replica
from tests.support.clock import FakeClock
from tests.support.graphql_hub import token_for
from tests.support.issuer import Issuer

TRAIL = "{ auditEvents(first: 10) { nodes { actor action address detail } } }"


@pytest.fixture
async def hub(db: Database, provider: Issuer) -> Replica:
    await ensure_default_tenant(db)
    return replica(db, provider)


@pytest.fixture
async def browser(hub: Replica, provider: Issuer) -> AsyncIterator[Browser]:
    async with browsing(provider, hub.app) as found:
        yield found


@pytest.fixture
def default(db: Database, hub: Replica) -> Any:
    """The tenant's scope, once it is asked for."""

    async def scope() -> Scope:
        return system_scope(await ensure_default_tenant(db), "test")

    return scope


async def rows(db: Database) -> list[Any]:
    async with db.read(EVERY_TENANT) as c:
        return list(await c.rows(sessions.select()))


async def test_a_person_signs_in_asks_and_signs_out(browser: Browser, hub: Replica, provider: Issuer) -> None:
    start = (await browser.get("/")).text
    assert f'<a href="{HUB}/auth/login">Sign in</a>' in start
    back = await browser.signs_in("/clusters?name=a%20b")
    assert (back.status_code, back.headers["location"]) == (303, "/clusters?name=a%20b")
    [asked] = [each for each in provider.asked if each == "/authorize"]
    assert asked
    actor = f"person:ada <248289761001@{provider.url}>"
    assert (await browser.asks()).json()["data"]["viewer"] == {"actor": actor, "role": "OPERATOR", "tenant": "default"}
    told = (await browser.session()).json()
    assert (told["actor"], told["role"], told["tenant"], told["name"]) == (actor, "operator", "default", "ada")
    assert (told["endsAt"], told["idleEndsAt"]) == ("2026-01-01T10:00:00+00:00", "2026-01-01T01:00:00+00:00")
    start = (await browser.get("/")).text
    assert "signed in as <b>ada</b>: operator in the tenant default" in start
    before = browser.cookie
    left = await browser.hub.post("/auth/logout", headers={"origin": HUB, "x-periplus-request": "1"})
    assert left.json()["endSessionUrl"].startswith(f"{provider.url}/end?client_id=periplus-cli&post_logout")
    assert browser.cookie is None
    browser.hub.cookies.set(SESSION, str(before), domain="hub.test")
    assert (await browser.asks()).status_code == 401
    assert (await browser.session()).status_code == 401
    assert hub.refused == []


async def test_the_cookies_are_as_bound_as_they_can_be(browser: Browser) -> None:
    sent = await browser.hub.get("/auth/login")
    back = await browser.signs_in()
    flags = "HttpOnly; Max-Age={}; Path=/; SameSite=lax; Secure"
    assert sent.headers["set-cookie"].partition("; ")[::2] == (
        f"{BEGUN}={sent.cookies[BEGUN]}",
        flags.format(600),
    )
    first, second = back.headers.get_list("set-cookie")
    assert first == f"{SESSION}={browser.cookie}; {flags.format(36_000)}"
    assert second == f'{BEGUN}=""; {flags.format(0)}'
    assert "domain" not in str(back.headers).lower()


async def test_only_hashes_are_kept_and_nothing_is_logged(browser: Browser, db: Database, provider: Issuer) -> None:
    structlog.reset_defaults()
    with capture_logs() as logged:
        back = await browser.leaves()
        await browser.get(back)
        secrets = [str(browser.cookie), back.partition("code=")[2].partition("&")[0]]
        await browser.asks()
        provider.instead["/token"] = (500, b"secret-of-the-issuer", {})
        failed = await browser.signs_in()
    [row] = await rows(db)
    said = f"{logged}{row}{failed.text}"
    assert [each for each in [*secrets, "secret-of-the-issuer", *provider.codes] if each in said] == []
    assert (row.subject, row.name, row.role, row.groups) == ("248289761001", "ada", "operator", ["network-team"])


async def test_the_issuer_is_asked_for_no_refresh_token_and_with_a_proof(browser: Browser, provider: Issuer) -> None:
    back = await browser.leaves()
    [asked] = provider.codes.values()
    assert (asked["scope"], asked["code_challenge_method"]) == ("openid profile email", "S256")
    assert asked["redirect_uri"] == f"{HUB}/auth/callback"
    await browser.get(back)
    [form] = provider.posted("/token")
    assert sorted(form) == ["client_id", "code", "code_verifier", "grant_type", "redirect_uri"]
    assert form["code_verifier"] not in back


@pytest.mark.parametrize("shows_it", ["client_secret_basic", "client_secret_post"])
async def test_a_client_with_a_secret_shows_it(
    db: Database, provider: Issuer, hub: Replica, tmp_path: Path, shows_it: str
) -> None:
    provider.secret, provider.shows_it = "pass:word/+%", shows_it
    file = tmp_path / "secret"
    file.write_text(provider.secret + "\n")
    async with browsing(provider, replica(db, provider, oidc_client_secret_file=file).app) as browser:
        assert (await browser.signs_in()).status_code == 303
        file.write_text("another\n")
        refused = await browser.signs_in()
        assert (refused.status_code, "invalid_client" in refused.text) == (401, True)
        file.unlink()
        assert "cannot read its secret" in (await browser.signs_in()).text


async def test_groups_come_from_the_access_token_where_there_is_an_audience(db: Database, provider: Issuer) -> None:
    await ensure_default_tenant(db)
    hub = replica(db, provider, oidc_audience="api")
    async with browsing(provider, hub.app) as browser:
        provider.changed = {"groups": None}
        assert (await browser.signs_in()).status_code == 303
        assert (await browser.session()).json()["role"] == "operator"
        provider.changed = {"sub": "another"}
        assert "different people" in (await browser.signs_in()).text


async def test_a_token_wins_over_the_cookie(browser: Browser, db: Database, default: Any) -> None:
    machine = await token_for(db, await default(), Role.VIEWER)
    await browser.signs_in()
    asked = await browser.asks(authorization=f"Bearer {machine}", origin="", **{"x-periplus-request": ""})
    assert asked.json()["data"]["viewer"]["actor"] == "token:test-viewer"
    assert (await browser.asks(authorization="Bearer ppt_made_up")).status_code == 401


async def test_any_replica_finishes_and_ends_what_another_began(
    browser: Browser, hub: Replica, db: Database, provider: Issuer, clock: FakeClock
) -> None:
    other = replica(db, provider)
    back = await browser.leaves()
    browser.goes_to(other.app)
    assert (await browser.get(back)).status_code == 303
    browser.goes_to(hub.app)
    assert (await browser.asks()).status_code == 200
    cookie = str(browser.cookie)
    browser.goes_to(other.app)
    await browser.hub.post("/auth/logout", headers={"origin": HUB, "x-periplus-request": "1"})
    browser.goes_to(hub.app)
    browser.hub.cookies.set(SESSION, cookie, domain="hub.test")
    clock.advance(5)
    assert (await browser.asks()).status_code == 401, "within five seconds everywhere"


async def test_an_unused_session_ends_and_a_used_one_does_too_in_the_end(
    browser: Browser, hub: Replica, clock: FakeClock, db: Database, provider: Issuer
) -> None:
    await browser.signs_in()
    other = replica(db, provider)
    for _ in range(11):
        clock.advance(50 * 60)
        assert (await browser.asks()).status_code == 200
        await hub.sessions.uses.write()
        assert await other.sessions.find(str(browser.cookie), is_use=False), "the other replica knows of the use"
    clock.advance(50 * 60)
    assert (await browser.asks()).status_code == 401, "ten hours are over"
    await browser.signs_in()
    clock.advance(59 * 60)
    assert (await browser.session()).status_code == 200, "looking is no use"
    clock.advance(60)
    assert (await browser.session()).status_code == 401


async def test_signing_in_again_replaces_the_session_and_looks_at_the_groups(
    browser: Browser, hub: Replica, provider: Issuer, clock: FakeClock
) -> None:
    await browser.signs_in()
    first = str(browser.cookie)
    provider.person["groups"] = ["readers"]
    await browser.signs_in()
    assert (await browser.session()).json()["role"] == "viewer"
    assert browser.cookie != first
    clock.advance(5)
    assert await hub.sessions.find(first) is None


async def test_a_group_that_lost_its_role_here_ends_the_session(
    browser: Browser, db: Database, provider: Issuer
) -> None:
    await browser.signs_in()
    for roles, status, reason in [
        (("network-team=viewer",), 200, []),
        (("others=admin",), 401, ["no group with a role"]),
        (("network-team=globex/viewer",), 401, ["roles in another tenant now"]),
    ]:
        if reason == ["roles in another tenant now"]:
            await create_tenant(db, "globex")
        restarted = replica(db, provider, oidc_roles=roles)
        browser.goes_to(restarted.app)
        assert (await browser.asks()).status_code == status
        assert restarted.reasons == reason
    elsewhere = replica(db, provider)
    elsewhere.sessions.people.expected = elsewhere.sessions.people.expected.__class__(
        issuer="https://other.example.org", client_id="c", audience="c", name_claim="n", groups_claim="g",
        tolerance=timedelta(0),
    )  # fmt: skip
    browser.goes_to(elsewhere.app)
    assert (await browser.asks()).status_code == 401


async def test_sessions_that_are_over_are_forgotten(
    browser: Browser, db: Database, clock: FakeClock, default: Any
) -> None:
    await default()
    await browser.signs_in()
    job = RetentionJob(db, [], [TenantRule(1, ended_before)])
    clock.advance(11 * 3_600)
    await job.run(clock.now())
    assert len(await rows(db)) == 1
    clock.advance(24 * 3_600)
    await job.run(clock.now())
    assert await rows(db) == []


async def test_the_trail_tells_of_each(browser: Browser, db: Database, default: Any, provider: Issuer) -> None:
    admin = await token_for(db, await default(), Role.ADMIN)
    await browser.signs_in()
    await browser.hub.post("/auth/logout", headers={"origin": HUB, "x-periplus-request": "1"})
    await browser.signs_in()
    listed = (await browser.asks("{ sessions(first: 5) { nodes { id name endedAt } } }",
                                 authorization=f"Bearer {admin}")).json()["data"]["sessions"]["nodes"]  # fmt: skip
    assert [(each["name"], each["endedAt"]) for each in listed] == [("ada", None)]
    revoke = f'mutation {{ revokeSession(session: "{listed[0]["id"]}") {{ __typename ... on Problem {{ message }} }} }}'
    for kind in ("Session", "NotFound"):
        revoked = (await browser.asks(revoke, authorization=f"Bearer {admin}")).json()["data"]["revokeSession"]
        assert revoked["__typename"] == kind, revoked
    events = (await browser.asks(TRAIL, authorization=f"Bearer {admin}")).json()["data"]["auditEvents"]["nodes"]
    actor = f"person:ada <248289761001@{provider.url}>"
    assert [(each["action"], each["actor"], each["address"]) for each in events[:4]] == [
        ("access:session:revoke", "token:test-admin", "203.0.113.7"),
        ("access:session:create", actor, "203.0.113.7"),
        ("access:session:end", actor, "203.0.113.7"),
        ("access:session:create", actor, "203.0.113.7"),
    ]
