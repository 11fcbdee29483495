"""The GraphQL door of a hub to which people sign in."""

from dataclasses import dataclass, replace
from typing import Any

import httpx

from periplus_hub.access.config import SignInConfig
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.service import Authenticator
from periplus_hub.access.service_people import People
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import Answer, Door
from tests.support.issuer import Issuer
from tests.support.unhurried import UNHURRIED

VIEWER = "{ viewer { actor role tenant } }"


@dataclass
class SignInHub:
    """Its door, and who was refused there."""

    door: Door
    people: People
    refused: list[RefusedAttempt]
    clock: FakeClock

    async def ask(self, token: str, document: str = VIEWER) -> Answer:
        return await self.door.ask(document, token)

    async def raw(self, token: str) -> httpx.Response:
        """With whatever bytes."""
        headers: Any = {b"authorization": b"Bearer " + token.encode(), b"content-type": b"application/json"}
        return await self.door.raw("POST", b'{"query": "{ viewer { actor } }"}', headers)

    def let_time_out(self) -> None:
        """The issuer has next to no time from now on."""
        self.people.keys.outbound = replace(self.people.keys.outbound, timeout_s=0.2)


def sign_in_hub(db: Database, clock: FakeClock, provider: Issuer, **settings: Any) -> SignInHub:
    """As the issuer's settings make it, or otherwise."""
    refused: list[RefusedAttempt] = []
    people = People.of(db, SignInConfig(**provider.settings | settings))
    if people is None:
        raise AssertionError("the settings name an issuer")
    app = GraphQLApp(db, clock, Authenticator(db, refused.append, people), limits=UNHURRIED)
    return SignInHub(Door(app), people, refused, clock)
