"""A browser at a whole hub over TLS, with an issuer on real sockets, and an administrator who types."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from periplus_hub.kit.db import Database
from periplus_hub.kit.metrics import exposition

from tests.cluster.rig.processes import free_port
from tests.support.browser import Browser, browsing
from tests.support.certificates import self_signed
from tests.support.issuer import Issuer, issuer
from tests.support.terminal import Terminal, asking


@dataclass
class Place(Terminal):
    """A hub, where browsers reach it, and its issuer."""

    url: str
    provider: Issuer


pytestmark = pytest.mark.usefixtures("patient_http")


@pytest.fixture
async def place(database_url: str, db: Database, tmp_path: Path) -> AsyncIterator[Place]:
    del db
    certificate, key = self_signed(tmp_path, "127.0.0.1")
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    async with issuer(tmp_path) as provider:
        settings: dict[str, Any] = {"tls_certificate": certificate, "tls_key": key, "api_port": port}
        settings |= provider.settings | {"public_url": url}
        async with asking(database_url, tmp_path / "hub", **settings) as env:
            yield Place(env | {"PERIPLUS_CA_FILE": str(certificate)}, url, provider)


@pytest.fixture
async def browser(place: Place) -> AsyncIterator[Browser]:
    async with browsing(place.provider, url=place.url, trusts=place.env["PERIPLUS_CA_FILE"]) as found:
        yield found


async def asked(browser: Browser) -> int:
    return (await browser.asks(origin=browser.url)).status_code


async def test_a_browser_signs_in_over_tls_until_an_administrator_ends_it(place: Place, browser: Browser) -> None:
    assert (await browser.signs_in("/somewhere")).headers["location"] == "/somewhere"
    assert await asked(browser) == 200
    [listed] = json.loads((await place.type("sessions", "list", "--json")).stdout)
    assert (listed["name"], listed["role"], listed["endedAt"]) == ("ada", "operator", None)
    assert "ada" in (await place.type("sessions", "list")).stdout
    assert "no session 'bob'" in (await place.type("sessions", "revoke", "bob", "--yes", code=1)).stderr
    assert "the session of ada is over" in (await place.type("sessions", "revoke", "ada", "--yes")).stdout
    assert "Nobody is signed in with a browser." in (await place.type("sessions", "list")).output
    [over] = json.loads((await place.type("sessions", "list", "--all", "--json")).stdout)
    assert over["endedAt"] is not None
    trail = json.loads((await place.type("audit", "list", "--json")).stdout)
    actions = [each["action"] for each in trail]
    assert actions[:2] == ["access:session:revoke", "access:session:create"]
    async with browsing(place.provider, url=place.url, trusts=place.env["PERIPLUS_CA_FILE"]) as other:
        assert (await other.signs_in()).status_code == 303
        assert await asked(other) == 200
        assert (await other.get("/auth/callback?code=x&state=y")).status_code == 400


async def test_its_result_is_counted(place: Place, browser: Browser) -> None:
    def counted(result: str) -> float:
        line = f'periplus_browser_sign_ins_total{{result="{result}"}} '
        found = [each.removeprefix(line) for each in exposition().decode().splitlines() if each.startswith(line)]
        return float(found[0]) if found else 0.0

    before = {result: counted(result) for result in ("signed-in", "refused", "unavailable")}
    await browser.signs_in()
    place.provider.changed = {"nonce": "another"}
    await browser.signs_in()
    place.provider.instead["/token"] = (503, b"", {})
    await browser.signs_in()
    assert {result: counted(result) - was for result, was in before.items()} == dict.fromkeys(before, 1.0)
