"""Signing in from the command line, against a hub and an issuer over real sockets."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from periplus_hub.access.issuer_documents import IssuerDocument, IssuerTrouble
from periplus_hub.api.cli.device_flow import Codes, finish
from periplus_hub.api.cli.signed_in import token_of
from periplus_hub.kit.db import Database
from periplus_hub.kit.http_out import Answer, Outbound

from tests.support.issuer import Issuer, issuer
from tests.support.terminal import Terminal, asking

LIST = ("clusters", "list")


@dataclass
class Person(Terminal):
    """Who has no API token, and types."""

    provider: Issuer
    home: Path

    @property
    def kept(self) -> list[Path]:
        return sorted((self.home / "periplus" / "sign-ins").glob("*.json"))

    def stored(self) -> dict[str, Any]:
        [file] = self.kept
        found: dict[str, Any] = json.loads(file.read_text())
        return found


pytestmark = pytest.mark.usefixtures("patient_http")


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Issuer]:
    async with issuer(tmp_path) as found:
        yield found


@pytest.fixture
async def person(database_url: str, db: Database, tmp_path: Path, provider: Issuer) -> AsyncIterator[Person]:
    async with asking(database_url, tmp_path / "hub", **provider.settings) as env:
        home = tmp_path / "home"
        env |= {"XDG_CONFIG_HOME": str(home), "PERIPLUS_CA_FILE": str(provider.ca_file), "PERIPLUS_TOKEN": ""}
        yield Person(env, provider, home)


async def test_who_typed_the_hub_alone_is_signed_in(person: Person) -> None:
    provider = person.provider
    provider.polls = ["authorization_pending"]
    done = await person.type("login")
    assert f"Open {provider.url}/activate and enter the code WDJB-MJHT" in done.stderr
    assert f"as person:ada <248289761001@{provider.url}>: operator in the tenant default." in done.stdout
    [file] = person.kept
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert provider.posted("/device")[0]["scope"] == "openid profile email offline_access"
    assert (await person.type(*LIST)).stdout


async def test_a_process_signs_in_and_out(person: Person) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PERIPLUS")}

    async def run(*words: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "periplus_hub", *words,
            env=kept | person.env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    code, out, err = await run("login")
    assert (code, "operator in the tenant default" in out) == (0, True), err
    assert (await run(*LIST))[0] == 0
    refresh = person.stored()["refresh_token"]
    assert await run("logout") == (0, f"Signed out of {person.env['PERIPLUS_URL']}.\n", "")
    assert person.provider.posted("/revoke")[0]["token"] == refresh
    assert (person.kept, person.provider.refresh_tokens) == ([], set())


async def test_a_sign_in_is_renewed_when_it_ends(person: Person) -> None:
    person.provider.lifetime = timedelta(seconds=20)
    await person.type("login")
    first = person.stored()
    await person.type(*LIST)
    second = person.stored()
    assert second["refresh_token"] != first["refresh_token"], "the token had less than half a minute"
    person.provider.lifetime = timedelta(minutes=5)
    await person.type(*LIST)
    await person.type(*LIST)
    assert len(person.provider.posted("/token")) == 3, "the last one holds"


async def test_commands_at_the_same_time_renew_it_once(person: Person) -> None:
    person.provider.lifetime = timedelta(seconds=20)
    await person.type("login")
    person.provider.lifetime = timedelta(minutes=5)
    url = person.env["PERIPLUS_URL"]
    with pytest.MonkeyPatch.context() as patched:
        for name, value in person.env.items():
            patched.setenv(name, value)
        found = await asyncio.gather(*(asyncio.to_thread(token_of, url) for _ in range(4)))
    assert (len(set(found)), len(person.provider.posted("/token"))) == (1, 2)


async def test_a_sign_in_that_ended_is_said_in_two_lines(person: Person) -> None:
    person.provider.lifetime = timedelta(seconds=20)
    await person.type("login")
    person.provider.refresh_tokens.clear()
    url = person.env["PERIPLUS_URL"]
    for _ in range(2):
        assert (await person.type(*LIST, code=1)).stderr.splitlines() == [
            f"error your sign-in to {url} has ended: the issuer does not renew it (invalid_grant)",
            "remedy Run 'periplus login'.",
        ]
    person.provider.instead["/token"] = (500, b"", {})
    away = (await person.type(*LIST, code=1)).stderr
    assert "has ended and cannot be renewed now: the issuer does not renew it: it answers 500" in away
    person.provider.instead.clear()
    await person.type("login")
    await person.type(*LIST)


async def test_without_a_refresh_token_it_ends_with_the_token(person: Person) -> None:
    await person.type("login")
    kept = person.stored() | {"refresh_token": "", "ends_at_s": 0}
    person.kept[0].write_text(json.dumps(kept))
    ended = (await person.type(*LIST, code=1)).stderr
    assert "has ended, and the issuer gave nothing to renew it with" in ended
    person.kept[0].write_text("{}")
    assert "is no sign-in" in (await person.type(*LIST, code=1)).stderr
    await person.type("login")


async def test_what_the_hub_does_not_accept_is_not_kept(person: Person) -> None:
    person.provider.person["groups"] = ["strangers"]
    refused = (await person.type("login", code=1)).stderr
    assert "no group of person:ada" in refused
    assert "remedy Ask whoever runs the hub to name one of your groups in oidc_roles" in refused
    assert person.kept == []
    person.provider.person = {"sub": "ada", "groups": ["network-team"], "aud": "other"}
    assert "is not for periplus-cli (aud)" in (await person.type("login", code=1)).stderr
    assert person.kept == []


async def test_a_sign_in_that_the_hub_no_longer_accepts_says_why(person: Person) -> None:
    await person.type("login")
    kept = person.stored() | {"token": person.provider.token(aud="other")}
    person.kept[0].write_text(json.dumps(kept))
    assert (await person.type(*LIST, code=1)).stderr.splitlines() == [
        "error the hub does not accept your sign-in: the token is not for periplus-cli (aud)",
        "remedy Run 'periplus login'.",
    ]


async def test_a_token_that_is_given_is_used_instead(person: Person, tmp_path: Path) -> None:
    await person.type("login")
    (tmp_path / "token").write_text("ppt_aaaaaaaa_b")
    given = (await person.type(*LIST, "--token-file", str(tmp_path / "token"), code=1)).stderr
    assert f"does not accept this token, which is from {tmp_path / 'token'}" in given
    person.env["PERIPLUS_TOKEN"] = "ppt_aaaaaaaa_b"
    assert "which is from PERIPLUS_TOKEN" in (await person.type(*LIST, code=1)).stderr
    assert "note PERIPLUS_TOKEN is set" in (await person.type("login")).stderr


async def test_logging_out_tells_what_the_issuer_was_not_told(person: Person) -> None:
    assert "Nobody is signed in" in (await person.type("logout")).stdout
    await person.type("login")
    person.provider.instead["/revoke"] = (503, b"", {})
    done = await person.type("logout")
    assert "note the issuer still knows the sign-in: the issuer does not end the sign-in: it answers 503" in done.stderr
    assert person.kept == []


REFUSALS: list[tuple[str, tuple[int, bytes, dict[str, str]], str]] = [
    ("/device", (400, b'{"error": "unauthorized_client"}', {}), "does not begin a sign-in: it answers 400 (unauth"),
    ("/device", (200, b'{"device_code": "x"}', {}), "what is no answer of one"),
    ("/device", (302, b"", {"location": "http://192.0.2.1"}), "it answers 302"),
    ("/token", (400, b'{"error": "access_denied"}', {}), "the sign-in was denied"),
    ("/token", (400, b'{"error": "expired_token"}', {}), "nobody confirmed the sign-in in time"),
    ("/token", (401, b'{"error": "invalid_client"}', {}), "it answers 401 (invalid_client)"),
    ("/token", (200, b"{}", {}), "the issuer gives no ID token"),
    ("/.well-known/openid-configuration", (404, b"", {}), "answers 404"),
]
"""What the issuer answers where, and what is told of that."""


async def test_what_the_issuer_refuses_is_told(person: Person) -> None:
    for path, answer, told in REFUSALS:
        person.provider.instead = {path: answer}
        refused = (await person.type("login", code=1)).stderr
        assert told in " ".join(refused.split())
        assert person.kept == []


async def test_a_page_that_is_none_is_not_shown(person: Person) -> None:
    for page in ("http://evil.example.org/", "https://x.example.org/\x1b[2J", "javascript:alert(1)"):
        person.provider.device = {"verification_uri": page}
        assert "names no page to sign in at" in (await person.type("login", code=1)).stderr


async def test_the_hub_says_where_to_sign_in_to_who_has_no_token(person: Person) -> None:
    async with httpx.AsyncClient() as http:
        told = await http.get(f"{person.env['PERIPLUS_URL']}/sign-in")
    assert told.json() == {
        "issuer": person.provider.url,
        "clientId": "periplus-cli",
        "scopes": ["openid", "profile", "email", "offline_access"],
        "audience": None,
    }


async def test_the_hub_tells_that_its_issuer_is_away(
    database_url: str, db: Database, tmp_path: Path, provider: Issuer
) -> None:
    del db
    provider.instead["/keys"] = (503, b"", {})
    async with asking(database_url, tmp_path / "hub", **provider.settings) as env:
        hub = env["PERIPLUS_URL"]
        assert await asked(hub, provider.token()) == 503
        async with httpx.AsyncClient() as http:
            told = (await http.get(f"{hub}/readyz")).json()
        assert (told["status"], [each["name"] for each in told["degraded"]]) == ("ready", ["sign-in"])
        assert await asked(hub, env["PERIPLUS_TOKEN"]) == 200


async def asked(hub: str, token: str) -> int:
    """The status of an answer to this token."""
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient() as http:
        return (await http.post(f"{hub}/graphql", json={"query": "{ viewer { actor } }"}, headers=headers)).status_code


async def test_with_an_audience_of_its_own_the_access_token_is_shown(
    database_url: str, db: Database, tmp_path: Path, provider: Issuer
) -> None:
    del db
    async with asking(database_url, tmp_path / "hub", **provider.settings, oidc_audience="elsewhere") as env:
        env |= {"XDG_CONFIG_HOME": str(tmp_path), "PERIPLUS_CA_FILE": str(provider.ca_file), "PERIPLUS_TOKEN": ""}
        assert "operator in the tenant" in (await Terminal(env).type("login")).stdout
        assert provider.posted("/device")[0]["audience"] == "elsewhere"
        await Terminal(env).type(*LIST)


async def test_a_hub_without_an_issuer_says_so(database_url: str, tmp_path: Path) -> None:
    async with asking(database_url, tmp_path) as env:
        env["XDG_CONFIG_HOME"] = str(tmp_path / "home")
        refused = (await Terminal(env).type("login", code=1)).stderr
        assert "nobody signs in to the hub" in refused
        assert "Use an API token" in refused
        elsewhere = (await Terminal(env).type("login", "--url", "http://hub.example.org:7980", code=1)).stderr
        assert "is not encrypted" in elsewhere


async def test_the_issuer_is_asked_no_faster_than_it_wants() -> None:
    answers = [{"error": "authorization_pending"}, {"error": "slow_down"}, {"error": "slow_down"}, {"id_token": "x"}]
    waited: list[float] = []

    class Http(Outbound):
        async def post(self, url: str, content: bytes, headers: Mapping[str, str] | None = None) -> Answer:
            del url, content, headers
            found = answers.pop(0)
            return Answer(400 if "error" in found else 200, {}, json.dumps(found).encode())

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    document = IssuerDocument(issuer="https://x", jwks_uri="https://x/keys", token_endpoint="https://x/token")
    codes = Codes(device_code="d", user_code="u", verification_uri="https://x", expires_in=100, interval=7)
    assert (await finish(Http(), document, "cli", codes, sleep)).id_token == "x"
    assert waited == [7, 7, 12, 17]
    answers[:] = [{"error": "authorization_pending"}] * 100
    with pytest.raises(IssuerTrouble, match="nobody confirmed"):
        await finish(Http(), document, "cli", codes, sleep)
    assert sum(waited[4:]) < 107
