"""People who sign in with OpenID Connect, through GraphQL, against an issuer over real sockets."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from periplus_hub.access.config import SignInConfig
from periplus_hub.access.model import RefusedAttempt
from periplus_hub.access.service import Authenticator
from periplus_hub.access.service_people import People
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import Answer, Door
from tests.support.issuer import Issuer, issuer
from tests.support.unhurried import UNHURRIED

VIEWER = "{ viewer { actor role tenant } }"


@dataclass
class Hub:
    """Its door, and what it keeps of who was refused."""

    door: Door
    people: People
    refused: list[RefusedAttempt]
    clock: FakeClock

    async def ask(self, token: str | None, document: str = VIEWER) -> Answer:
        return await self.door.ask(document, token)


@pytest.fixture
async def provider(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Issuer]:
    async with issuer(tmp_path, clock.now) as found:
        yield found


def made(db: Database, clock: FakeClock, provider: Issuer, **settings: Any) -> Hub:
    refused: list[RefusedAttempt] = []
    people = People.of(db, SignInConfig(**provider.settings | settings))
    assert people is not None
    app = GraphQLApp(db, clock, Authenticator(db, refused.append, people), limits=UNHURRIED)
    return Hub(Door(app), people, refused, clock)


@pytest.fixture
async def hub(db: Database, clock: FakeClock, provider: Issuer) -> Hub:
    await ensure_default_tenant(db)
    return made(db, clock, provider)


async def test_a_person_has_the_role_of_their_group(hub: Hub, provider: Issuer) -> None:
    found = (await hub.ask(provider.token())).good["viewer"]
    actor = f"person:ada <248289761001@{provider.url}>"
    assert found == {"actor": actor, "role": "OPERATOR", "tenant": "default"}
