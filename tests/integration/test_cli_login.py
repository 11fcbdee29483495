"""Signing in from the command line, against a hub and an issuer over real sockets."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from periplus_hub.api.cli import sign_ins
from periplus_hub.kit.db import Database

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
