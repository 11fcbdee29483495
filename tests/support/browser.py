"""A browser at a hub to which people sign in: it keeps cookies, follows where it is sent, and says which page asks."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.types import ASGIApp

from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.service import Authenticator
from periplus_hub.access.service_browser import BrowserSignIn
from periplus_hub.access.service_people import People
from periplus_hub.access.service_sessions import Sessions
from periplus_hub.api.app import people_routes
from periplus_hub.api.config import HubConfig
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.api.http_middleware import Observed
from periplus_hub.api.problems import HANDLERS
from periplus_hub.kit.db import Database

from tests.support.issuer import Issuer
from tests.support.unhurried import UNHURRIED

HUB = "https://hub.test"
OWN = {"origin": HUB, "sec-fetch-site": "same-origin", "x-periplus-request": "1"}
"""What the script of a page of ours sends with each question."""
SESSION, BEGUN = "__Host-periplus", "__Host-periplus-sign-in"
FROM = "203.0.113.7"


@dataclass
class Replica:
    """One hub process: its API listener, and who was refused there."""

    app: ASGIApp
    graphql: GraphQLApp
    sessions: Sessions
    refused: list[RefusedAttempt]

    @property
    def reasons(self) -> list[str]:
        return [each.reason for each in self.refused]


def replica(db: Database, provider: Issuer, **settings: Any) -> Replica:
    """As a hub composes it, without its sockets."""
    config = HubConfig.model_validate(provider.settings | {"public_url": HUB} | settings)
    refused: list[RefusedAttempt] = []
    people = People.of(db, config)
    if people is None:
        raise AssertionError("the settings name an issuer")
    sessions = Sessions(db, people, config.session_limits, refused.append)
    browsers = BrowserSignIn.of(sessions, config, config)
    authenticator = Authenticator(db, refused.append, people)
    graphql = GraphQLApp(db, db.clock, authenticator, limits=UNHURRIED, browsers=browsers)
    routes = Starlette(routes=people_routes(graphql, config), exception_handlers=HANDLERS)
    return Replica(Observed(routes, "api", db.clock, 256 * 1024), graphql, sessions, refused)


class Browser:
    """One person's: all its requests share the cookies."""

    def __init__(self, provider: Issuer, app: ASGIApp | None = None, url: str = HUB, address: str = FROM) -> None:
        trust = ssl.create_default_context(cafile=str(provider.ca_file))
        self._issuer = httpx.AsyncClient(verify=trust, trust_env=False)
        self._address = address
        self.url = url
        self.hub = httpx.AsyncClient(base_url=url, trust_env=False)
        if app is not None:
            self.goes_to(app)

    def goes_to(self, app: ASGIApp) -> None:
        """The load balancer sends it to this replica from now on."""
        through = httpx.ASGITransport(app=app, client=(self._address, 5_000))
        self.hub = httpx.AsyncClient(transport=through, base_url=self.url, cookies=self.hub.cookies)

    async def close(self) -> None:
        await self._issuer.aclose()
        await self.hub.aclose()

    @property
    def cookie(self) -> str | None:
        """Of the session."""
        return self.hub.cookies.get(SESSION)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """As somebody who typed it, or followed a link."""
        return await self.hub.get(path, headers={"accept": "text/html,*/*;q=0.8"} | headers)

    async def leaves(self, to: str = "/") -> str:
        """Off to the issuer, and back again: the address it is sent to with the code."""
        sent = await self.hub.get("/auth/login", params={"to": to})
        assert sent.status_code == 303, sent.text
        answer = await self._issuer.get(sent.headers["location"])
        assert answer.status_code == 302, answer.text
        back: str = answer.headers["location"]
        assert back.startswith(f"{self.url}/auth/callback?")
        return back

    async def signs_in(self, to: str = "/") -> httpx.Response:
        return await self.get(await self.leaves(to))

    async def asks(self, document: str = "{ viewer { actor role tenant } }", **headers: str) -> httpx.Response:
        """As a script on a page of ours; headers replace what it sends, and an empty one takes it away."""
        sent = {name: value for name, value in (OWN | headers).items() if value}
        return await self.hub.post("/graphql", json={"query": document}, headers=sent)

    async def session(self) -> httpx.Response:
        return await self.hub.get("/auth/session")


@asynccontextmanager
async def browsing(
    provider: Issuer, app: ASGIApp | None = None, url: str = HUB, address: str = FROM, trusts: str | None = None
) -> AsyncIterator[Browser]:
    """`trusts` is the certificate of a hub on sockets."""
    browser = Browser(provider, app, url, address)
    if trusts is not None:
        trust = ssl.create_default_context(cafile=trusts)
        browser.hub = httpx.AsyncClient(base_url=url, trust_env=False, verify=trust)
    try:
        yield browser
    finally:
        await browser.close()
